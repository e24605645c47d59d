import { expect, test } from "vitest";
import { chooseBinding, isUsable } from "../../../agent/lwm2m/binding-choice.js";

test.each([
  { supported: "U", accepted: "U", preferred: undefined, chosen: "U" },
  { supported: "UT", accepted: "TU", preferred: undefined, chosen: "T" },
  { supported: "UT", accepted: "UT", preferred: "T", chosen: "T" },
  { supported: "UT", accepted: "U", preferred: "T", chosen: "U" },
  { supported: "U", accepted: "TS", preferred: "T", chosen: "U" },
  { supported: "UTM", accepted: "T", preferred: "U", chosen: "U" },
  { supported: "UT", accepted: "", preferred: "UT", chosen: "U" },
])(
  "with $supported, a Server that accepts $accepted and prefers $preferred is reached over $chosen",
  ({ chosen, ...choice }) => {
    expect(chooseBinding(choice)).toBe(chosen);
  },
);

test.each([
  { letter: "T", supported: "UT", accepted: "UT", usable: true },
  { letter: "T", supported: "U", accepted: "UT", usable: false },
  { letter: "T", supported: "UT", accepted: "U", usable: false },
  { letter: "UT", supported: "UT", accepted: "UT", usable: false },
  { letter: "", supported: "UT", accepted: "UT", usable: false },
])("ordering $letter of $supported where $accepted is accepted: $usable", ({ letter, usable, ...choice }) => {
  expect(isUsable(letter, choice)).toBe(usable);
});
