import { SaxesParser } from "saxes";
import { ConfigError } from "../model/errors.js";

/** An element with what is in it; text of its own without white space around it. */
export interface Element {
  readonly name: string;
  readonly line: number;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly Element[];
  readonly text: string;
}

interface OpenElement extends Element {
  readonly children: Element[];
  text: string;
}

/**
 * Reads a document into a tree. DTDs are skipped and no external entity is ever fetched.
 * @param file names it in errors
 * @throws ConfigError with file, line and column unless it is well-formed XML
 */
export function parseXml(document: string, file: string): Element {
  const parser = new SaxesParser();
  const open: OpenElement[] = [];
  let root: Element | undefined;
  const addText = (text: string) => {
    const element = open.at(-1);
    if (element !== undefined) element.text += text;
  };
  parser.on("opentag", ({ name, attributes }) => {
    const element = {
      name,
      line: parser.line,
      attributes: new Map(Object.entries(attributes)),
      children: [],
      text: "",
    };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on("text", addText);
  parser.on("cdata", addText);
  parser.on("closetag", () => {
    const element = open.pop();
    if (element === undefined) return;
    element.text = element.text.trim();
    if (open.length === 0) root = element;
  });
  parser.on("error", (error) => {
    throw new ConfigError(`${file} is not well-formed XML, at ${error.message}`, { cause: error });
  });
  parser.write(document.replace(/^\uFEFF/, "")).close();
  if (root === undefined) throw new ConfigError(`${file} is empty`);
  return root;
}
