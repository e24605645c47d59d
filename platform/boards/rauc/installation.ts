/** One installation by the service of RAUC, from the order to its end. */
import { type Clock, type Log, type Millis, PackageError } from "../../../agent/ports.js";
import { type Bus, busName, DBusError, type Received } from "../../dbus/connection.js";
import { toProperties, type Value, Variant } from "../../dbus/value.js";
import { installerError } from "../error-texts.js";
import { RaucService, raucInterface, raucName } from "./service.js";

export interface InstallationOptions {
  readonly bus: Bus;
  readonly path: string;
  readonly transaction: string;
  readonly signal: AbortSignal;
  readonly progress: (fraction: number, message?: string) => void;
  readonly timeLimit: Millis;
  readonly clock: Clock;
  readonly log: Log;
}

/** The service ended before the installation did: it may be begun again. */
export class ServiceDied extends Error {
  override readonly name = "ServiceDied";
}

/**
 * Resolves when the service says that the installation is complete.
 * @throws PackageError or BusyError for what the service says; ServiceDied when it says nothing any more; the abort reason
 *   when `signal` fires, while the service, which knows no abort, goes on
 */
export async function install(options: InstallationOptions): Promise<void> {
  const { bus, signal, clock, timeLimit } = options;
  signal.throwIfAborted();
  const events = new EventQueue();
  await Promise.all([
    bus.listen({ ...raucSignal, member: "Completed" }, (event) => events.add(event)),
    bus.listen(
      { ...raucSignal, interface: "org.freedesktop.DBus.Properties", member: "PropertiesChanged" },
      (event) => events.add(event),
    ),
    bus.listen({ ...ownerChanged, argument: raucName }, (event) => events.add(event)),
  ]);
  const stop = () => events.fail(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const limit = clock.after(timeLimit, () =>
    events.fail(new PackageError("failed", `RAUC did not finish within ${timeLimit / 1000} s`)),
  );
  void bus.ended.then(() => events.fail(new ServiceDied("the message bus was lost during the installation")));
  try {
    const accepted = await order(new RaucService(bus), options);
    signal.throwIfAborted();
    await follow(events, accepted, options);
  } finally {
    signal.removeEventListener("abort", stop);
    limit.cancel();
  }
}

const raucSignal = { sender: raucName, path: "/", interface: raucInterface };
const ownerChanged = { sender: busName, interface: busName, member: "NameOwnerChanged" };

/** Releases know different arguments, and refuse those that they do not know. */
async function order(
  service: RaucService,
  { path, transaction, log }: InstallationOptions,
): Promise<Received> {
  let argumentsOfCall = new Map<Value, Value>([["transaction-id", new Variant("s", transaction)]]);
  for (;;) {
    try {
      return await service.call("InstallBundle", "sa{sv}", [path, argumentsOfCall]);
    } catch (error) {
      if (!(error instanceof DBusError)) throw error;
      if (/\.UnknownMethod$/.test(error.errorName)) return await orderAsBefore(service, path);
      if (argumentsOfCall.size > 0 && /unsupported key|invalid arguments/i.test(error.message)) {
        log.debug("this release of RAUC does not take the id of the attempt", { answer: error.message });
        argumentsOfCall = new Map();
        continue;
      }
      throw refusal(error);
    }
  }
}

/** Before RAUC 1.3. */
const orderAsBefore = (service: RaucService, path: string): Promise<Received> =>
  service.call("Install", "s", [path]).catch((error) => {
    throw error instanceof DBusError ? refusal(error) : error;
  });

const refusal = (error: DBusError) =>
  /\.(NoReply|Disconnected)$/.test(error.errorName)
    ? new ServiceDied(`the service of RAUC did not take the order: ${error.message}`, { cause: error })
    : installerError(`RAUC: ${error.message}`, {}, { cause: error });

/**
 * `Completed` alone is an end. `Operation` is not: a second client that is refused turns it to `idle` while the first one's
 * installation goes on (seen with 1.8).
 */
async function follow(events: EventQueue, accepted: Received, options: InstallationOptions): Promise<void> {
  let lastError = "";
  let furthest = 0;
  for (;;) {
    const event = await events.next();
    if (event.order < accepted.order) continue; // of somebody else's installation
    if (event.member === "NameOwnerChanged" && event.sender === busName) {
      if (event.body[2] === "" || event.body[1] === accepted.sender) {
        throw new ServiceDied("the service of RAUC ended during the installation");
      }
      continue;
    }
    // Any local user can send us something that looks like a signal of RAUC; its sender cannot be made up.
    if (event.sender !== accepted.sender) continue;
    if (event.member === "Completed") {
      if (event.body[0] === 0) return;
      throw installerError(lastError || (await askLastError(options.bus)) || "RAUC gives no reason");
    }
    const changed = toProperties(event.body[1]) ?? new Map<string, Value>();
    const text = changed.get("LastError");
    if (typeof text === "string" && text !== "") lastError = text;
    const [percent, message] = (changed.get("Progress") ?? []) as readonly Value[];
    if (typeof percent !== "number") continue;
    furthest = Math.max(furthest, Math.min(100, percent));
    options.progress(furthest / 100, typeof message === "string" ? message : undefined);
  }
}

const askLastError = (bus: Bus): Promise<string | undefined> =>
  new RaucService(bus).text("LastError").catch(() => undefined);

/** More than RAUC has to say in an installation; what comes faster than we read it is lost, progress first. */
const maximumEvents = 1000;

/** What has arrived and was not looked at yet. */
class EventQueue {
  readonly #events: Received[] = [];
  #failure: { readonly reason: unknown } | undefined;
  #wake: () => void = () => undefined;

  add(event: Received): void {
    if (this.#events.length === maximumEvents) {
      const at = this.#events.findIndex(({ member }) => member === "PropertiesChanged");
      this.#events.splice(Math.max(0, at), 1);
    }
    this.#events.push(event);
    this.#wake();
  }

  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#wake();
  }

  async next(): Promise<Received> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (this.#failure !== undefined) throw this.#failure.reason;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
