import type { ObjectDefinition } from "../../../agent/model/definition.js";
import type { Path } from "../../../agent/model/path.js";
import type { InstanceContent, ObjectContent, ResourceValue } from "../../../agent/model/value.js";
import {
  AccessControl,
  Device,
  Links65,
  Links66,
  Location,
  Portfolio,
  Security,
  Server,
} from "./definitions.js";
import { fromHex } from "./hex.js";

/** A payload that a specification prints, and what it means. */
export interface Vector {
  readonly name: string;
  readonly definition: ObjectDefinition;
  readonly target: Path;
  readonly content: ObjectContent;
  readonly payload: Uint8Array;
}

type Resources = readonly (readonly [number, ResourceValue | ReadonlyMap<number, ResourceValue>])[];

const instance = (objectInstanceId: number, resources: Resources): readonly [number, InstanceContent] => [
  objectInstanceId,
  new Map(resources),
];
const several = (...values: readonly (readonly [number, ResourceValue])[]) => new Map(values);
const link = (objectId: number, objectInstanceId: number) => ({ objectId, objectInstanceId });

/** LwM2M Core 1.1 §7.4; "Lightweight" has the 22 letters of the real name, which the print misspells. */
const device: Resources = [
  [0, "Open Mobile Alliance"],
  [1, "Lightweight M2M Client"],
  [2, "345000123"],
  [3, "1.0"],
  [6, several([0, 1], [1, 5])],
  [7, several([0, 3800], [1, 5000])],
  [8, several([0, 125], [1, 900])],
  [9, 100],
  [10, 15],
  [11, several([0, 0])],
  [13, 1367491215],
  [14, "+02:00"],
  [16, "U"],
];

const deviceTlv =
  `c800144f70656e204d6f62696c6520416c6c69616e6365 c801164c69676874776569676874204d324d20436c69656e74
  c80209333435303030313233 c303312e30 8606 410001 410105 880708 42000ed8 42011388 8708 41007d 42010384 c10964
  c10a0f 830b 410000 c40d5182428f c60e2b30323a3030 c11055`.replace(/\n/g, "");

const accessControl: ObjectContent = new Map([
  instance(0, [
    [0, 1],
    [1, 0],
    [2, several([127, 7])],
    [3, 127],
  ]),
  instance(2, [
    [0, 3],
    [1, 0],
    [2, several([127, 7], [310, 1])],
    [3, 127],
  ]),
]);

const partialServer: ObjectContent = new Map([
  instance(0, [
    [2, 101],
    [3, 1010],
    [5, 2000],
    [6, true],
    [7, "U"],
  ]),
]);

/** LwM2M Core 1.1 §7.4 and the Enabler Test Specification, errata corrected: lengths of /1 and of the Create. */
export const tlvVectors: readonly Vector[] = [
  {
    name: "Read /3/0",
    definition: Device,
    target: [3, 0],
    content: new Map([instance(0, device)]),
    payload: fromHex(deviceTlv),
  },
  {
    name: "Read /3",
    definition: Device,
    target: [3],
    content: new Map([instance(0, device)]),
    payload: fromHex(`080079 ${deviceTlv}`),
  },
  {
    name: "Read /2",
    definition: AccessControl,
    target: [2],
    content: accessControl,
    payload: fromHex(
      "08000e c10001 c10100 8302 417f07 c1037f 080212 c10003 c10100 8702 417f07 61013601 c1037f",
    ),
  },
  {
    name: "Read /1",
    definition: Server,
    target: [1],
    content: new Map([
      instance(0, [
        [0, 1],
        [1, 86400],
        [6, true],
        [7, "U"],
      ]),
    ]),
    payload: fromHex("08000f c10001 c40100015180 c10601 c10755"),
  },
  {
    name: "Read /65/0/0, Object Links",
    definition: Links65,
    target: [65, 0, 0],
    content: new Map([instance(0, [[0, several([0, link(66, 0)], [1, link(66, 1)])]])]),
    payload: fromHex("88000c 440000420000 440100420001"),
  },
  {
    name: "Read /66, one Object Link null",
    definition: Links66,
    target: [66],
    content: new Map([
      instance(0, [
        [0, "myService 1"],
        [1, "Internet.15.234"],
        [2, link(67, 0)],
      ]),
      instance(1, [
        [0, "myService 2"],
        [1, "Internet.15.235"],
        [2, link(65535, 65535)],
      ]),
    ]),
    payload: fromHex(
      "080026 c8000b6d79536572766963652031 c8010f496e7465726e65742e31352e323334 c40200430000 " +
        "080126 c8000b6d79536572766963652032 c8010f496e7465726e65742e31352e323335 c402ffffffff",
    ),
  },
  {
    name: "Write /1/0, ETS 215",
    definition: Server,
    target: [1, 0],
    content: partialServer,
    payload: fromHex("c10265 c20303f2 c20507d0 c10601 c10755"),
  },
  {
    name: "Create /16/1, ETS 1630",
    definition: Portfolio,
    target: [16],
    content: new Map([instance(1, [[0, several([0, "Host Device ID #2"], [1, "Host Device Model #2"])]])]),
    payload: fromHex(
      "08012e 88002b 480011 486f737420446576696365204944202332 480114 486f737420446576696365204d6f64656c202332",
    ),
  },
];

const deviceJson =
  '[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"1","vs":"Lightweight M2M Client"},' +
  '{"n":"2","vs":"345000123"},{"n":"3","vs":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},' +
  '{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},{"n":"10","v":15},' +
  '{"n":"11/0","v":0},{"n":"13","v":1367491215},{"n":"14","vs":"+02:00"},{"n":"16","vs":"U"}]';

const deviceCbor =
  "90a321652f332f302f00613003744f70656e204d6f62696c6520416c6c69616e6365" +
  "a200613103764c69676874776569676874204d324d20436c69656e74a20061320369333435303030313233a20061330363312e30" +
  "a20063362f300201a20063362f310205a20063372f3002190ed8a20063372f3102191388a20063382f3002187da20063382f31" +
  "02190384a2006139021864a200623130020fa2006431312f300200a200623133021a5182428fa20062313403662b30323a3030" +
  "a200623136036155";

/** One content in both forms of SenML. */
interface SenmlVector extends Omit<Vector, "payload"> {
  readonly json: string;
  readonly cbor: string;
}

/** LwM2M Core 1.1 §7.4: what we write for a Read, and what Servers write. */
const senml: readonly SenmlVector[] = [
  {
    name: "Read /3/0",
    definition: Device,
    target: [3, 0],
    content: new Map([instance(0, device)]),
    json: deviceJson,
    cbor: deviceCbor,
  },
  {
    name: "Write /1/0, lifetime and storing",
    definition: Server,
    target: [1, 0],
    content: new Map([
      instance(0, [
        [1, 61],
        [6, true],
      ]),
    ]),
    json: '[{"bn":"/1/0/","n":"1","v":61},{"n":"6","vb":true}]',
    cbor: "82a321652f312f302f00613102183da200613604f5",
  },
  {
    name: "Read /0/0/3, bytes",
    definition: Security,
    target: [0, 0, 3],
    content: new Map([instance(0, [[3, fromHex("abcdef")]])]),
    json: '[{"bn":"/0/0/3","vd":"q83v"}]',
    cbor: "81a221662f302f302f330843abcdef",
  },
  {
    name: "Read /1 without instances",
    definition: Server,
    target: [1],
    content: new Map(),
    json: "[]",
    cbor: "80",
  },
  {
    name: "Read /3/0/7, Resource Instances",
    definition: Device,
    target: [3, 0, 7],
    content: new Map([instance(0, [[7, several([0, 3800], [1, 5000])]])]),
    json: '[{"bn":"/3/0/7/","n":"0","v":3800},{"n":"1","v":5000}]',
    cbor: "82a321672f332f302f372f00613002190ed8a200613102191388",
  },
];

/** The same names in another style than ours, as the specification's Servers write them. */
const foreignSenml: readonly SenmlVector[] = [
  {
    name: "Write /1/0/1",
    definition: Server,
    target: [1, 0, 1],
    content: new Map([instance(0, [[1, 63]])]),
    json: '[{"n":"/1/0/1","v":63}]',
    cbor: "81a200662f312f302f3102183f",
  },
  {
    name: "Write /3/0/22/0, an Object Link",
    definition: Device,
    target: [3, 0, 22, 0],
    content: new Map([instance(0, [[22, several([0, link(16, 0)])]])]),
    json: '[{"n":"/3/0/22/0","vlo":"16:0"}]',
    cbor: "81a200692f332f302f32322f3063766c6f6431363a30",
  },
  {
    name: "Read /6/0/0, a float",
    definition: Location,
    target: [6, 0, 0],
    content: new Map([instance(0, [[0, 43.61092]])]),
    json: '[{"n":"/6/0/0","v":43.61092}]',
    cbor: "81a200662f362f302f3002fb4045ce32a0663c75",
  },
];

const utf8 = new TextEncoder();
const asJson = ({ json, ...rest }: SenmlVector): Vector => ({ ...rest, payload: utf8.encode(json) });
const asCbor = ({ cbor, ...rest }: SenmlVector): Vector => ({ ...rest, payload: fromHex(cbor) });

export const senmlJsonVectors = senml.map(asJson);
export const senmlCborVectors = senml.map(asCbor);
export const foreignSenmlJsonVectors = foreignSenml.map(asJson);
export const foreignSenmlCborVectors = foreignSenml.map(asCbor);
