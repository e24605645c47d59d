import { describe, expect, test } from "vitest";
import { responseCodeOf } from "../../../agent/model/errors.js";
import { parseRegister, parseUpdate } from "../../../jobs/server/registration-request.js";
import type { ServerRequest } from "../../../jobs/server/request-listener.js";

const request = (
  query: readonly string[],
  payload = "</1/0>,</3/0>",
  contentFormat: number | undefined = 40,
): ServerRequest => ({
  address: "192.0.2.1",
  port: 5683,
  method: "POST",
  path: ["rd"],
  query,
  contentFormat,
  payload: Buffer.from(payload),
});

const codeOf = (parse: () => unknown): string => {
  try {
    parse();
    return "accepted";
  } catch (fault) {
    return responseCodeOf(fault);
  }
};

describe("a Register", () => {
  test("is read with everything it says", () => {
    const objects =
      '</>;rt="oma.lwm2m";ct="60 110 112",</1>;ver=1.1,</1/0>,</3/0>;ver=1.2,</5>,</nonsense>,</3/0/1>';
    expect(
      parseRegister(request(["lt=86400", "ep=urn:dev:1", "lwm2m=1.1", "b=U", "Q", "unknown=1"], objects)),
    ).toEqual({
      endpointName: "urn:dev:1",
      lwm2mVersion: "1.1",
      lifetimeSeconds: 86400,
      queueMode: true,
      objects: new Map([
        [1, { version: "1.1", instances: [0] }],
        [3, { version: "1.2", instances: [0] }],
        [5, { version: undefined, instances: [] }],
      ]),
    });
  });

  test("that says little is of version 1.0 and lasts a day", () => {
    expect(parseRegister(request(["ep=lamp"]))).toMatchObject({
      lwm2mVersion: "1.0",
      lifetimeSeconds: 86400,
      queueMode: false,
    });
  });

  test.each([
    [["ep=lamp", "lt=0"], "accepted"],
    [["ep=lamp", "lt=4294967295"], "accepted"],
    [["ep=lamp", "b=UQ"], "accepted"],
    [["ep=Lampe über der Tür"], "accepted"],
    [["ep=lamp", "lwm2m=1.1", "b=UT"], "accepted"],
    [["ep=lamp", "lwm2m=1.2", "b=UMH"], "accepted"],
    [["lt=60"], "4.00"],
    [["ep="], "4.00"],
    [["ep"], "4.00"],
    [["ep=lamp", "ep=lamp"], "4.00"],
    [["ep=\u001b[2J"], "4.00"],
    [["ep=lamp\u202e"], "4.00"],
    [[`ep=${"x".repeat(256)}`], "4.00"],
    [["ep=lamp", "lt=-1"], "4.00"],
    [["ep=lamp", "lt="], "4.00"],
    [["ep=lamp", "lt=1e3"], "4.00"],
    [["ep=lamp", "lt=4294967296"], "4.00"],
    [["ep=lamp", "b=UT"], "4.00"],
    [["ep=lamp", "lwm2m=1.1", "b=UQ"], "4.00"],
    [["ep=lamp", "lwm2m=1.1", "b=UU"], "4.00"],
    [["ep=lamp", "lwm2m=1.1", "b=M"], "4.00"],
    [["ep=lamp", "lwm2m=2.0"], "4.12"],
    [["ep=lamp", "lwm2m=1"], "4.12"],
    [["ep=lamp", "lwm2m="], "4.12"],
  ])("with %j is answered as it should be", (query, code) => {
    expect(codeOf(() => parseRegister(request(query)))).toBe(code);
  });

  test.each([
    ["", 40, "4.00"],
    ["not links", 40, "4.00"],
    ["</1/0>", undefined, "accepted"],
    ["</1/0>", 0, "4.15"],
    ["</1/0>", -1, "4.15"],
  ] as const)("with the payload %j in format %s is answered with %s", (payload, contentFormat, code) => {
    expect(codeOf(() => parseRegister({ ...request(["ep=lamp"], payload), contentFormat }))).toBe(code);
  });
});

describe("an Update", () => {
  test("changes only what it says", () => {
    expect(parseUpdate(request([], ""), "1.1")).toEqual({});
    expect(parseUpdate(request(["lt=60"], ""), "1.1")).toEqual({ lifetimeSeconds: 60 });
    expect(parseUpdate(request(["Q"], ""), "1.1")).toEqual({ queueMode: true });
    expect(parseUpdate(request(["b=U"], ""), "1.0")).toEqual({ queueMode: false });
    expect(parseUpdate(request([], "</9/0>"), "1.1")).toEqual({
      objects: new Map([[9, { version: undefined, instances: [0] }]]),
    });
  });

  test.each([[["lt=x"]], [["b=UQ"]], [["lt=1", "lt=1"]]])("with %j is refused", (query) => {
    expect(codeOf(() => parseUpdate(request(query), "1.1"))).toBe("4.00");
  });
});
