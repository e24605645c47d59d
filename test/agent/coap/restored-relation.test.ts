/** Observations that go on after a restart of ours. */
import { expect, test } from "vitest";
import type { RelationRecord } from "../../../agent/coap/exchange-types.js";
import { optionNumber } from "../../../agent/coap/option.js";
import {
  block,
  blockOf,
  bytes,
  type FacedOptions,
  faceEndpoint,
  server,
  settled,
  uintOf,
} from "./scripted-peer.js";

const token = Uint8Array.of(9, 9);
const record: RelationRecord = {
  peer: server,
  token,
  sequence: 41,
  request: { method: "GET", path: ["3", "0", "9"], accept: 110 },
};

function restarted(change: Partial<RelationRecord> = {}, options: FacedOptions = {}) {
  const ended: string[] = [];
  const facing = faceEndpoint({
    ...options,
    handler: {
      handle: ({ observe }) => ({ code: "2.05", ...(observe?.kind === "register" && { observe: true }) }),
      relationEnded: ({ key }) => void ended.push(key),
    },
  });
  const relation = facing.endpoint.restore({ ...record, ...change });
  if (relation === undefined) throw new Error("not restored");
  return { ...facing, relation, ended };
}

test("a restored relation says nothing by itself, and goes on with its token and Observe value", async () => {
  const { relation, heard, last } = restarted();
  expect([heard.length, relation.active, relation.sequence, relation.token]).toEqual([0, true, 41, token]);
  await relation.notify({ code: "2.05", payload: bytes(1) }, { confirmable: false });
  expect(last()).toMatchObject({ type: "NON", token });
  expect(uintOf(last(), optionNumber.observe)).toBe(42);
  expect(relation.sequence).toBe(42);
});

test("a restored relation ends like any other", async () => {
  const { relation, reply, last, ended } = restarted();
  void relation.notify({ code: "2.05" }, { confirmable: true });
  reply("RST", last());
  await settled();
  expect([relation.active, ended]).toEqual([false, [relation.key]]);
  const again = restarted();
  again.ask({ path: ["3", "0", "9"], token, observe: 1 });
  expect(again.relation.active).toBe(false);
});

test("a new registration with its token goes on from its Observe value", () => {
  const { relation, ask } = restarted();
  const answer = ask({ path: ["3", "0", "9"], token, observe: 0 });
  expect([relation.active, uintOf(answer, optionNumber.observe)]).toEqual([false, 42]);
});

test("a notification of a restored relation comes in blocks like the ones before", async () => {
  const { relation, ask, last } = restarted({ blockSize: 64 });
  await relation.notify({ code: "2.05", payload: bytes(100) }, { confirmable: false });
  expect(blockOf(last(), optionNumber.block2)).toBe("0/1/64");
  const second = ask({ path: ["3", "0", "9"], accept: 110, token: [7], block2: block(1, false, 64) });
  expect(second.payload).toEqual(bytes(36, 64));
});

test("a notification of a restored composite observation comes in blocks, asked for with its body or without", async () => {
  const body = bytes(5);
  const { relation, ask } = restarted({ request: { method: "FETCH", path: [], accept: 112, payload: body } });
  await relation.notify({ code: "2.05", payload: bytes(1100) }, { confirmable: false });
  const next = { method: "FETCH", path: [], accept: 112, block2: block(1, false, 1024) } as const;
  expect(ask({ ...next, payload: body }).payload).toHaveLength(76);
  expect(ask(next).payload).toHaveLength(76);
});

test("relations are not restored beyond the limit of a peer, nor after the end", () => {
  const { endpoint } = restarted({}, { limits: { relationsPerPeer: 1 } });
  expect(endpoint.restore({ ...record, token: bytes(3) })).toBeUndefined();
  endpoint.close();
  expect(endpoint.restore(record)).toBeUndefined();
});
