import { describe, expect, test } from "vitest";
import { DecodeError } from "../../../agent/model/errors.js";
import {
  decodeRecord,
  encodeRecord,
  integer,
  list,
  nullable,
  oneOf,
  optional,
  shape,
  text,
  variant,
} from "../../../agent/persistence/record-format.js";

const animal = variant("kind", {
  dog: shape({ kind: oneOf("dog"), name: text, age: optional(integer(0, 30)) }),
  fish: shape({ kind: oneOf("fish"), tank: nullable(integer(1, 9)) }),
});
const animals = list(animal);

describe("a record", () => {
  test("comes back as it was written", () => {
    const content = [
      { kind: "dog", name: "Rex", age: 3 },
      { kind: "dog", name: "Bo" },
      { kind: "fish", tank: null },
    ];
    expect(decodeRecord(encodeRecord(1, content), 1, animals)).toEqual(content);
  });

  test("leaves out fields that its shape does not name", () => {
    expect(shape({ a: text })({ a: "x", b: 1 })).toEqual({ a: "x" });
  });

  test.each([
    ["of another version", encodeRecord(2, [])],
    ["that is no JSON", new TextEncoder().encode("{")],
    ["that is no UTF-8", Uint8Array.of(0xff, 0xfe)],
    ["that is empty", new Uint8Array()],
    ["with text for a list", encodeRecord(1, "x")],
    ["with an unknown variant", encodeRecord(1, [{ kind: "bird" }])],
    ["with an inherited name for a variant", encodeRecord(1, [{ kind: "toString" }])],
    ["without a mandatory field", encodeRecord(1, [{ kind: "dog" }])],
    ["with a number out of range", encodeRecord(1, [{ kind: "dog", name: "Rex", age: 31 }])],
    ["with a fraction", encodeRecord(1, [{ kind: "dog", name: "Rex", age: 1.5 }])],
    ["with null where there is none", encodeRecord(1, [{ kind: "dog", name: null }])],
    ["with a list for an object", encodeRecord(1, [[]])],
  ])("%s is a DecodeError", (_, bytes) => {
    expect(() => decodeRecord(bytes, 1, animals)).toThrow(DecodeError);
  });

  test("cut at any byte is a DecodeError", () => {
    const whole = encodeRecord(1, [{ kind: "dog", name: "Rex" }]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeRecord(whole.subarray(0, length), 1, animals)).toThrow(DecodeError);
    }
  });
});
