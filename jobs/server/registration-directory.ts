/** Who is registered: locations, lifetimes, and the events that follow from them. Time comes from the Clock alone. */
import { setMaxListeners } from "node:events";
import { RequestError } from "../../agent/model/errors.js";
import {
  type Clock,
  type Log,
  type Millis,
  millis,
  type Random,
  seconds,
  type Timer,
} from "../../agent/ports.js";
import type { DeviceEvent, RegisteredDevice } from "../device-gateway.js";
import type { LwM2mVersion, Registration, RegistrationUpdate } from "./registration-request.js";

export interface Source {
  readonly address: string;
  readonly port: number;
}

export interface RegistrationDirectoryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

interface Entry {
  readonly id: string;
  device: RegisteredDevice & { readonly lwm2mVersion: LwM2mVersion };
  expiry: Timer | undefined;
  heardAt: Millis;
  /** Fires when this registration is no more, with the reason as a device event. */
  readonly ended: AbortController;
}

/** LwM2M Core 1.2 §6.5: how long a device in queue mode listens after it was heard: MAX_TRANSMIT_WAIT. */
const awakeTime = seconds(93);
/** Anyone may register; memory is not for anyone to fill. */
const maxDevices = 10_000;

export class RegistrationDirectory {
  readonly #options: RegistrationDirectoryOptions;
  readonly #byId = new Map<string, Entry>();
  readonly #byName = new Map<string, Entry>();
  /** Of all that have ever registered, the oldest first. */
  readonly #known = new Set<string>();
  readonly #listeners = new Set<(event: DeviceEvent) => void>();

  constructor(options: RegistrationDirectoryOptions) {
    this.#options = options;
  }

  /** @returns the id of the registration, for its location */
  register(registration: Registration, { address, port }: Source): string {
    const { clock, random } = this.#options;
    const { endpointName } = registration;
    const previous = this.#byName.get(endpointName);
    if (previous === undefined && this.#byName.size >= maxDevices) {
      throw new RequestError("5.03", `${maxDevices} devices are registered`);
    }
    if (previous !== undefined) this.#remove(previous, "registered");
    // Not to be guessed: whoever knows it can de-register the device.
    const id = Buffer.from(random.bytes(8)).toString("hex");
    const entry: Entry = {
      id,
      device: { ...registration, address, port, registeredAt: clock.date() },
      expiry: undefined,
      heardAt: clock.now(),
      ended: new AbortController(),
    };
    setMaxListeners(0, entry.ended.signal); // as many as there are requests and observations; no leak
    this.#byId.set(id, entry);
    this.#byName.set(endpointName, entry);
    this.#remember(endpointName);
    this.#expireLater(entry);
    this.#emit({ type: "registered", device: entry.device, isReregistration: previous !== undefined });
    return id;
  }

  /** The version that was registered under this id; undefined when there is no such registration. */
  versionOf(id: string): LwM2mVersion | undefined {
    return this.#byId.get(id)?.device.lwm2mVersion;
  }

  /** Also moves the device to where the Update came from: its address may change while it sleeps. */
  update(id: string, changes: RegistrationUpdate, { address, port }: Source): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    entry.device = { ...entry.device, ...changes, address, port };
    entry.heardAt = this.#options.clock.now();
    this.#expireLater(entry);
    this.#emit({ type: "updated", device: entry.device });
    return true;
  }

  deregister(id: string): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    this.#remove(entry, "deregistered");
    this.#emit({ type: "deregistered", device: entry.device });
    return true;
  }

  devices(): readonly RegisteredDevice[] {
    return [...this.#byName.values()]
      .map(({ device }) => device)
      .sort((a, b) => nameOrder.compare(a.endpointName, b.endpointName));
  }

  device(endpointName: string): RegisteredDevice | undefined {
    return this.#byName.get(endpointName)?.device;
  }

  /** Fires when the registration that the device has now has ended; the reason is the type of the DeviceEvent. */
  ended(endpointName: string): AbortSignal | undefined {
    return this.#byName.get(endpointName)?.ended.signal;
  }

  isKnown(endpointName: string): boolean {
    return this.#known.has(endpointName);
  }

  isReachable(endpointName: string): boolean {
    const entry = this.#byName.get(endpointName);
    if (entry === undefined) return false;
    return !entry.device.queueMode || this.#options.clock.now() - entry.heardAt < awakeTime;
  }

  /** Something came from the device that was not about its registration. */
  heard(endpointName: string): void {
    const entry = this.#byName.get(endpointName);
    if (entry !== undefined) entry.heardAt = this.#options.clock.now();
  }

  onEvent(listener: (event: DeviceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    for (const entry of this.#byId.values()) {
      entry.expiry?.cancel();
      entry.ended.abort("deregistered");
    }
    this.#byId.clear();
    this.#byName.clear();
    this.#listeners.clear();
  }

  #expireLater(entry: Entry): void {
    entry.expiry?.cancel();
    const { lifetimeSeconds } = entry.device;
    if (lifetimeSeconds === 0) return;
    entry.expiry = this.#options.clock.after(millis(lifetimeSeconds * 1000), () => {
      this.#remove(entry, "expired");
      this.#emit({ type: "expired", device: entry.device });
    });
  }

  #remove(entry: Entry, reason: DeviceEvent["type"]): void {
    entry.expiry?.cancel();
    this.#byId.delete(entry.id);
    this.#byName.delete(entry.device.endpointName);
    entry.ended.abort(reason);
  }

  #remember(endpointName: string): void {
    this.#known.delete(endpointName);
    this.#known.add(endpointName);
    if (this.#known.size <= 2 * maxDevices) return;
    for (const name of this.#known) {
      if (this.#byName.has(name)) continue;
      this.#known.delete(name);
      return;
    }
  }

  #emit(event: DeviceEvent): void {
    const { endpointName, address, port } = event.device;
    this.#options.log.info(`device ${event.type}`, { endpointName, address, port });
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (fault) {
        this.#options.log.error("a listener to device events failed", { fault });
      }
    }
  }
}

/** device-2 before device-10. */
const nameOrder = new Intl.Collator("en", { numeric: true });
