/** What stands for what the operator did not say. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Environment } from "./override.js";

/** Where the service is run. */
export interface Surroundings {
  readonly env: Environment;
  readonly uid: number;
  readonly hostname: string;
  /** Content of /etc/machine-id; empty when there is none. */
  readonly machineId: string;
}

export interface Directories {
  readonly state: string;
  readonly cache: string;
  readonly runtime: string;
}

const product = "lwm2m-agent";

/**
 * What systemd gives the unit; else /var and /run for root, and the folders of the XDG Base Directory Specification for
 * everybody else, who could not write there.
 */
export function defaultDirectories({ env, uid }: Pick<Surroundings, "env" | "uid">): Directories {
  const ofUnit = (name: string) => env[name]?.split(":")[0] || undefined;
  const home = env["HOME"] || "/";
  const ofUser = (name: string, ...fallback: readonly string[]) =>
    join(env[name] || join(home, ...fallback), product);
  const isRoot = uid === 0;
  const given = {
    state: ofUnit("STATE_DIRECTORY"),
    cache: ofUnit("CACHE_DIRECTORY"),
    runtime: ofUnit("RUNTIME_DIRECTORY"),
  };
  const isUnit = given.state !== undefined;
  const system = { state: `/var/lib/${product}`, cache: `/var/cache/${product}`, runtime: `/run/${product}` };
  const user = {
    state: ofUser("XDG_STATE_HOME", ".local", "state"),
    cache: ofUser("XDG_CACHE_HOME", ".cache"),
    runtime: env["XDG_RUNTIME_DIR"] ? join(env["XDG_RUNTIME_DIR"], product) : `/tmp/${product}-${uid}`,
  };
  const rest = isRoot || isUnit ? system : user;
  return {
    state: given.state ?? rest.state,
    cache: given.cache ?? rest.cache,
    runtime: given.runtime ?? rest.runtime,
  };
}

/** Names that images give to all of their boards. */
const commonNames =
  /^(localhost|raspberrypi|edison|debian|ubuntu|armbian|beaglebone|linux|\(none\)|unknown|)$/i;

/**
 * The host name. Where a whole series is called the same, with a part that is this machine's own and tells nothing of its
 * machine id (machine-id(5) wants it hashed).
 */
export function defaultEndpointName({ hostname, machineId }: Surroundings): string {
  const name = hostname.split(".")[0] ?? "";
  if (!commonNames.test(name)) return name;
  if (machineId === "") return name === "" ? product : name;
  const digest = createHash("sha256").update(`${product}:${machineId}`).digest("hex").slice(0, 12);
  return `${name === "" || name === "(none)" || name === "localhost" ? product : name.toLowerCase()}-${digest}`;
}
