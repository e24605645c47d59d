/** Type signatures of D-Bus: the text that says what the bytes of a message are. */
import { DecodeError } from "../../agent/model/errors.js";

/** Codes of one letter. `v` is a value that brings its own signature; `h` is the number of a file descriptor. */
export type BasicCode = "y" | "b" | "n" | "q" | "i" | "u" | "x" | "t" | "d" | "s" | "o" | "g" | "h";

export type Type =
  | { readonly code: BasicCode | "v" }
  | { readonly code: "a"; readonly element: Type }
  /** `{kv}`, in an array only. */
  | { readonly code: "e"; readonly key: Type; readonly value: Type }
  | { readonly code: "r"; readonly fields: readonly Type[] };

const basicCodes = "ybnqiuxtdsogh";
/** D-Bus Specification, "Summary of types": 255 bytes; arrays and structures nest 32 deep each. */
const maximumLength = 255;
const maximumDepth = 32;

/** @throws DecodeError unless `signature` is a sequence of complete types */
export function parseSignature(signature: string): readonly Type[] {
  if (signature.length > maximumLength) {
    throw new DecodeError(`a signature has at most ${maximumLength} characters`, { offset: maximumLength });
  }
  const parser = new SignatureParser(signature);
  const types: Type[] = [];
  while (!parser.isDone) types.push(parser.type(0));
  return types;
}

/** @throws DecodeError unless `signature` is exactly one complete type, as that of a variant is */
export function parseSingleType(signature: string): Type {
  const [type, ...more] = parseSignature(signature);
  if (type === undefined || more.length > 0) {
    throw new DecodeError(`"${signature}" is not one complete type`, { offset: 0 });
  }
  return type;
}

/** Every value begins at a multiple of this many bytes. */
export function alignmentOf({ code }: Type): 1 | 2 | 4 | 8 {
  switch (code) {
    case "y":
    case "g":
    case "v":
      return 1;
    case "n":
    case "q":
      return 2;
    case "x":
    case "t":
    case "d":
    case "r":
    case "e":
      return 8;
    default:
      return 4;
  }
}

class SignatureParser {
  readonly #text: string;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isDone(): boolean {
    return this.#offset === this.#text.length;
  }

  type(depth: number): Type {
    if (depth > maximumDepth) throw this.#wrong("nested too deep");
    const code = this.#text[this.#offset] ?? "";
    if (isBasic(code) || code === "v") {
      this.#offset++;
      return { code };
    }
    if (code === "a") {
      this.#offset++;
      return { code, element: this.#text[this.#offset] === "{" ? this.#entry(depth) : this.type(depth + 1) };
    }
    if (code === "(") return this.#structure(depth);
    throw this.#wrong("not a type");
  }

  #entry(depth: number): Type {
    this.#offset++;
    if (!isBasic(this.#text[this.#offset] ?? "")) throw this.#wrong("the key of an entry is of a basic type");
    const key = this.type(depth + 1);
    const value = this.type(depth + 1);
    this.#expect("}");
    return { code: "e", key, value };
  }

  #structure(depth: number): Type {
    this.#offset++;
    const fields = [this.type(depth + 1)];
    while (this.#text[this.#offset] !== ")") fields.push(this.type(depth + 1));
    this.#offset++;
    return { code: "r", fields };
  }

  #expect(end: string): void {
    if (this.#text[this.#offset] !== end) throw this.#wrong(`"${end}" is missing`);
    this.#offset++;
  }

  #wrong(what: string): DecodeError {
    return new DecodeError(`the signature "${this.#text}" is wrong: ${what}`, { offset: this.#offset });
  }
}

const isBasic = (code: string): code is BasicCode => code.length === 1 && basicCodes.includes(code);
