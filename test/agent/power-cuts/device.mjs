// A device and its Server in one process that may be killed at any moment, and goes on with what is on disk:
//
//   node --import effects.mjs device.mjs DIRECTORY PACKAGE-URI STORY…
//
// Each STORY is JSON: { folder, cutAt?, sameBoot? }. The first one may have been begun by a process that was killed; `sameBoot`
// says that the board went on meanwhile. A story is an
// update from version 1.0 to 2.0: the Server writes the Package URI, the package is fetched, the board installs it and
// restarts, the new image is tried out and stays. One line of JSON is written when a story begins and when it has ended.
import { join } from "node:path";
import { createAgent } from "../../../dist/agent/main.js";
import { millis, seconds } from "../../../dist/agent/ports.js";
import { resourceContent, resourceIn } from "../../../dist/jobs/device-gateway.js";
import { createManagementServer } from "../../../dist/jobs/server/management-server.js";
import { createSimulatedBoard } from "../../../dist/platform/boards/simulated.js";
import { createSystemClock } from "../../../dist/platform/clock.js";
import { systemRandom } from "../../../dist/platform/random.js";

const [directory, packageUri, ...stories] = process.argv.slice(2);
const clock = createSystemClock();
const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** A request that a restart swallowed is made again soon. */
const requestTimeout = seconds(5);
const server = await createManagementServer({
  clock,
  random: systemRandom,
  log: silent,
  port: 0,
  requestTimeout,
});
const name = "device";
const paths = {
  packageUri: [5, 0, 1],
  update: [5, 0, 2],
  state: [5, 0, 3],
  result: [5, 0, 5],
  firmwareVersion: [3, 0, 3],
};
const read = async (path) => resourceIn(await server.read(name, path), path);

/** What the Server does: begins the update, executes it, and waits for the report. It reads, and believes nothing else. */
async function manage() {
  const seen = [];
  let asked;
  for (;;) {
    try {
      const object = await server.read(name, [5, 0]); // as one, so that no State meets the Result of the next
      const [state, result] = [resourceIn(object, paths.state), resourceIn(object, paths.result)];
      const status = `${state}/${result}`;
      if (status !== seen.at(-1)) {
        seen.push(status);
        process.stderr.write(`${status} at ${Math.round(performance.now())} ms\n`);
        asked = undefined;
      }
      const version = await read(paths.firmwareVersion);
      if (status === "0/1" || (asked === undefined && isFailure(state, result))) return { seen, version };
      if (asked !== status && (status === "0/0" || status === "0/4")) {
        asked = status;
        await server.write(name, paths.packageUri, resourceContent(paths.packageUri, packageUri), "replace");
      }
      if (asked !== status && status === "2/0") {
        asked = status;
        await server.execute(name, paths.update);
      }
    } catch (error) {
      asked = undefined; // it restarts, or does not listen yet
      if (!String(error).includes("not registered")) process.stderr.write(`${error}\n`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A push or a download that is lost is begun again by the Server; everything else is an end. */
const isFailure = (state, result) => (state === 0 || state === 2) && result !== 0 && result !== 4;

async function live({ folder, cutAt, sameBoot = false }) {
  const home = join(directory, folder);
  let agent;
  let turn = Promise.resolve();
  const board = createSimulatedBoard({
    directory: join(home, "board"),
    firmwareVersion: "1.0",
    clock,
    random: systemRandom,
    applyDuration: millis(20),
    onRestart() {
      effects.happened();
      turn = turn.then(async () => {
        await agent.abandon();
        await switchOn();
      });
    },
  });
  async function switchOn({ boots = true } = {}) {
    if (boots) await board.boot();
    agent = await createAgent({
      endpointName: name,
      servers: [{ uri: server.uri, shortServerId: 1, lifetime: 300 }],
      board,
      stateDirectory: join(home, "state"),
      cacheDirectory: join(home, "cache"),
      log: silent,
      readings: {},
      firmware: {
        trial: {
          timeLimit: seconds(20),
          healthInterval: millis(50),
          connectivity: "required",
          maximumBoots: 5,
          health: async () => {},
        },
      },
    });
    await agent.start();
  }
  say({ event: "begun", folder });
  effects.cutAt(cutAt ?? Number.POSITIVE_INFINITY);
  await switchOn({ boots: !sameBoot });
  const end = await manage();
  const { lastOutcome } = agent.status().firmware;
  const moments = effects.count();
  effects.cutAt(Number.POSITIVE_INFINITY);
  await turn;
  await agent.stop();
  say({ event: "ended", folder, moments, reason: lastOutcome?.reason, ...end });
}

for (const story of stories) await live(JSON.parse(story));
await server.close();
