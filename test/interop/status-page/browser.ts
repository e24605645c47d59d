/** Chromium without a window: what a page comes to after its script has run, and how it looks. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Sight {
  /** The document as it stands then. */
  readonly dom: string;
  /** What the page or its policy complained of; its console. */
  readonly complaints: readonly string[];
}

export interface Window {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** How long the page runs, in its own time. */
  readonly milliseconds?: number;
}

/** @throws Error naming the Debian package when there is no Chromium */
async function chromium(
  url: string,
  { width = 412, height = 915, dark = false, milliseconds = 1500 }: Window,
  ...more: string[]
) {
  const profile = await mkdtemp(join(tmpdir(), "lwm2m-agent-chromium-"));
  try {
    return await run(
      "chromium",
      [
        "--headless",
        "--no-sandbox", // the tests run as root
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        `--user-data-dir=${profile}`,
        `--window-size=${width},${height}`,
        `--virtual-time-budget=${milliseconds}`,
        ...(dark ? ["--blink-settings=preferredColorScheme=0"] : []),
        ...more,
        url,
      ],
      { timeout: 90_000, maxBuffer: 1 << 24 },
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error("chromium is missing: install the Debian package chromium", { cause: error });
    }
    throw error;
  } finally {
    await rm(profile, { recursive: true, force: true });
  }
}

export async function look(url: string, window: Window = {}): Promise<Sight> {
  const { stdout, stderr } = await chromium(url, window, "--dump-dom");
  return { dom: stdout, complaints: stderr.split("\n").filter((line) => line.includes("CONSOLE")) };
}

export async function photograph(url: string, path: string, window: Window = {}): Promise<void> {
  await chromium(url, window, `--screenshot=${path}`);
}

/** What a person reads: the texts of a piece of HTML, one blank between them. */
export const textOf = (html: string): string =>
  html
    .replace(/<(style|script|noscript)\b[\s\S]*?<\/\1>/g, " ")
    .replace(/<[^>]*>/g, " ")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .replace(/\s+/g, " ")
    .trim();
