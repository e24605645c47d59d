/** Sockets that systemd opened for us, sd_listen_fds(3). */
import { ConfigError } from "../../agent/model/errors.js";

const firstDescriptor = 3;

/**
 * The descriptor of the one socket that was handed to this process; undefined when it was started in another way.
 * @throws ConfigError when there are several
 */
export function activatedSocket(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | undefined {
  if (env["LISTEN_PID"] !== `${pid}`) return undefined; // meant for somebody else, who started us
  const count = Number(env["LISTEN_FDS"]);
  if (count === 1) return firstDescriptor;
  throw new ConfigError(`the socket unit hands over ${env["LISTEN_FDS"]} sockets, and the helper takes one`);
}
