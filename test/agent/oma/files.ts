/** Definition files as the OMA registry's schema has them, written here: its own files are not ours to copy. */

export interface Item {
  readonly id: number;
  readonly name: string;
  readonly operations: string;
  readonly type: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly range: string;
  readonly units: string;
}

/** One Resource, on one line. */
export function item(given: Partial<Item> = {}): string {
  const { id = 1, name = "Value", operations = "R", type = "Integer", range = "", units = "" } = given;
  const { multiple = false, mandatory = false } = given;
  return [
    `<Item ID="${id}"><Name>${name}</Name><Operations>${operations}</Operations>`,
    `<MultipleInstances>${multiple ? "Multiple" : "Single"}</MultipleInstances>`,
    `<Mandatory>${mandatory ? "Mandatory" : "Optional"}</Mandatory><Type>${type}</Type>`,
    `<RangeEnumeration>${range}</RangeEnumeration><Units>${units}</Units><Description></Description></Item>`,
  ].join("");
}

export interface ObjectFile {
  readonly id: number | string;
  readonly name: string;
  readonly version: string;
  readonly urn: string;
  readonly instances: string;
  readonly items: readonly string[];
}

export function objectFile(given: Partial<ObjectFile> = {}): string {
  const { id = 30000, name = "Test", version = "1.0", instances = "Multiple", items = [item()] } = given;
  const { urn = "" } = given;
  return `<LWM2M>
<Object ObjectType="MODefinition">
<Name>${name}</Name>
<Description1></Description1>
<ObjectID>${id}</ObjectID>
<ObjectURN>${urn}</ObjectURN>
<ObjectVersion>${version}</ObjectVersion>
<MultipleInstances>${instances}</MultipleInstances>
<Mandatory>Optional</Mandatory>

<Resources>
${items.join("\n")}
</Resources>
</Object>
</LWM2M>
`;
}
