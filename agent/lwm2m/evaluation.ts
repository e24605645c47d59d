/**
 * When an observation looks at its values, and when it speaks (LwM2M Core 1.2 §7.3.2): one function of state, event and
 * time. No clock runs here and no value is read.
 */
import { type Millis, millis } from "../ports.js";
import type { ObservationRules } from "./observation-rules.js";
import { isSignificant, type ObservedValue } from "./observed-value.js";

/** Where an observation stands between two notifications. */
export interface EvaluationState {
  /** When the last notification went out; the answer to the Observe counts as the first. */
  readonly sentAt: Millis;
  /** A look at the values is under way. */
  readonly isLooking: boolean;
  /** One for each observed path, in their order. */
  readonly targets: readonly TargetState[];
}

export interface TargetState {
  /** What the Server was told last. */
  readonly sent: ObservedValue;
  /** When the value was last compared with that. */
  readonly evaluatedAt: Millis;
  /** It may have changed since. */
  readonly isStale: boolean;
  /** The look that is under way is to compare it. */
  readonly isEvaluated: boolean;
  /** There is something to tell, and the Minimum Period holds it back. */
  readonly isLatched: boolean;
}

export type EvaluationEvent =
  /** Values of these targets may be others now. */
  | { readonly type: "changed"; readonly targets: readonly number[] }
  /** The moment has come that `dueAt` named, or the rules are others now. */
  | { readonly type: "timeReached" }
  /** What was sent last did not arrive, or nobody knows any more what it was: the Server is owed the present values. */
  | { readonly type: "owed" }
  /** What the targets hold. */
  | { readonly type: "looked"; readonly values: readonly ObservedValue[] };

/** Which of the targets have to have something to say before anything is sent: one of them, or each. */
export type Relation = "any" | "all";

/** `look`: read all targets and say `looked`. `send`: what was just read goes out. */
export type EvaluationEffect = "look" | "send";

/** For the answer to an Observe: it is the first notification. */
export const begunWith = (values: readonly ObservedValue[], now: Millis): EvaluationState => ({
  sentAt: now,
  isLooking: false,
  targets: values.map((sent) => ({
    sent,
    evaluatedAt: now,
    isStale: false,
    isEvaluated: false,
    isLatched: false,
  })),
});

/** For an observation that goes on after a restart: nobody knows what was sent last, nor when. */
export const resumedWith = (targetCount: number, now: Millis): EvaluationState => ({
  ...begunWith(new Array<ObservedValue>(targetCount).fill(undefined), now),
  sentAt: millis(Number.NEGATIVE_INFINITY),
});

/** @param rules one for each target */
export function evaluate(
  state: EvaluationState,
  event: EvaluationEvent,
  now: Millis,
  rules: readonly ObservationRules[],
  relation: Relation = "any",
): readonly [EvaluationState, ...EvaluationEffect[]] {
  switch (event.type) {
    case "changed":
      return look(stale(state, event.targets), now, rules, relation);
    case "timeReached":
      return look(state, now, rules, relation);
    case "owed":
      return look(latched(state), now, rules, relation);
    case "looked": {
      const compared = compare(state, event.values, now, rules);
      if (!isSendDue(compared, now, rules, relation)) return look(compared, now, rules, relation);
      const [next, ...effects] = look(sent(compared, event.values, now), now, rules, relation);
      return [next, "send", ...effects];
    }
  }
}

/** The next moment at which there is something to do; undefined: only a change can make it speak. */
export function dueAt(
  state: EvaluationState,
  rules: readonly ObservationRules[],
  relation: Relation = "any",
): Millis | undefined {
  if (state.isLooking || state.targets.length === 0) return undefined;
  let evaluationDue = Number.POSITIVE_INFINITY;
  let sendDue = relation === "any" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  for (const [index, target] of state.targets.entries()) {
    const rule = rules[index];
    if (rule === undefined) continue;
    const due = sendDueAt(state, target, rule);
    sendDue = relation === "any" ? Math.min(sendDue, due) : Math.max(sendDue, due);
    evaluationDue = Math.min(evaluationDue, evaluationDueAt(target, rule));
  }
  const due = Math.min(sendDue, evaluationDue);
  return due === Number.POSITIVE_INFINITY ? undefined : millis(due);
}

// ---- Details ---------------------------------------------------------------------------------------------------

/** A new moment for each target: what waits for the Minimum Period, and what is sent without a change. */
function sendDueAt({ sentAt }: EvaluationState, { isLatched }: TargetState, rule: ObservationRules): number {
  if (isLatched) return sentAt + rule.minimumPeriod;
  return rule.maximumPeriod === undefined ? Number.POSITIVE_INFINITY : sentAt + rule.maximumPeriod;
}

function evaluationDueAt({ evaluatedAt, isStale }: TargetState, rule: ObservationRules): number {
  if (isStale) return evaluatedAt + rule.minimumEvaluationPeriod;
  const period = rule.maximumEvaluationPeriod;
  return period === undefined ? Number.POSITIVE_INFINITY : evaluatedAt + period;
}

const isEvaluationDue = (target: TargetState, now: Millis, rule: ObservationRules | undefined): boolean =>
  rule !== undefined && evaluationDueAt(target, rule) <= now;

function isSendDue(
  state: EvaluationState,
  now: Millis,
  rules: readonly ObservationRules[],
  relation: Relation,
): boolean {
  const isDue = (target: TargetState, index: number) => {
    const rule = rules[index];
    return rule !== undefined && sendDueAt(state, target, rule) <= now;
  };
  return relation === "any" ? state.targets.some(isDue) : state.targets.every(isDue);
}

function stale(state: EvaluationState, indexes: readonly number[]): EvaluationState {
  const targets = state.targets.map((target, index) =>
    indexes.includes(index) ? { ...target, isStale: true } : target,
  );
  return { ...state, targets };
}

const latched = (state: EvaluationState): EvaluationState => ({
  ...state,
  targets: state.targets.map((target) => ({ ...target, isLatched: true })),
});

/** One look at a time; what becomes stale meanwhile asks for another. */
function look(
  state: EvaluationState,
  now: Millis,
  rules: readonly ObservationRules[],
  relation: Relation,
): readonly [EvaluationState, ...EvaluationEffect[]] {
  const due = dueAt(state, rules, relation);
  if (due === undefined || due > now) return [state];
  const targets = state.targets.map((target, index) =>
    isEvaluationDue(target, now, rules[index]) ? { ...target, isStale: false, isEvaluated: true } : target,
  );
  return [{ ...state, isLooking: true, targets }, "look"];
}

function compare(
  state: EvaluationState,
  values: readonly ObservedValue[],
  now: Millis,
  rules: readonly ObservationRules[],
): EvaluationState {
  const targets = state.targets.map((target, index) => {
    if (!target.isEvaluated) return target;
    const isHit = isSignificant(target.sent, values[index], rules[index]?.conditions);
    return { ...target, isEvaluated: false, evaluatedAt: now, isLatched: target.isLatched || isHit };
  });
  return { ...state, isLooking: false, targets };
}

/** All targets travel together, and all their Periods begin anew. */
function sent(state: EvaluationState, values: readonly ObservedValue[], now: Millis): EvaluationState {
  const targets = state.targets.map((target, index) => ({
    ...target,
    sent: values[index],
    isLatched: false,
  }));
  return { ...state, sentAt: now, targets };
}
