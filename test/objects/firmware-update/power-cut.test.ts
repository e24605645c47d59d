import { describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import type { FirmwareUpdateOptions } from "../../../objects/firmware-update/object.js";
import { goodUri, trialBy, unhealthy, World } from "./world.js";

type Interruption = "power cut" | "agent killed";

interface Story {
  readonly world: World;
  /** Every state and result that a Server saw, without repetitions. */
  readonly seen: readonly string[];
  readonly lives: number;
}

/**
 * A Server that wants version 2.0 on the board, and a board that is interrupted at the given moments: before or after
 * any read, write, download, installation step. After each interruption a fresh agent finds what the last one left.
 */
async function update(
  moments: readonly number[],
  interruption: Interruption,
  { push = false, ...options }: { push?: boolean } & Partial<FirmwareUpdateOptions> = {},
): Promise<Story> {
  const world = new World();
  const cuts = new Set(moments);
  world.cut = (moment) => cuts.has(moment);
  const seen: string[] = [];
  for (let lives = 1; lives <= 20; lives++) {
    const agent = world.agent(options);
    let ready = false;
    void agent.start().then(() => {
      ready = true;
    });
    while (!world.isCut && !world.restarting) {
      await agent.clock.advance(seconds(1));
      if (!ready || world.isCut) continue;
      const status = await agent.status();
      if (status !== seen.at(-1)) seen.push(status);
      expect(untruth(status, world)).toBeUndefined();
      if (status === "0/1" || status === "0/8" || status === "2/8") return { world, seen, lives };
      askFor(agent, status, push);
    }
    if (world.restarting || interruption === "power cut") world.boot();
    else world.kill();
  }
  throw new Error(`no end in sight: ${seen.join(" ")}`);
}

/** What the Server does next; its requests may be lost with the agent. */
function askFor(agent: ReturnType<World["agent"]>, status: string, push: boolean): void {
  const begin = async () => {
    if (!push) return agent.write("packageUri", goodUri);
    const sink = await agent.receive("package", 3);
    await sink.write(Buffer.from("2.0"));
    await sink.end();
  };
  if (status === "0/0" || status === "0/4") void begin();
  if (status === "2/0") void agent.execute("update");
}

/** Why a status must not be seen in this world. */
function untruth(status: string, { running, staying, package: kept }: World): string | undefined {
  if (status === "0/1" && (running !== "2.0" || staying !== "2.0"))
    return "success, but the new image does not stay";
  if (status.endsWith("/8") && running !== "1.0") return "failure, but the new image runs";
  if (status.startsWith("2") && kept === undefined) return "Downloaded, but there is no package";
  return undefined;
}

async function momentsOf(options: Parameters<typeof update>[2]): Promise<number> {
  const { world, seen } = await update([], "power cut", options);
  expect(seen.at(-1)).toBe("0/1");
  return world.moments;
}

const interruptions: readonly Interruption[] = ["power cut", "agent killed"];

/** The operator's word is one more step of the first story; that the others bear two cuts is shown without it. */
const asking = { gate: { before: async () => "go" as const, after: async () => {} } };

describe.each([
  { how: "pulled", options: {}, twice: interruptions },
  { how: "pushed", options: { push: true }, twice: interruptions },
  { how: "tried out", options: { trial: trialBy(async () => {}) }, twice: interruptions },
  { how: "allowed by the operator", options: asking, twice: [] },
])("a package that is $how", ({ options, twice }) => {
  test.each<Interruption>(interruptions)(
    "is installed although interrupted once, at any moment (%s)",
    async (kind) => {
      const total = await momentsOf(options);
      expect(total).toBeGreaterThan(40);
      let interrupted = 0;
      for (let moment = 0; moment < total; moment++) {
        const { seen, lives } = await update([moment], kind, options);
        expect(`${moment}: ${seen.at(-1)}`).toBe(`${moment}: 0/1`);
        if (lives > 2) interrupted += 1;
      }
      // Every moment before the last report costs a life; after it, nobody notices.
      expect(interrupted).toBeGreaterThan(total - 8);
    },
  );

  test.each<Interruption>(twice)("ends truthfully when interrupted twice (%s)", async (kind) => {
    const total = await momentsOf(options);
    for (let first = 0; first < total; first++) {
      for (let second = first + 1; second < total + 10; second += 3) {
        const { seen } = await update([first, second], kind, options);
        expect(["0/1", "0/8", "2/8"]).toContain(seen.at(-1));
      }
    }
  });
});

test("a package that fails its trial leads back to the old image, whenever the power is cut", async () => {
  const options = { trial: unhealthy, maxResumes: 0 };
  const { world, seen } = await update([], "power cut", options);
  expect(seen.at(-1)).toBe("0/8");
  for (let moment = 0; moment < world.moments; moment++) {
    const story = await update([moment], "power cut", options);
    expect(`${moment}: ${story.seen.at(-1)}`).toMatch(/: (0|2)\/8$/);
    expect(story.world.running).toBe("1.0");
  }
});
