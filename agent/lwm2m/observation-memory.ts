/**
 * What of attributes and observations survives a restart of the program: after a firmware update the Servers hear of it
 * through the observations that they had, when their registration was kept (Core §6.2.1 ends them with a new one).
 *
 * An observation that is to go on after a restart is on disk before its Server hears of it. All else that happens to
 * attributes and observations is saved within a second, many changes at once. Notifications that are kept for a Server that
 * cannot be reached may change every second: they are saved twice a minute. A power cut takes what came since; an orderly
 * end takes nothing. What was sent last is not saved at all, so each observation that goes on begins with the present value.
 */
import { decodeBase64, encodeBase64 } from "../codec/base64.js";
import type { Definitions } from "../codec/composite.js";
import { resourceById } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";
import { formatPath, type Path, parsePath, type ResourcePath } from "../model/path.js";
import type { TimedContent } from "../model/value.js";
import {
  integer,
  list,
  oneOf,
  optional,
  type Parser,
  shape,
  text,
  variant,
} from "../persistence/record-format.js";
import { SavedState } from "../persistence/saved-state.js";
import { formatContent, parseContent } from "../persistence/value-format.js";
import { type Clock, type Log, type Store, seconds } from "../ports.js";
import type { AttachedAttributes } from "./attribute-store.js";
import { type AttributeTexts, isAttributeName, isAttributeValue } from "./attributes.js";
import type { ObservedOperation } from "./observation.js";
import type { LwM2mVersion, Origin } from "./operations.js";
import type { Reading } from "./outbox.js";

/** An observation as it was, to go on where the registration does. */
export interface RememberedObservation {
  /** Of its observer, then. */
  readonly key: string;
  readonly origin: Origin;
  readonly operation: ObservedOperation;
  readonly parameters: AttributeTexts | undefined;
  /** What the transport wants to know. */
  readonly observer: string;
}

/** All observations. */
export interface RememberedObservations {
  readonly observations: readonly RememberedObservation[];
  /** Servers, by Short Server ID, with an observation that is not among them: their registration must not go on. */
  readonly unkept: readonly number[];
}

/** What is kept for one observation. */
export interface KeptNotifications {
  readonly key: string;
  readonly readings: readonly Reading[];
}

export interface ObservationMemoryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly definitions: Definitions;
  /** All there is now. */
  readonly attributes: () => readonly AttachedAttributes[];
  readonly observations: () => RememberedObservations;
  readonly kept: () => readonly KeptNotifications[];
}

/** The paths of an Observe-Composite that are kept on disk: bytes of its payload. */
export const MAX_REMEMBERED_PAYLOAD = 4096;

export class ObservationMemory {
  readonly #attributes: SavedState<readonly AttachedAttributes[]>;
  readonly #observations: SavedState<RememberedObservations>;
  readonly #kept: SavedState<readonly KeptNotifications[]>;

  constructor(options: ObservationMemoryOptions) {
    const { definitions, attributes, observations, kept } = options;
    this.#attributes = new SavedState({
      ...options,
      name: "attributes",
      version: 1,
      delay: seconds(1),
      content: () => attributes().map(formatAttached),
      parse: list(parseAttached),
    });
    this.#observations = new SavedState({
      ...options,
      name: "observations",
      version: 2,
      delay: seconds(1),
      content: () => {
        const { observations: remembered, unkept } = observations();
        return { observations: remembered.map(formatObservation), unkept };
      },
      parse: shape({ observations: list(parseObservation), unkept: list(shortServerId) }),
    });
    this.#kept = new SavedState({
      ...options,
      name: "notifications",
      version: 1,
      delay: seconds(30),
      content: () => kept().map(formatKept),
      parse: list(parseKept(definitions)),
    });
  }

  /**
   * What was there before the restart. `isComplete`: no observation was lost, which its Server would wait for. There is a
   * record as soon as there is a registration to go on.
   */
  async load() {
    const [attributes, observations, kept] = await Promise.all([
      this.#attributes.load(),
      this.#observations.load(),
      this.#kept.load(),
    ]);
    const isComplete = observations !== "unreadable" && observations !== undefined;
    return {
      attributes: readable(attributes),
      observations: isComplete ? observations : { observations: [], unkept: [] },
      kept: readable(kept),
      isComplete,
    };
  }

  attributesChanged(): void {
    this.#attributes.changed();
  }

  observationsChanged(): void {
    this.#observations.changed();
  }

  /** As they are now, at once. Resolves with whether they are on disk. */
  observationsSaved(): Promise<boolean> {
    return this.#observations.saved();
  }

  keptChanged(): void {
    this.#kept.changed();
  }

  /** Resolves when all is saved, or cannot be. */
  async close(): Promise<void> {
    await Promise.all([this.#attributes.close(), this.#observations.close(), this.#kept.close()]);
  }
}

const readable = <T>(loaded: readonly T[] | "unreadable" | undefined): readonly T[] =>
  loaded === undefined || loaded === "unreadable" ? [] : loaded;

// ---- How records look ------------------------------------------------------------------------------------------

const shortServerId = integer(1, 65534);

const path: Parser<Path> = (json) => {
  const parsed = parsePath(text(json));
  if (parsed === undefined) throw new DecodeError("expected a path");
  return parsed;
};

const formatTexts = (texts: AttributeTexts): unknown => [...texts];

const texts: Parser<AttributeTexts> = (json) =>
  new Map(
    list((pair) => {
      const [name = "", value = "", ...rest] = list(text)(pair);
      if (rest.length > 0 || !isAttributeName(name) || !isAttributeValue(name, value)) {
        throw new DecodeError("expected an attribute and its value");
      }
      return [name, value] as const;
    })(json),
  );

const formatAttached = (attached: AttachedAttributes): unknown => ({
  shortServerId: attached.shortServerId,
  path: formatPath(attached.path),
  attributes: formatTexts(attached.attributes),
});

const parseAttached: Parser<AttachedAttributes> = shape({ shortServerId, path, attributes: texts });

function formatObservation({ key, origin, operation, parameters, observer }: RememberedObservation): unknown {
  const { kind, accept } = operation;
  return {
    key,
    ...origin,
    operation:
      operation.kind === "read"
        ? { kind, accept, path: formatPath(operation.path) }
        : {
            kind,
            accept,
            contentFormat: operation.contentFormat,
            payload: encodeBase64(operation.payload, "standard"),
          },
    ...(parameters && { parameters: formatTexts(parameters) }),
    observer,
  };
}

const contentFormat = optional(integer(0, 65535));

const parseOperation: Parser<ObservedOperation> = (json) => {
  const parsed = variant("kind", {
    read: shape({ kind: oneOf("read"), accept: contentFormat, path }),
    readComposite: shape({
      kind: oneOf("readComposite"),
      accept: contentFormat,
      contentFormat,
      payload: (encoded: unknown) => decodeBase64(text(encoded)),
    }),
  })(json);
  const { accept } = parsed;
  if (parsed.kind === "read") return { kind: "read", path: parsed.path, accept };
  return { kind: "readComposite", accept, contentFormat: parsed.contentFormat, payload: parsed.payload };
};

const parseObservation: Parser<RememberedObservation> = (json) => {
  const parsed = shape({
    key: text,
    shortServerId,
    version: oneOf<LwM2mVersion>("1.0", "1.1", "1.2"),
    operation: parseOperation,
    parameters: optional(texts),
    observer: text,
  })(json);
  const { key, version, operation, parameters, observer } = parsed;
  return { key, origin: { shortServerId: parsed.shortServerId, version }, operation, parameters, observer };
};

const formatKept = ({ key, readings }: KeptNotifications): unknown => ({
  key,
  readings: readings.map(({ time, size, values }) => ({
    time,
    size,
    values: [...values].map(([index, contents]) => ({
      index,
      contents: contents.map((one) => ({ path: formatPath(one.path), content: formatContent(one.content) })),
    })),
  })),
});

const finite: Parser<number> = (json) => {
  if (typeof json !== "number") throw new DecodeError("expected a number");
  return json;
};

const parseKept = (definitions: Definitions): Parser<KeptNotifications> =>
  shape({
    key: text,
    readings: list((json): Reading => {
      const parsed = shape({
        time: finite,
        size: integer(0, Number.MAX_SAFE_INTEGER),
        values: list(shape({ index: integer(0, 65535), contents: list(parseTimed(definitions)) })),
      })(json);
      const { time, size } = parsed;
      const values = parsed.values.map(
        ({ index, contents }) => [index, contents.map((one) => ({ ...one, time }))] as const,
      );
      return { time, size, values: new Map(values) };
    }),
  });

const parseTimed =
  (definitions: Definitions): Parser<Omit<TimedContent, "time">> =>
  (json) => {
    const parsed = shape({ path, content: (content: unknown): { json: unknown } => ({ json: content }) })(
      json,
    );
    const definition = definitions(parsed.path[0]);
    const resource =
      definition && parsed.path.length === 3 ? resourceById(definition, parsed.path[2]) : undefined;
    if (resource === undefined) throw new DecodeError(`${formatPath(parsed.path)} is no Resource`);
    return { path: parsed.path as ResourcePath, content: parseContent(resource, parsed.content.json) };
  };
