/** CoAP pings of ours (RFC 7252 §4.3). */
import { describe, expect, test } from "vitest";
import { seconds } from "../../../agent/ports.js";
import { faceEndpoint, only, server, settled, stranger } from "./scripted-peer.js";

describe("a ping", () => {
  for (const answer of ["RST", "ACK"] as const) {
    test(`is an empty Confirmable message that a ${answer} answers`, async () => {
      const { endpoint, heard, reply, clock } = faceEndpoint();
      const ping = endpoint.ping(server);
      expect(only(heard)).toMatchObject({ type: "CON", code: 0, token: new Uint8Array() });
      expect(only(heard).bytes).toHaveLength(4);
      reply(answer, only(heard));
      await expect(ping).resolves.toBeUndefined();
      expect(clock.pending).toBe(0);
    });
  }

  test("is not answered by another peer", async () => {
    const { endpoint, last, reply, clock } = faceEndpoint();
    const ping = endpoint.ping(server).catch((error: Error) => error);
    reply("RST", last(), stranger);
    await clock.advance(seconds(94));
    expect(await ping).toMatchObject({ name: "ExchangeError", reason: "timeout" });
  });

  test("is repeated like any Confirmable message, then given up", async () => {
    const { endpoint, heard, clock } = faceEndpoint({ transmission: { ackRandomFactor: 1 } });
    const ping = endpoint.ping(server).catch((error: Error) => error);
    await clock.advance(seconds(62));
    expect(heard.map(({ at }) => at)).toEqual([0, 2000, 6000, 14_000, 30_000]);
    expect(await ping).toMatchObject({ reason: "timeout" });
  });

  test("waits for a request that is on its way, as NSTART says", async () => {
    const { endpoint, heard, say, reply, last } = faceEndpoint();
    const request = endpoint.request(server, { method: "GET", path: [] });
    await settled();
    const ping = endpoint.ping(server);
    expect(heard).toHaveLength(1);
    say({ type: "ACK", code: "2.05", messageId: last().messageId, token: last().token });
    await request;
    reply("RST", last());
    await ping;
    expect(heard.map(({ code }) => code)).toEqual([1, 0]);
  });

  test("ends with the reason of its signal, before and after it went out", async () => {
    const { endpoint, heard, clock } = faceEndpoint();
    const reason = new Error("no more");
    await expect(endpoint.ping(server, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const abort = new AbortController();
    const ping = endpoint.ping(server, { signal: abort.signal });
    abort.abort(reason);
    await expect(ping).rejects.toBe(reason);
    await clock.advance(seconds(100));
    expect([heard.length, clock.pending]).toEqual([1, 0]);
  });

  test("ends when the endpoint closes, and is not sent after that", async () => {
    const { endpoint, heard } = faceEndpoint();
    const pings = [endpoint.ping(server), endpoint.ping(server)];
    endpoint.close();
    for (const ping of [...pings, endpoint.ping(server)]) {
      await expect(ping).rejects.toMatchObject({ reason: "closed" });
    }
    expect(heard).toHaveLength(1);
  });
});
