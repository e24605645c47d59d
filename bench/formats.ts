/** One value as text, and the whole of /3/0 in TLV and in SenML CBOR, against a bare UDP echo. */
import { type Figure, median } from "./child.js";
import { createLoad, type GetRequest, getRequest, measure, perSecond } from "./load.js";
import { portOf, startAgent, startEcho } from "./peers.js";

const rounds = 5;

/** What is read, and which part of the rate of an echo it must reach. */
const reads: readonly { name: string; request: GetRequest; atLeast: number }[] = [
  { name: "/3/0/0 as text", request: getRequest("300", 0), atLeast: 0.5 },
  { name: "/3/0 in TLV", request: getRequest("30", 11542), atLeast: 0.15 },
  { name: "/3/0 in SenML CBOR", request: getRequest("30", 112), atLeast: 0.15 },
];

export async function benchFormats(): Promise<Figure[]> {
  const load = await createLoad();
  const agent = await startAgent(load.port);
  const agentPort = await load.registered;
  const echo = await startEcho();
  const figures: Figure[] = [];
  try {
    for (const { name, request, atLeast } of reads) {
      const rates: number[] = [];
      const ratios: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const rate = await measure(load, agentPort, request);
        rates.push(rate);
        ratios.push(rate / (await measure(load, portOf(echo), request)));
      }
      const ratio = median(ratios);
      figures.push({
        text: `GET ${name}: ${perSecond(median(rates))}, ratio to a bare UDP echo ${ratio.toFixed(2)} (at least ${atLeast})`,
        holds: ratio >= atLeast,
      });
    }
    return figures;
  } finally {
    await Promise.all([agent.stop(), echo.stop()]);
    load.close();
  }
}
