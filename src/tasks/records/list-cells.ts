/**
 * Lists within a cell of a table: as JSON writes them, or as Python does, since pandas writes a column of lists to CSV by
 * Python's `repr`: `['好', "it's"]`.
 */

/** Whether a cell is meant as a list: what is in it may be none all the same. */
export function looksLikeList(value: unknown): value is string {
  return typeof value === "string" && /^\s*\[.*\]\s*$/su.test(value);
}

/** A list, or what a cell holds of one; undefined where it is none. */
export function listOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (!looksLikeList(value)) return undefined;
  for (const read of [(text: string) => text, jsonOfPython]) {
    try {
      const list: unknown = JSON.parse(read(value));
      return Array.isArray(list) ? list : undefined;
    } catch {
      // Not in this notation.
    }
  }
  return undefined;
}

/** A string of Python in quotes of either kind, or one of its three words. */
const PYTHON = /'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|\b(?:True|False|None)\b/gsu;
const WORDS: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

/** A literal of Python in JSON's notation: a quote ends a string only where it is the one that began it. */
function jsonOfPython(text: string): string {
  return text.replace(PYTHON, (whole: string, single?: string, double?: string) => {
    const content = single ?? double;
    return content === undefined ? (WORDS[whole] as string) : JSON.stringify(unescaped(content));
  });
}

const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/gsu;
const CONTROLS: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", "\n": "" };

/** Source: Python's language reference, string and bytes literals. */
function unescaped(content: string): string {
  return content.replace(ESCAPE, (whole: string, x?: string, u?: string, long?: string, other?: string) => {
    if (other !== undefined) return CONTROLS[other] ?? other;
    const code = Number.parseInt(x ?? u ?? long ?? "", 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
