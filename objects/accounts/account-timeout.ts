import type { Clock, Log, Timer } from "../../agent/ports.js";
import { seconds } from "../../agent/ports.js";
import { Oscore } from "../oscore.js";
import { Security } from "../security.js";
import { bootstrapServerIn } from "./accounts.js";
import { type AccountContent, withoutInstance } from "./content.js";
import type { AccountStore } from "./store.js";

/** A bootstrap that is going on keeps the account; then it is looked at again. */
const busyDelay = seconds(60);

/**
 * Removes the Bootstrap-Server account when /0/x/12 has passed since the last bootstrap (LwM2M Core 1.2 appendix E.1).
 * Call the result to end it. Calendar time counts over restarts; a calendar that was set back does not prolong it.
 */
export function removeAccountInTime(
  store: AccountStore,
  { clock, log }: { clock: Clock; log: Log },
): () => void {
  let timer: Timer | undefined;
  let isOver = false;
  const remove = () => {
    store
      .change(withoutBootstrapServer)
      .then(() => log.info("Bootstrap-Server account removed", { reason: "its time has passed" }))
      .catch((error: unknown) => {
        if (isOver) return;
        log.warn("Bootstrap-Server account not removed yet", { error });
        timer = clock.after(busyDelay, remove);
      });
  };
  const schedule = () => {
    timer?.cancel();
    const timeout = bootstrapServerIn(store.content)?.accountTimeoutSeconds ?? 0;
    if (timeout === 0 || store.bootstrappedAt === undefined) return;
    const passed = clock.date().getTime() / 1000 - store.bootstrappedAt;
    timer = clock.after(seconds(Math.min(timeout, Math.max(0, timeout - passed))), remove);
  };
  const stopListening = store.onChange(schedule);
  schedule();
  return () => {
    isOver = true;
    stopListening();
    timer?.cancel();
  };
}

function withoutBootstrapServer(content: AccountContent): AccountContent {
  const account = bootstrapServerIn(content);
  if (account === undefined) return content;
  const rest = withoutInstance(content, Security.id, account.securityInstanceId);
  return account.oscore?.objectId === Oscore.id
    ? withoutInstance(rest, Oscore.id, account.oscore.objectInstanceId)
    : rest;
}
