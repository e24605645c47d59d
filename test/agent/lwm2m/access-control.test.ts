import { describe, expect, test } from "vitest";
import {
  AccessControl,
  type AccessControlEntry,
  type Right,
  rights,
  rightsOf,
} from "../../../agent/lwm2m/access-control.js";
import { MAX_ID, type Path } from "../../../agent/model/path.js";

/** Object Instance /9/0 of Server 1, with what the test says in its ACL. */
const entryWith = (acl: Record<number, number>, owner = 1): AccessControlEntry => ({
  objectId: 9,
  objectInstanceId: 0,
  owner,
  acl: new Map(Object.entries(acl).map(([id, sum]) => [Number(id), sum])),
});

describe("the rights on an instance", () => {
  const { read, write, execute } = rights;
  const everything = 15;
  test.each([
    { rule: "without an entry there are none", entries: [], server: 1, sum: 0 },
    { rule: "the owner has all of them", entries: [entryWith({})], server: 1, sum: everything },
    {
      rule: "the owner has all of them beside the sums of others",
      entries: [entryWith({ 2: read, 0: write })],
      server: 1,
      sum: everything,
    },
    {
      rule: "the owner's own sum counts, should it be less",
      entries: [entryWith({ 1: read })],
      server: 1,
      sum: read,
    },
    { rule: "the owner's own sum counts, should it be 0", entries: [entryWith({ 1: 0 })], server: 1, sum: 0 },
    {
      rule: "another Server has its sum",
      entries: [entryWith({ 2: read | execute, 0: write })],
      server: 2,
      sum: read | execute,
    },
    {
      rule: "a sum of 0 shuts out, whatever the default says",
      entries: [entryWith({ 2: 0, 0: everything })],
      server: 2,
      sum: 0,
    },
    {
      rule: "another Server without a sum has the default",
      entries: [entryWith({ 2: read, 0: write })],
      server: 3,
      sum: write,
    },
    {
      rule: "without a default it has none",
      entries: [entryWith({ 2: read })],
      server: 3,
      sum: 0,
    },
    {
      rule: "the Bootstrap-Server's entries have no owner among the Servers",
      entries: [entryWith({}, MAX_ID)],
      server: 1,
      sum: 0,
    },
  ])("$rule", ({ entries, server, sum }) => {
    expect(rightsOf(entries, server, 9, 0)).toBe(sum);
  });
});

describe("access control", () => {
  const entries: AccessControlEntry[] = [
    { objectId: 9, objectInstanceId: 0, owner: 1, acl: new Map([[2, rights.read]]) },
    { objectId: 9, objectInstanceId: MAX_ID, owner: MAX_ID, acl: new Map([[2, rights.create]]) },
    { objectId: 3, objectInstanceId: 0, owner: MAX_ID, acl: new Map([[0, rights.read]]) },
  ];
  const controlOf = (severalServers: boolean, held: readonly AccessControlEntry[] = entries) =>
    new AccessControl({
      severalServers: () => severalServers,
      entries: {
        entries: () => held,
        entry: (id) => entries[id],
        create: () => undefined,
        remove: () => undefined,
      },
    });
  const origin = (shortServerId: number) => ({ shortServerId, version: "1.1" }) as const;

  test.each<{ server: number; right: Right; path: Path; allowed: boolean; why: string }>([
    { server: 2, right: "read", path: [9, 0], allowed: true, why: "its sum" },
    { server: 2, right: "read", path: [9, 0, 1, 2], allowed: true, why: "what is inside an instance" },
    { server: 2, right: "write", path: [9, 0, 1], allowed: false, why: "its sum" },
    { server: 1, right: "delete", path: [9, 0], allowed: true, why: "the owner" },
    { server: 3, right: "read", path: [9, 0], allowed: false, why: "nobody said so" },
    { server: 3, right: "read", path: [9], allowed: true, why: "instances are asked for one by one" },
    { server: 2, right: "create", path: [9], allowed: true, why: "the entry with 65535" },
    { server: 1, right: "create", path: [9], allowed: false, why: "owning an instance is not enough" },
    { server: 1, right: "read", path: [3, 0], allowed: true, why: "the default" },
    { server: 1, right: "read", path: [1, 0], allowed: false, why: "there is no exception for Server" },
    { server: 3, right: "read", path: [2, 0], allowed: true, why: "everybody may see the rights" },
    { server: 1, right: "write", path: [2, 0, 2], allowed: true, why: "the owner" },
    { server: 2, right: "write", path: [2, 0, 2], allowed: false, why: "not the owner" },
    { server: 1, right: "write", path: [2, 1, 2], allowed: false, why: "the Bootstrap-Server's" },
    { server: 1, right: "create", path: [2], allowed: false, why: "entries follow what they control" },
    { server: 1, right: "delete", path: [2, 0], allowed: false, why: "entries follow what they control" },
  ])("Server $server, $right, $path: $allowed ($why)", ({ server, right, path, allowed }) => {
    expect(controlOf(true).allows(origin(server), path, right)).toBe(allowed);
  });

  test.each([
    { when: "with one Server Account", control: controlOf(false) },
    { when: "without any instance of Object 2", control: controlOf(true, []) },
  ])("$when everything is allowed", ({ control }) => {
    for (const right of Object.keys(rights) as Right[]) {
      expect(control.allows(origin(7), [9, 4], right)).toBe(true);
    }
  });
});
