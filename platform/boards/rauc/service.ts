/** The service of RAUC on the system bus, which D-Bus starts when it is asked. */
import { type Bus, DBusError, type MethodCall, type Received } from "../../dbus/connection.js";
import { toProperties, type Value } from "../../dbus/value.js";
import type { BundleInfo } from "./bundle.js";
import { parseSlots, type Slot } from "./slots.js";

export const raucName = "de.pengutronix.rauc";
export const raucInterface = "de.pengutronix.rauc.Installer";

export type SlotState = "good" | "bad" | "active";

export class RaucService {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  call(member: string, signature = "", body: readonly Value[] = []): Promise<Received> {
    const target = { destination: raucName, path: "/", interface: raucInterface };
    return this.#bus.call({ ...target, member, signature, body });
  }

  /** `Compatible`, `BootSlot`, `LastError` and what else this release has. */
  async properties(): Promise<ReadonlyMap<string, Value>> {
    const call: MethodCall = {
      destination: raucName,
      path: "/",
      interface: "org.freedesktop.DBus.Properties",
      member: "GetAll",
      signature: "s",
      body: [raucInterface],
    };
    return toProperties((await this.#bus.call(call)).body[0]) ?? new Map();
  }

  /** undefined when it is empty or this release does not have it. */
  async text(property: string): Promise<string | undefined> {
    const value = (await this.properties()).get(property);
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  async slots(): Promise<readonly Slot[]> {
    return parseSlots((await this.call("GetSlotStatus")).body[0]);
  }

  /** The slot that boots next, as far as the boot loader says. */
  async primary(): Promise<string | undefined> {
    try {
      const [name] = (await this.call("GetPrimary")).body;
      return typeof name === "string" && name !== "" ? name : undefined;
    } catch (error) {
      if (error instanceof DBusError && !isUnreachable(error)) return undefined;
      throw error;
    }
  }

  /** What a bundle says of itself, once its signature is verified; in words why it is refused. */
  async inspect(path: string): Promise<BundleInfo | string> {
    try {
      return await this.#inspect(path);
    } catch (error) {
      if (!(error instanceof DBusError) || isUnreachable(error)) throw error;
      return `RAUC refuses the bundle: ${error.message}`;
    }
  }

  async #inspect(path: string): Promise<BundleInfo> {
    try {
      const { body } = await this.call("InspectBundle", "sa{sv}", [path, new Map()]);
      const update = toProperties(toProperties(body[0])?.get("update"));
      return { compatible: textOf(update?.get("compatible")), version: textOf(update?.get("version")) };
    } catch (error) {
      if (!(error instanceof DBusError) || !error.errorName.endsWith(".UnknownMethod")) throw error;
      const [compatible, version] = (await this.call("Info", "s", [path])).body; // before 1.9
      return { compatible: textOf(compatible), version: textOf(version) };
    }
  }

  /** @param slot `booted`, `other` or a name */
  async mark(state: SlotState, slot: string): Promise<void> {
    await this.call("Mark", "ss", [state, slot]);
  }
}

/** Nobody answered: no bus, no such service, or it ended while we waited. */
export const isUnreachable = ({ errorName }: DBusError): boolean =>
  /\.(NoServer|NoReply|Disconnected|ServiceUnknown|NameHasNoOwner|Spawn\.\w+|TimedOut|Timeout)$/.test(
    errorName,
  );

const textOf = (value: Value | undefined): string => (typeof value === "string" ? value : "");
