import type { ExecuteArguments } from "../model/definition.js";
import { DecodeError } from "../model/errors.js";

/**
 * Reads the arguments of an Execute (LwM2M Core §6.3.5): `5`, `0='text'`, `7,0='x'`. Spaces are taken within values and
 * after commas, although the grammar has none: Servers send them.
 * @throws DecodeError for anything else, and for a digit that comes twice
 */
export function parseExecuteArguments(text: string): ExecuteArguments {
  const args = new Map<number, string | undefined>();
  // The characters of a value are printable ASCII without `"`, `'` and `\`.
  const argument = /(\d)(?:='([ !#-&(-[\]-~]*)')?(?:, *(?=\d)|$)/y;
  while (argument.lastIndex < text.length) {
    const offset = argument.lastIndex;
    const match = argument.exec(text);
    if (match === null) throw new DecodeError("this is not an argument of an Execute", { offset });
    const digit = Number(match[1]);
    if (args.has(digit)) throw new DecodeError(`argument ${digit} comes twice`, { offset });
    args.set(digit, match[2]);
  }
  return args;
}
