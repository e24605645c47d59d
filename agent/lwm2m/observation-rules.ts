/** What the attributes come to for one observed path: inherited, completed by the defaults, contradictions left out. */
import { type Millis, seconds } from "../ports.js";
import {
  areEvaluationPeriodsConsistent,
  areThresholdsConsistent,
  type NotificationAttributes,
} from "./attributes.js";
import type { ChangeConditions, ValueConditions } from "./observed-value.js";

/** What counts for one path of an observation. */
export interface ObservationRules {
  readonly minimumPeriod: Millis;
  /** undefined: nothing is sent unless something changed. */
  readonly maximumPeriod: Millis | undefined;
  readonly minimumEvaluationPeriod: Millis;
  /** undefined: the value is looked at when it is said to have changed. */
  readonly maximumEvaluationPeriod: Millis | undefined;
  readonly confirmable: boolean;
  /** How many values are kept while the Server cannot be reached; undefined: as many as there is room for. */
  readonly history: number | undefined;
  /** undefined for Objects and Object Instances. */
  readonly conditions: ValueConditions | undefined;
}

/** The Default Periods (/1/x/2, /1/x/3) and the Default Notification Mode (/1/x/26) of a Server. */
export interface NotificationDefaults {
  readonly minimumPeriod?: number;
  readonly maximumPeriod?: number;
  readonly confirmable?: boolean;
}

/**
 * @param conditions what the path takes of them; undefined for Objects and Object Instances
 * A Maximum Period of 0 means none, one below the Minimum Period is ignored (LwM2M Core 1.2 §7.3.1).
 */
export function observationRules(
  attributes: NotificationAttributes,
  defaults: NotificationDefaults,
  conditions: ValueConditions | undefined,
): ObservationRules {
  const minimum = attributes.minimumPeriod ?? defaults.minimumPeriod ?? 0;
  const maximum = attributes.maximumPeriod ?? defaults.maximumPeriod ?? 0;
  const { minimumEvaluationPeriod = 0, maximumEvaluationPeriod = 0, confirmable } = attributes;
  const isEvaluated = maximumEvaluationPeriod > 0 && areEvaluationPeriodsConsistent(attributes);
  return {
    minimumPeriod: seconds(minimum),
    maximumPeriod: maximum > 0 && maximum >= minimum ? seconds(maximum) : undefined,
    minimumEvaluationPeriod: seconds(minimumEvaluationPeriod),
    maximumEvaluationPeriod: isEvaluated ? seconds(maximumEvaluationPeriod) : undefined,
    confirmable: confirmable === undefined ? defaults.confirmable === true : confirmable === 1,
    history: attributes.maximumHistoricalQueue,
    conditions,
  };
}

/** Thresholds that contradict each other can only have met by inheritance: then none of them counts. */
export function changeConditions(attributes: NotificationAttributes): ChangeConditions {
  const { greaterThan, lessThan, step, edge } = attributes;
  return {
    ...(edge !== undefined && { edge }),
    ...(areThresholdsConsistent(attributes) && {
      ...(greaterThan !== undefined && { greaterThan }),
      ...(lessThan !== undefined && { lessThan }),
      ...(step !== undefined && { step }),
    }),
  };
}
