import { toProperties, type Value } from "../../dbus/value.js";

/** One slot, as `GetSlotStatus` tells of it. What RAUC has never written it does not say. */
export interface Slot {
  /** As `rootfs.1`. */
  readonly name: string;
  readonly class: string;
  /** What the boot loader calls it; undefined when it is not one that boots. */
  readonly bootName: string | undefined;
  readonly device: string | undefined;
  readonly isBooted: boolean;
  /** `good` or `bad`; newer releases `unknown`, too. */
  readonly bootStatus: string | undefined;
  /** Of what was last written to it. */
  readonly bundleVersion: string | undefined;
  readonly transaction: string | undefined;
  readonly installedCount: number;
}

/** @param answer the body of GetSlotStatus, `a(sa{sv})`; what is not such a thing is left out */
export function parseSlots(answer: Value | undefined): readonly Slot[] {
  if (!Array.isArray(answer)) return [];
  return answer.flatMap((entry: Value) => {
    const [name, dictionary] = Array.isArray(entry) ? (entry as readonly Value[]) : [];
    const properties = toProperties(dictionary);
    return typeof name === "string" && properties !== undefined ? [toSlot(name, properties)] : [];
  });
}

function toSlot(name: string, properties: ReadonlyMap<string, Value>): Slot {
  const text = (key: string) => {
    const value = properties.get(key);
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const count = properties.get("installed.count");
  return {
    name,
    class: text("class") ?? "",
    bootName: text("bootname"),
    device: text("device"),
    isBooted: text("state") === "booted",
    bootStatus: text("boot-status"),
    bundleVersion: text("bundle.version"),
    transaction: text("installed.transaction"),
    installedCount: typeof count === "number" ? count : 0,
  };
}
