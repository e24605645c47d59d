import { readFileSync } from "node:fs";

export interface ProgramIdentity {
  readonly version: string;
  /** A digest of the code, in programs that come as one file. */
  readonly build: string | undefined;
}

/** Of this program, as package.json says. */
export function programIdentity(): ProgramIdentity {
  const { version, build } = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  ) as { version: string; build?: string };
  return { version, build };
}

export const programVersion = (): string => programIdentity().version;
