import { type ObjectDefinition, resourceById } from "../agent/model/definition.js";
import { DecodeError } from "../agent/model/errors.js";
import type { ResourceContent } from "../agent/model/value.js";
import { boolean, integer, list, type Parser, shape } from "../agent/persistence/record-format.js";
import { formatContent, parseContent } from "../agent/persistence/value-format.js";

/** What Servers created and wrote, by Object Instance ID and Resource ID. */
export type StoredInstances = ReadonlyMap<
  number,
  {
    /** A Server created it; another one is the program's, and comes back with it. */
    readonly byServer: boolean;
    readonly values: ReadonlyMap<number, ResourceContent>;
  }
>;

export const formatStored = (instances: StoredInstances): unknown =>
  [...instances].map(([id, { byServer, values }]) => ({
    id,
    byServer,
    values: [...values].map(([resource, content]) => ({ resource, content: formatContent(content) })),
  }));

export const parseStored =
  (definition: ObjectDefinition): Parser<StoredInstances> =>
  (json) =>
    new Map(
      list(
        shape({
          id: integer(0, 65534),
          byServer: boolean,
          values: list(shape({ resource: integer(0, 65534), content: present })),
        }),
      )(json).map(({ id, byServer, values }) => [
        id,
        { byServer, values: new Map(values.flatMap((entry) => parseEntry(definition, entry))) },
      ]),
    );

/** A Resource that another release of the Object had is left out. */
function parseEntry(
  definition: ObjectDefinition,
  { resource, content }: { readonly resource: number; readonly content: unknown },
): [number, ResourceContent][] {
  const known = resourceById(definition, resource);
  return known === undefined ? [] : [[resource, parseContent(known, content)]];
}

const present: Parser<object | string | number | boolean> = (json) => {
  if (json === undefined || json === null) throw new DecodeError("expected a value");
  return json as object | string | number | boolean; // which of them, the definition says
};
