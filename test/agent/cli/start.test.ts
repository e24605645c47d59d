import { expect, test } from "vitest";
import { plainRun } from "../../../agent/cli/start.js";

test.each([
  ["run", { config: undefined }],
  ["run --config agent.yaml", { config: "agent.yaml" }],
  ["run --config=/etc/lwm2m-agent/agent.yaml", { config: "/etc/lwm2m-agent/agent.yaml" }],
])("`%s` goes without the command line parser", (words, expected) => {
  expect(plainRun(words.split(" "))).toEqual(expected);
});

test.each([
  "",
  "check",
  "run --help",
  "run extra",
  "run --config",
  "run --config --log-level",
  "run --config=",
  "run --config='a.yaml'",
  "run --config a.yaml --config b.yaml",
  "run --config a.yaml --server coap://localhost",
  "run --config a.yaml extra",
  "--config a.yaml run",
])("`%s` goes through it", (words) => {
  expect(plainRun(words.split(" "))).toBeUndefined();
});
