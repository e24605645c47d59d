import { describe, expect, test } from "vitest";
import type { ResourceContent } from "../../../agent/model/value.js";
import {
  type AccountContent,
  withInstance,
  withoutInstance,
  withValue,
} from "../../../objects/accounts/content.js";
import { type Abilities, problemsOf } from "../../../objects/accounts/validation.js";
import { instance, securityOf, serverOf } from "../../agent/lwm2m/bootstrap/world.js";

const abilities: Abilities = { unsupported: () => undefined, oscore: true };

const bytes = (length: number) => new Uint8Array(length).fill(7);

/** Two Servers, each with an OSCORE context or none, a Bootstrap-Server, and an entry of Access Control. */
const consistent = [
  put([0, 0], securityOf(101)),
  put([0, 1], securityOf(102)),
  put([0, 2], instance([0, "coap://bootstrap.example"], [1, true], [2, 3])),
  set([0, 1, 17], { objectId: 21, objectInstanceId: 4 }),
  put([1, 0], serverOf(101)),
  put([1, 1], serverOf(102)),
  put([2, 0], instance([0, 3], [1, 0], [2, new Map([[101, 1]])], [3, 102])),
  put([21, 4], instance([0, bytes(16)], [1, bytes(1)], [2, bytes(1)])),
].reduce<AccountContent>((content, change) => change(content), new Map());

type Change = (content: AccountContent) => AccountContent;

function put(
  [objectId, id]: readonly [number, number],
  resources: ReadonlyMap<number, ResourceContent>,
): Change {
  return (content) => withInstance(content, objectId, id, resources);
}
function without(objectId: number, id: number): Change {
  return (content) => withoutInstance(content, objectId, id);
}
function set(path: readonly [number, number, number], value: ResourceContent | undefined): Change {
  return (content) => withValue(content, path, value);
}

const problemsAfter = (changes: readonly Change[], changed: Partial<Abilities> = {}) =>
  problemsOf(
    changes.reduce((content, change) => change(content), consistent),
    { ...abilities, ...changed },
  );

const [psk, rawPublicKey, certificate, noSec, est] = [0, 1, 2, 3, 4];
const keys = (mode: number, own: number, server: number, secret: number): Change[] => [
  set([0, 0, 2], mode),
  set([0, 0, 3], bytes(own)),
  set([0, 0, 4], bytes(server)),
  set([0, 0, 5], bytes(secret)),
];
const link = (objectId: number, objectInstanceId: number) => ({ objectId, objectInstanceId });

describe("accounts are consistent with", () => {
  test.each<[string, Change[]]>([
    ["two Servers and a Bootstrap-Server", []],
    ["no Bootstrap-Server", [without(0, 2)]],
    ["no Access Control", [without(2, 0)]],
    ["an entry of Access Control that the Bootstrap-Server owns", [set([2, 0, 3], 65535)]],
    ["an entry of Access Control without any right", [set([2, 0, 2], undefined)]],
    ["a context of OSCORE that nobody uses", [set([0, 1, 17], undefined)]],
    [
      "a link to nowhere in the place of OSCORE, MQTT and COSE",
      [
        set([0, 0, 17], link(65535, 65535)),
        set([0, 0, 26], link(65535, 65535)),
        set([0, 0, 27], new Map([[0, link(65535, 65535)]])),
      ],
    ],
    ["the longest identity and key of PSK", keys(psk, 128, 0, 64)],
    ["raw public keys", keys(rawPublicKey, 91, 91, 138)],
    ["certificates", keys(certificate, 500, 500, 138)],
    [
      "no keys without security",
      [set([0, 0, 3], undefined), set([0, 0, 4], undefined), set([0, 0, 5], undefined)],
    ],
    ["no keys before an enrolment", keys(est, 0, 0, 0)],
  ])("%s", (_, changes) => {
    expect(problemsAfter(changes)).toEqual([]);
  });
});

describe("what is wrong with an account:", () => {
  const fewerPsk = "/0/0 lacks a PSK identity or key, or one is too long";
  const fewerKeys = "/0/0 lacks a key of its own or of the Server";
  test.each<[string, Change[], string[]]>([
    [
      "no Server URI",
      [set([0, 2, 0], undefined)],
      ["/0/2 lacks its Server URI, Bootstrap-Server flag or Security Mode"],
    ],
    [
      "no Bootstrap-Server flag",
      [set([0, 2, 1], undefined)],
      ["/0/2 lacks its Server URI, Bootstrap-Server flag or Security Mode"],
    ],
    [
      "no Security Mode",
      [set([0, 2, 2], undefined)],
      ["/0/2 lacks its Server URI, Bootstrap-Server flag or Security Mode"],
    ],
    [
      "no Short Server ID",
      [set([0, 0, 10], undefined)],
      ["/0/0 lacks its Short Server ID", "Server 101 has no instance of Security"],
    ],
    ["PSK without an identity", keys(psk, 0, 0, 16), [fewerPsk]],
    ["PSK without a key", keys(psk, 5, 0, 0), [fewerPsk]],
    ["PSK with an identity that is too long", keys(psk, 129, 0, 16), [fewerPsk]],
    ["PSK with a key that is too long", keys(psk, 5, 0, 65), [fewerPsk]],
    ["a raw public key that is missing", keys(rawPublicKey, 0, 91, 138), [fewerKeys]],
    ["a raw public key of the Server that is missing", keys(rawPublicKey, 91, 0, 138), [fewerKeys]],
    ["a raw public key without its secret", keys(rawPublicKey, 91, 91, 0), [fewerKeys]],
    ["a certificate that is missing", keys(certificate, 0, 500, 138), [fewerKeys]],
    ["a certificate of the Server that is missing", keys(certificate, 500, 0, 138), [fewerKeys]],
    ["a certificate without its secret", keys(certificate, 500, 500, 0), [fewerKeys]],
    ["MQTT", [set([0, 0, 26], link(24, 0))], ["/0/0 leads to an MQTT or COSE Object that is not there"]],
    [
      "COSE",
      [set([0, 0, 27], new Map([[3, link(23, 0)]]))],
      ["/0/0 leads to an MQTT or COSE Object that is not there"],
    ],
  ])("%s", (_, changes, problems) => {
    expect(problemsAfter(changes)).toEqual(problems);
  });

  test("a Server that this client has no way to", () => {
    const unsupported = (uri: string, mode: number) =>
      uri.startsWith("coaps:") || mode !== noSec ? `no way to ${uri} with mode ${mode}` : undefined;
    const changes = [set([0, 0, 0], "coaps://server.example"), ...keys(psk, 5, 0, 16)];
    expect(problemsAfter(changes, { unsupported })).toEqual([
      "/0/0: no way to coaps://server.example with mode 0",
    ]);
  });
});

describe("what does not fit together:", () => {
  test.each<[string, Change[], string[]]>([
    [
      "nothing but the Bootstrap-Server",
      [without(0, 0), without(0, 1), without(1, 0), without(1, 1), without(2, 0)],
      ["there is no Server account"],
    ],
    [
      "a second Bootstrap-Server",
      [put([0, 3], instance([0, "coap://more.example"], [1, true], [2, 3]))],
      ["there is more than one Bootstrap-Server account"],
    ],
    [
      "a Short Server ID of two accounts",
      [put([0, 3], securityOf(101))],
      ["two accounts have the Short Server ID 101"],
    ],
    [
      "a Short Server ID of two instances of Server",
      [put([1, 7], serverOf(101))],
      ["two instances of Server have the Short Server ID 101"],
    ],
    ["an account without its instance of Server", [without(1, 0)], ["Server 101 has no instance of Server"]],
    [
      "an instance of Server without its account",
      [without(0, 0)],
      ["Server 101 has no instance of Security"],
    ],
    [
      "an instance of Server for the Bootstrap-Server",
      [put([1, 2], serverOf(103))],
      ["Server 103 has no instance of Security"],
    ],
    ["a link to no context of OSCORE", [without(21, 4)], ["/0/1 leads to no instance of OSCORE"]],
    [
      "a link of OSCORE to another Object",
      [set([0, 1, 17], link(1, 4))],
      ["/0/1 leads to no instance of OSCORE"],
    ],
    ["a context of OSCORE for two accounts", [set([0, 0, 17], link(21, 4))], ["two accounts share /21/4"]],
    [
      "two entries of Access Control about one instance",
      [put([2, 5], instance([0, 3], [1, 0], [3, 65535]))],
      ["two instances of Access Control are about /3/0"],
    ],
    [
      "an owner that is no Server",
      [set([2, 0, 3], 103)],
      ["Access Control has the owner 103, who is no Server"],
    ],
  ])("%s", (_, changes, problems) => {
    expect(problemsAfter(changes)).toEqual(problems);
  });

  test("OSCORE, for a client that cannot do it", () => {
    expect(problemsAfter([], { oscore: false })).toEqual(["/0/1 needs OSCORE, which this client cannot do"]);
  });
});

describe("a mandatory Resource that is not there:", () => {
  test.each([
    [1, 0, 0, "Server 101 has no instance of Server"],
    [1, 0, 1],
    [1, 0, 6],
    [1, 0, 7],
    [2, 0, 0],
    [2, 0, 1],
    [2, 0, 3],
    [21, 4, 0],
    [21, 4, 1],
    [21, 4, 2],
  ] as const)("/%i/%i/%i", (objectId, instanceId, resourceId, ...more) => {
    const problems = problemsAfter([set([objectId, instanceId, resourceId], undefined)]);
    expect(problems).toEqual([`/${objectId}/${instanceId}/${resourceId} is missing`, ...more]);
  });
});

test("everything that is wrong is said at once", () => {
  const changes = [set([0, 0, 10], undefined), set([1, 1, 6], undefined), set([2, 0, 3], 7), without(21, 4)];
  expect(problemsAfter(changes)).toHaveLength(5);
});
