import type { Random } from "../../agent/ports.js";

/** Reproducible chance (mulberry32). Not for keys. */
export function createSeededRandom(seed: number): Random & { integer(below: number): number } {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const integer = (below: number) => Math.floor(fraction() * below);
  return { fraction, integer, bytes: (length) => Uint8Array.from({ length }, () => integer(256)) };
}
