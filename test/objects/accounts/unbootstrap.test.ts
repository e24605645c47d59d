import { describe, expect, test } from "vitest";
import { AccessControl } from "../../../objects/access-control.js";
import { type AccessControlEntry, accessControlIn } from "../../../objects/accounts/accounts.js";
import { type AccountContent, instanceContent, withInstance } from "../../../objects/accounts/content.js";
import { unbootstrap } from "../../../objects/accounts/unbootstrap.js";

/** The Bootstrap-Server, as an owner; as an Object Instance ID, that of an entry about creating instances. */
const nobody = 65535;
const [read, write, remove, create] = [1, 2, 8, 16];
const all = read + write + remove;

const entryOf = (
  owner: number,
  acl: Readonly<Record<number, number>>,
  objectInstanceId = 0,
): AccessControlEntry => ({
  objectId: 16,
  objectInstanceId,
  owner,
  acl: new Map(Object.entries(acl).map(([id, sum]) => [Number(id), sum])),
});

const contentOf = (...entries: readonly AccessControlEntry[]): AccountContent =>
  entries.reduce<AccountContent>(
    (content, entry, id) =>
      withInstance(content, AccessControl.id, id, instanceContent(AccessControl, { ...entry })),
    new Map(),
  );

/** Servers 1 and 2 go; 3, 4 and 5 stay. */
const gone = new Set([1, 2]);
const without = (entry: AccessControlEntry, canDelete = true) => {
  const { content, orphans } = unbootstrap(contentOf(entry), gone, () => canDelete);
  return { left: accessControlIn(content).map(([, one]) => one)[0], orphans };
};

describe("what nobody but Servers that have gone could access", () => {
  test.each([
    ["the owner, with rights by default", entryOf(1, {})],
    ["the owner, with rights of its own", entryOf(1, { 1: all })],
    ["two of them", entryOf(1, { 1: all, 2: read })],
    ["one to whom the Bootstrap-Server gave rights", entryOf(nobody, { 2: all })],
    ["one beside whom others are named without a right", entryOf(1, { 1: all, 3: 0, 0: 0 })],
  ])("goes with them: %s", (_, entry) => {
    expect(without(entry)).toEqual({ left: undefined, orphans: [[16, 0]] });
  });

  test("stays with the Bootstrap-Server where instances cannot be deleted", () => {
    expect(without(entryOf(1, { 1: all }), false)).toEqual({ left: entryOf(nobody, {}), orphans: [] });
  });

  test("stays where it is about creating instances, for there is none to delete", () => {
    expect(without(entryOf(nobody, { 1: create }, nobody))).toEqual({
      left: entryOf(nobody, {}, nobody),
      orphans: [],
    });
  });
});

describe("what others can access", () => {
  test.each([
    ["another owner", entryOf(3, { 1: all }), entryOf(3, {})],
    ["another owner and others with rights", entryOf(3, { 1: all, 4: read }), entryOf(3, { 4: read })],
    ["all Servers, by the default", entryOf(nobody, { 1: all, 0: read }), entryOf(nobody, { 0: read })],
  ])("stays, without the rights of those who have gone: %s", (_, entry, left) => {
    expect(without(entry)).toEqual({ left, orphans: [] });
  });

  test.each([
    ["no one who has gone", entryOf(3, { 3: all, 4: read })],
    ["the Bootstrap-Server alone", entryOf(nobody, {})],
    ["nobody, by name", entryOf(nobody, { 0: 0 })],
  ])("stays as it is: %s", (_, entry) => {
    expect(without(entry)).toEqual({ left: entry, orphans: [] });
  });
});

describe("what was owned by a Server that has gone gets as its owner", () => {
  test.each([
    ["who may write and delete, before who may write", { 3: write, 4: write + remove }, 4],
    ["who may delete, before who may read and execute", { 3: read + 4, 4: remove }, 4],
    ["of equals the lowest Short Server ID", { 5: write, 4: remove, 3: read }, 4],
    ["whoever may read, when nobody may more", { 5: read, 4: read }, 4],
    ["the Bootstrap-Server, when only the default is left", { 0: all }, nobody],
    ["one of those who stay, whatever those who go may do", { 1: all, 2: all, 3: read }, 3],
  ])("%s", (_, acl, owner) => {
    const { left, orphans } = without(entryOf(1, acl));
    expect(left?.owner).toBe(owner);
    expect(orphans).toEqual([]);
    for (const shortServerId of gone) expect(left?.acl.has(shortServerId)).toBe(false);
  });
});

test("each entry is looked at by itself, and the ids of those that stay do not change", () => {
  const entries = [entryOf(1, { 1: all }, 0), entryOf(3, { 3: all }, 1), entryOf(2, { 4: write }, 2)];
  const { content, orphans } = unbootstrap(contentOf(...entries), gone, () => true);
  expect(accessControlIn(content)).toEqual([
    [1, entries[1]],
    [2, entryOf(4, { 4: write }, 2)],
  ]);
  expect(orphans).toEqual([[16, 0]]);
});
