import { randomBytes } from "node:crypto";
import type { Random } from "../agent/ports.js";

export const systemRandom: Random = {
  // Spreads retransmissions and retries; nobody gains by guessing it.
  fraction: Math.random,
  bytes: randomBytes,
};
