/** The requests of an agent that was taken over, and the answers of a helper that was. */
import { isDeepStrictEqual } from "node:util";
import { DecodeError } from "../../agent/model/errors.js";
import { PackageError } from "../../agent/ports.js";
import { createLineCutter } from "../../platform/boards/remote/lines.js";
import {
  formatError,
  formatProgress,
  formatRequest,
  formatResult,
  maximumRequest,
  parseAnswer,
  parseRequest,
  type Request,
  type Verb,
} from "../../platform/boards/remote/protocol.js";
import { mutate, pick } from "./mutate.js";
import type { Target } from "./target.js";

const image = { path: "/var/cache/lwm2m-agent/package", size: 1_000_000, sha256: "5f".repeat(32) };
const info = { name: "fw", version: "2.0" };

const requests: readonly Request[] = [
  { verb: "describe" },
  { verb: "restart" },
  { verb: "inspect", image },
  { verb: "apply", image, attempt: "5f0c-1" },
  {
    verb: "outcome",
    attempt: { id: "5f0c-1", package: info, image, bootId: "b-1", previousVersion: "1.0" },
  },
];

const answers: readonly (readonly [Verb, string])[] = [
  ["inspect", formatResult(info)],
  ["apply", formatResult("restart")],
  ["apply", formatProgress(0.5, "writing")],
  ["revert", formatError(new PackageError("storage", "no room"))],
  ["check", formatResult([{ level: "warning", found: "no watchdog", remedy: "turn it on" }])],
];

const encoder = new TextEncoder();

/** What an accepted request may say at most. */
function checkRequest(request: Request): void {
  if (!isDeepStrictEqual(parseRequest(formatRequest(request)), request))
    throw new Error("it changed on its way");
  if (!("image" in request)) return;
  const { path, size, sha256 } = request.image;
  if (!path.startsWith("/") || /[\0\n]/.test(path) || size < 0 || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new Error("a package that cannot be one");
  }
}

function refusing(parse: () => void): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

export const helper: Target = {
  name: "helper",
  weight: 2,
  begin(random) {
    const isRequest = random.fraction() < 0.7;
    const samples = isRequest
      ? requests.map((request) => encoder.encode(formatRequest(request)))
      : answers.map(([, line]) => encoder.encode(line));
    return {
      next: () => mutate(samples, random),
      take(input) {
        let isAccepted = false;
        const cutter = createLineCutter(maximumRequest, (line) => {
          const accepted = refusing(() => {
            if (isRequest) checkRequest(parseRequest(line));
            else parseAnswer(pick(answers, random)[0], line);
          });
          isAccepted ||= accepted;
        });
        const cut = random.integer(input.length + 1);
        cutter.push(input.subarray(0, cut));
        cutter.push(input.subarray(cut));
        return isAccepted;
      },
    };
  },
};
