import { describe, expect, test } from "vitest";
import type { NotificationAttributes } from "../../../agent/lwm2m/attributes.js";
import {
  begunWith,
  dueAt,
  type EvaluationEffect,
  type EvaluationEvent,
  evaluate,
  type Relation,
  resumedWith,
} from "../../../agent/lwm2m/evaluation.js";
import {
  changeConditions,
  type NotificationDefaults,
  type ObservationRules,
  observationRules,
} from "../../../agent/lwm2m/observation-rules.js";
import { isSignificant, type ObservedValue } from "../../../agent/lwm2m/observed-value.js";
import { millis, seconds } from "../../../agent/ports.js";

/** Rules of a Resource. */
const rulesOf = (attributes: NotificationAttributes, defaults: NotificationDefaults = {}): ObservationRules =>
  observationRules(attributes, defaults, { own: changeConditions(attributes) });

/** At which second one of the paths took which value. */
type Change = readonly [second: number, value: ObservedValue, target?: number];

/**
 * Lets the machine run in simulated seconds: every look takes no time.
 * @returns when it looked, and when it sent which values
 */
function run(
  rules: readonly ObservationRules[],
  first: readonly ObservedValue[],
  changes: readonly Change[],
  end: number,
  relation: Relation = "any",
) {
  const values = [...first];
  const sent: [second: number, ...values: ObservedValue[]][] = [];
  const looks: number[] = [];
  let state = begunWith(values, millis(0));
  let now = 0;
  const handle = (event: EvaluationEvent): void => {
    const [next, ...effects] = evaluate(state, event, millis(now), rules, relation);
    state = next;
    for (const effect of effects) perform(effect);
  };
  const perform = (effect: EvaluationEffect): void => {
    if (effect === "send") sent.push([now / 1000, ...values]);
    else {
      looks.push(now / 1000);
      handle({ type: "looked", values: [...values] });
    }
  };
  const waitUntil = (time: number): void => {
    const next = () => dueAt(state, rules, relation);
    for (let due = next(); due !== undefined && due <= time; due = next()) {
      now = due;
      handle({ type: "timeReached" });
    }
    now = time;
  };
  for (const [second, value, target = 0] of changes) {
    waitUntil(seconds(second));
    values[target] = value;
    handle({ type: "changed", targets: [target] });
  }
  waitUntil(seconds(end));
  return { sent, looks };
}

/** The same for one path. */
const notifications = (
  attributes: NotificationAttributes,
  first: ObservedValue,
  changes: readonly Change[],
  end: number,
  defaults: NotificationDefaults = {},
) => run([rulesOf(attributes, defaults)], [first], changes, end);

describe("periods", () => {
  test.each<{
    title: string;
    attributes: NotificationAttributes;
    defaults?: NotificationDefaults;
    changes: readonly Change[];
    sent: readonly [number, number][];
  }>([
    {
      title: "without any, each change is told at once",
      attributes: {},
      changes: [
        [1, 1],
        [2, 2],
      ],
      sent: [
        [1, 1],
        [2, 2],
      ],
    },
    {
      title: "what is written and stays the same is no change",
      attributes: {},
      changes: [
        [1, 0],
        [2, 0],
      ],
      sent: [],
    },
    {
      title: "pmin holds back, and its end brings the value of then",
      attributes: { minimumPeriod: 10 },
      changes: [
        [3, 1],
        [5, 2],
        [9, 3],
      ],
      sent: [[10, 3]],
    },
    {
      title: "a change within pmin is told though it was taken back",
      attributes: { minimumPeriod: 10 },
      changes: [
        [3, 1],
        [5, 0],
      ],
      sent: [[10, 0]],
    },
    {
      title: "a change after pmin is told at once",
      attributes: { minimumPeriod: 10 },
      changes: [[13, 1]],
      sent: [[13, 1]],
    },
    {
      title: "pmin counts from the last notification",
      attributes: { minimumPeriod: 10 },
      changes: [
        [13, 1],
        [15, 2],
      ],
      sent: [
        [13, 1],
        [23, 2],
      ],
    },
    {
      title: "pmax speaks without a change",
      attributes: { maximumPeriod: 20 },
      changes: [],
      sent: [
        [20, 0],
        [40, 0],
        [60, 0],
      ],
    },
    {
      title: "pmax counts from the last notification",
      attributes: { maximumPeriod: 20 },
      changes: [[15, 1]],
      sent: [
        [15, 1],
        [35, 1],
        [55, 1],
      ],
    },
    {
      title: "pmin and pmax alike make a beat",
      attributes: { minimumPeriod: 20, maximumPeriod: 20 },
      changes: [
        [5, 1],
        [25, 2],
      ],
      sent: [
        [20, 1],
        [40, 2],
        [60, 2],
      ],
    },
    {
      title: "pmax below pmin is ignored",
      attributes: { minimumPeriod: 20, maximumPeriod: 10 },
      changes: [[5, 1]],
      sent: [[20, 1]],
    },
    { title: "a pmax of 0 means none", attributes: { maximumPeriod: 0 }, changes: [], sent: [] },
    {
      title: "the defaults of the Server count where nothing is attached",
      attributes: {},
      defaults: { minimumPeriod: 5, maximumPeriod: 50 },
      changes: [[2, 1]],
      sent: [
        [5, 1],
        [55, 1],
      ],
    },
    {
      title: "an attached 0 beats the defaults",
      attributes: { minimumPeriod: 0, maximumPeriod: 0 },
      defaults: { minimumPeriod: 5, maximumPeriod: 50 },
      changes: [[2, 1]],
      sent: [[2, 1]],
    },
    {
      title: "a default pmax below an attached pmin is ignored",
      attributes: { minimumPeriod: 30 },
      defaults: { maximumPeriod: 20 },
      changes: [],
      sent: [],
    },
  ])("$title", ({ attributes, defaults, changes, sent }) => {
    expect(notifications(attributes, 0, changes, 60, defaults).sent).toEqual(sent);
  });
});

describe("evaluation periods", () => {
  test("epmin: after a look the next waits, and sees the value of then", () => {
    const { looks, sent } = notifications(
      { minimumEvaluationPeriod: 10 },
      0,
      [
        [12, 1],
        [13, 2],
        [14, 3],
        [40, 4],
      ],
      60,
    );
    expect(looks).toEqual([12, 22, 40]);
    expect(sent).toEqual([
      [12, 1],
      [22, 3],
      [40, 4],
    ]);
  });

  test("epmin: a peak between two looks is not seen", () => {
    const { sent } = notifications(
      { minimumEvaluationPeriod: 10, greaterThan: 50 },
      0,
      [
        [1, 99],
        [2, 0],
      ],
      60,
    );
    expect(sent).toEqual([]);
  });

  test("epmax: the value is looked at though nobody said that it changed", () => {
    const { looks, sent } = notifications({ maximumEvaluationPeriod: 20 }, 0, [], 60);
    expect(looks).toEqual([20, 40, 60]);
    expect(sent).toEqual([]);
  });

  test("epmax counts from the last look", () => {
    expect(notifications({ maximumEvaluationPeriod: 20 }, 0, [[5, 1]], 50).looks).toEqual([5, 25, 45]);
  });

  test("epmin that met an epmax which is not above it, by inheritance, is left alone with it ignored", () => {
    const attributes = { minimumEvaluationPeriod: 20, maximumEvaluationPeriod: 10 };
    expect(notifications(attributes, 0, [[5, 1]], 60).looks).toEqual([20]);
  });
});

describe("thresholds and steps compare with what was sent last", () => {
  const all = { lessThan: 20, greaterThan: 85, step: 10 };

  // The examples of LwM2M Core 1.1 §7.3.2 and 1.2.2 §7.3.2.
  test.each<{ attributes: NotificationAttributes; from: number; to: number; told: boolean }>([
    { attributes: all, from: 75, to: 90, told: true },
    { attributes: all, from: 50, to: 10, told: true },
    { attributes: all, from: 87, to: 99, told: true },
    { attributes: all, from: 17, to: 24, told: true }, // upwards through lt: 1.1 said no, 1.2.2 says yes
    { attributes: all, from: 50, to: 55, told: false },
    { attributes: { greaterThan: 45, step: 10 }, from: 45, to: 50, told: true },
    { attributes: { greaterThan: 45, step: 10 }, from: 48, to: 42, told: true },
    { attributes: { greaterThan: 45, step: 10 }, from: 48, to: 55, told: false },
    { attributes: { greaterThan: 45 }, from: 44, to: 45, told: false },
    { attributes: { greaterThan: 45 }, from: 46, to: 45, told: false },
    { attributes: { greaterThan: 45 }, from: 45, to: 44, told: true },
    { attributes: { lessThan: -5.5 }, from: -5, to: -6, told: true },
    { attributes: { step: 0.5 }, from: 1, to: 1.5, told: true },
    { attributes: { step: 0.5 }, from: 1, to: 1.4, told: false },
    { attributes: { step: 10 }, from: 20, to: 10, told: true },
    { attributes: { edge: 1 }, from: 1, to: 2, told: true }, // an edge is for Booleans
    // By inheritance: lt is not below gt, or the step leaves no room between them. Then none of the three counts.
    { attributes: { lessThan: 90, greaterThan: 80 }, from: 1, to: 2, told: true },
    { attributes: { lessThan: 1, greaterThan: 5, step: 2 }, from: 2, to: 3, told: true },
  ])("$attributes: from $from to $to", ({ attributes, from, to, told }) => {
    expect(notifications(attributes, from, [[1, to]], 5).sent).toEqual(told ? [[1, to]] : []);
  });

  test("small steps add up", () => {
    const { sent } = notifications(
      { step: 10 },
      0,
      [
        [1, 4],
        [2, 8],
        [3, 12],
        [4, 16],
        [5, 22],
      ],
      9,
    );
    expect(sent).toEqual([
      [3, 12],
      [5, 22],
    ]);
  });

  test("a threshold crossed within pmin is told at its end, with the value of then", () => {
    const { sent } = notifications(
      { minimumPeriod: 10, greaterThan: 50 },
      0,
      [
        [3, 60],
        [5, 40],
      ],
      60,
    );
    expect(sent).toEqual([[10, 40]]);
  });

  test("what pmax sent is what the next threshold compares with", () => {
    const { sent } = notifications(
      { maximumPeriod: 10, greaterThan: 50 },
      40,
      [
        [5, 45],
        [12, 55],
      ],
      19,
    );
    expect(sent).toEqual([
      [10, 45],
      [12, 55],
    ]);
  });

  test("64-bit integers meet thresholds without losing their last digits", () => {
    const [limit, above] = [2n ** 53n, 2n ** 53n + 1n];
    expect(isSignificant(limit, above, { own: { greaterThan: 2 ** 53 } })).toBe(true);
    expect(isSignificant(above, above + 1n, { own: { greaterThan: 2 ** 53 } })).toBe(false);
  });
});

describe("edges", () => {
  test.each<[edge: number | undefined, from: boolean, to: boolean, told: boolean]>([
    [1, false, true, true],
    [1, true, false, false],
    [0, true, false, true],
    [0, false, true, false],
    [undefined, true, false, true],
  ])("edge %s: from %s to %s", (edge, from, to, told) => {
    const attributes = edge === undefined ? {} : { edge };
    expect(notifications(attributes, from, [[1, to]], 5).sent).toEqual(told ? [[1, to]] : []);
  });

  test("a rising edge comes again after a fall that was not told", () => {
    // Nobody was told of the fall, so to the Server the value has been true since the first edge.
    const { sent } = notifications(
      { edge: 1, maximumPeriod: 10 },
      false,
      [
        [1, true],
        [2, false],
        [12, true],
      ],
      15,
    );
    expect(sent).toEqual([
      [1, true],
      [11, false],
      [12, true],
    ]);
  });
});

describe("Resources with Resource Instances", () => {
  const instances = (...entries: [number, ObservedValue][]): ObservedValue => ({ below: new Map(entries) });
  const own = { greaterThan: 50 };
  const conditions = {
    own,
    ofResourceInstance: (id: number) => (id === 1 ? { lessThan: 10 } : own),
  };

  test.each<[title: string, from: ObservedValue, to: ObservedValue, told: boolean]>([
    [
      "one crosses the threshold of the Resource",
      instances([0, 40], [1, 40]),
      instances([0, 60], [1, 40]),
      true,
    ],
    [
      "one has a threshold of its own and crosses it",
      instances([0, 40], [1, 40]),
      instances([0, 40], [1, 5]),
      true,
    ],
    [
      "one crosses what is not its threshold",
      instances([0, 40], [1, 40]),
      instances([0, 40], [1, 60]),
      false,
    ],
    ["changes that cross nothing", instances([0, 40], [1, 40]), instances([0, 41], [1, 41]), false],
    ["one comes", instances([0, 40]), instances([0, 40], [2, 1]), true],
    ["one goes", instances([0, 40], [2, 1]), instances([0, 40]), true],
    ["one takes the place of another", instances([0, 40]), instances([1, 40]), true],
  ])("%s", (_title, from, to, told) => {
    expect(isSignificant(from, to, conditions)).toBe(told);
  });

  test("an Object Instance knows no thresholds: every change of what is below counts", () => {
    const from = instances([0, instances([5, 1])]);
    expect(isSignificant(from, instances([0, instances([5, 2])]), undefined)).toBe(true);
    expect(isSignificant(from, instances([0, instances([5, 1])]), undefined)).toBe(false);
    expect(isSignificant(from, instances([0, instances([5, 1])], [1, instances()]), undefined)).toBe(true);
  });

  test("bytes and links are compared by what they hold", () => {
    expect(isSignificant(Uint8Array.of(1, 2), Uint8Array.of(1, 2), undefined)).toBe(false);
    expect(isSignificant(Uint8Array.of(1, 2), Uint8Array.of(1, 3), undefined)).toBe(true);
    const link = { objectId: 5, objectInstanceId: 0 };
    expect(isSignificant(link, { ...link }, undefined)).toBe(false);
    expect(isSignificant(link, { ...link, objectInstanceId: 1 }, undefined)).toBe(true);
    expect(isSignificant(Number.NaN, Number.NaN, undefined)).toBe(false);
  });
});

describe("several paths in one observation", () => {
  test("any of them that is due makes all travel, and all Periods begin anew", () => {
    const rules = [rulesOf({ minimumPeriod: 10 }), rulesOf({ minimumPeriod: 30 })];
    const { sent } = run(
      rules,
      [0, 0],
      [
        [1, 1, 1],
        [2, 5, 0],
        [15, 2, 1],
      ],
      60,
    );
    expect(sent).toEqual([
      [10, 5, 1], // the first path is due; what the second had to say goes with it
      [40, 5, 2],
    ]);
  });

  test("the smallest pmax counts", () => {
    const rules = [rulesOf({ maximumPeriod: 40 }), rulesOf({ maximumPeriod: 25 })];
    expect(run(rules, [1, 2], [], 60).sent).toEqual([
      [25, 1, 2],
      [50, 1, 2],
    ]);
  });

  test("each has its own thresholds", () => {
    const rules = [rulesOf({ greaterThan: 50 }), rulesOf({})];
    expect(
      run(
        rules,
        [0, 0],
        [
          [1, 40],
          [2, 1, 1],
          [3, 60],
        ],
        10,
      ).sent,
    ).toEqual([
      [2, 40, 1],
      [3, 60, 1],
    ]);
  });

  test("one that comes into being, or goes, counts whatever its thresholds", () => {
    const rules = [rulesOf({ greaterThan: 50 })];
    expect(
      run(
        rules,
        [undefined],
        [
          [1, 3],
          [2, undefined],
        ],
        10,
      ).sent,
    ).toEqual([
      [1, 3],
      [2, undefined],
    ]);
  });
});

describe("looks that take time", () => {
  const rules = [rulesOf({})];
  const at = (second: number) => seconds(second);

  test("only one is under way; what changes meanwhile asks for another", () => {
    const [looking, ...first] = evaluate(
      begunWith([0], at(0)),
      { type: "changed", targets: [0] },
      at(1),
      rules,
    );
    expect(first).toEqual(["look"]);
    const [again, ...second] = evaluate(looking, { type: "changed", targets: [0] }, at(2), rules);
    expect(second).toEqual([]);
    expect(dueAt(again, rules)).toBeUndefined();
    const [next, ...third] = evaluate(again, { type: "looked", values: [1] }, at(3), rules);
    expect(third).toEqual(["send", "look"]);
    const [last, ...fourth] = evaluate(next, { type: "looked", values: [1] }, at(4), rules);
    expect(fourth).toEqual([]);
    expect(dueAt(last, rules)).toBeUndefined();
  });

  test("a moment that comes while a look is under way is not lost", () => {
    const beat = [rulesOf({ maximumPeriod: 5 })];
    const [looking] = evaluate(begunWith([0], at(0)), { type: "changed", targets: [0] }, at(1), beat);
    const [still, ...nothing] = evaluate(looking, { type: "timeReached" }, at(6), beat);
    expect(nothing).toEqual([]);
    const [, ...effects] = evaluate(still, { type: "looked", values: [0] }, at(7), beat);
    expect(effects).toEqual(["send"]);
  });
});

describe("what is owed", () => {
  test("after a restart all is told at once, whatever the Minimum Period and the thresholds", () => {
    const rules = [rulesOf({ minimumPeriod: 3600, greaterThan: 50 })];
    const [state, ...effects] = evaluate(resumedWith(1, seconds(10)), { type: "owed" }, seconds(10), rules);
    expect(effects).toEqual(["look"]);
    const [, ...next] = evaluate(state, { type: "looked", values: [3] }, seconds(10), rules);
    expect(next).toEqual(["send"]);
  });

  test("what did not arrive is made up for when the Minimum Period allows", () => {
    const rules = [rulesOf({ minimumPeriod: 60 })];
    const [state, ...effects] = evaluate(begunWith([3], seconds(0)), { type: "owed" }, seconds(10), rules);
    expect(effects).toEqual([]);
    expect(dueAt(state, rules)).toBe(seconds(60));
  });
});

describe("where all targets have to have something to say", () => {
  test("it is sent when the last of them has, and all begin anew", () => {
    const rules = [rulesOf({ greaterThan: 50 }), rulesOf({})];
    const changes: Change[] = [
      [1, 60],
      [2, 70],
      [3, 1, 1],
      [4, 2, 1],
      [5, 40],
    ];
    expect(run(rules, [0, 0], changes, 10, "all").sent).toEqual([
      [3, 70, 1],
      [5, 40, 2],
    ]);
  });

  test("the longest Minimum Period holds it back, and evaluation periods count for each", () => {
    const rules = [rulesOf({ minimumPeriod: 10 }), rulesOf({ minimumEvaluationPeriod: 4 })];
    const changes: Change[] = [
      [1, 5],
      [2, 6, 1],
    ];
    const { sent, looks } = run(rules, [0, 0], changes, 20, "all");
    expect(looks).toEqual([1, 4, 10]);
    expect(sent).toEqual([[10, 5, 6]]);
  });

  test("each Maximum Period has to be over", () => {
    const rules = [rulesOf({ maximumPeriod: 5 }), rulesOf({ maximumPeriod: 8 })];
    expect(run(rules, [0, 0], [], 20, "all").sent.map(([at]) => at)).toEqual([8, 16]);
    expect(run(rules, [0, 0], [], 20).sent.map(([at]) => at)).toEqual([5, 10, 15, 20]);
  });

  test("without any target there is nothing to wait for", () => {
    expect(dueAt(begunWith([], millis(0)), [], "all")).toBeUndefined();
  });
});
