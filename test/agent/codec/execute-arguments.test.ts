import { expect, test } from "vitest";
import { parseExecuteArguments } from "../../../agent/codec/execute-arguments.js";
import { DecodeError } from "../../../agent/model/errors.js";

/** LwM2M Core 1.1 §6.3.5. */
test.each<readonly [string, [number, string | undefined][]]>([
  ["", []],
  ["5", [[5, undefined]]],
  ["2='10.3'", [[2, "10.3"]]],
  [
    "7,0='https://www.oma.org'",
    [
      [7, undefined],
      [0, "https://www.oma.org"],
    ],
  ],
  ["0,1,2,3,4", [0, 1, 2, 3, 4].map((digit) => [digit, undefined])],
  ["0=''", [[0, ""]]],
  ["0='!#&(+,-=[]~'", [[0, "!#&(+,-=[]~"]]],
  [
    "0='a b', 1",
    [
      [0, "a b"],
      [1, undefined],
    ],
  ],
])("%s", (text, args) => {
  expect(parseExecuteArguments(text)).toEqual(new Map(args));
});

test.each([
  "a",
  "10",
  "0=",
  "0=5",
  "0='",
  "0='a",
  "0='a'b",
  "0=a'",
  ",",
  "0,",
  "0,,1",
  " 0",
  "0 ,1",
  "0, ",
  "-1",
  "0='\"'",
  "0='\\'",
  "0='a''b'",
  "0='é'",
  "0='\n'",
  "0,0",
  "0='a',0",
])("%j is refused", (text) => {
  expect(() => parseExecuteArguments(text)).toThrow(DecodeError);
});
