/**
 * GET /3/0/0: the agent, a bare UDP echo and a minimal server on the `coap` package, each in a process of its own, in
 * turn. The load comes from this process.
 */
import { type Figure, median, residentMegabytes } from "./child.js";
import { createLoad, getRequest, measure, perSecond } from "./load.js";
import { portOf, startAgent, startCoapPackage, startEcho } from "./peers.js";

const rounds = 7;
const soakSeconds = 30;
const manufacturer = getRequest("300");

export async function benchRequests(): Promise<Figure[]> {
  const load = await createLoad();
  const agent = await startAgent(load.port);
  const agentPort = await load.registered;
  const echo = await startEcho();
  const rates: Record<"agent" | "echo" | "coap", number[]> = { agent: [], echo: [], coap: [] };
  try {
    for (let round = 0; round < rounds; round++) {
      rates.agent.push(await measure(load, agentPort, manufacturer));
      rates.echo.push(await measure(load, portOf(echo), manufacturer));
      // It works on after its load, on what it has to forget, and would slow the next: each round has one of its own.
      const coap = await startCoapPackage();
      rates.coap.push(await measure(load, portOf(coap), manufacturer));
      await coap.stop();
    }
    const samples: number[] = [];
    const sampling = setInterval(() => samples.push(residentMegabytes(agent.pid)), 500);
    await load.run(agentPort, manufacturer, soakSeconds);
    clearInterval(sampling);
    // Garbage comes and goes by ten megabytes: medians of the first and the last third tell whether it grows.
    const third = Math.floor(samples.length / 3);
    const before = median(samples.slice(0, third));
    const after = median(samples.slice(-third));
    const [ours, bare, other] = [median(rates.agent), median(rates.echo), median(rates.coap)];
    // Round by round: what else the machine does then slows both sides of a ratio.
    const ratioTo = (reference: readonly number[]) =>
      median(rates.agent.map((rate, round) => rate / (reference[round] ?? Number.NaN)));
    return [
      {
        text: `GET /3/0/0: agent ${perSecond(ours)}, bare UDP echo ${perSecond(bare)}: ratio ${ratioTo(rates.echo).toFixed(2)} (at least 0.5)`,
        holds: ratioTo(rates.echo) >= 0.5,
      },
      {
        text: `GET /3/0/0: server on the coap package ${perSecond(other)}: ratio ${ratioTo(rates.coap).toFixed(1)} (at least 3)`,
        holds: ratioTo(rates.coap) >= 3,
      },
      {
        text: `RSS of the agent over ${soakSeconds} s of load: ${before.toFixed(0)} MB in its first third, ${after.toFixed(0)} MB in its last (flat: within 10 MB)`,
        holds: after - before < 10,
      },
    ];
  } finally {
    await Promise.all([agent.stop(), echo.stop()]);
    load.close();
  }
}
