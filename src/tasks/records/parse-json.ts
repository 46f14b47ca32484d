/** JSON of people's files: what is wrong is said with its line and column, also where the file is cut short. */
import { DataError, verbatim } from "../../errors.ts";

/**
 * The value in a JSON text.
 * @param where - the file's name, for messages. @param firstLine - the line of the file that the text begins on.
 * @throws {DataError} when it is none, with line and column.
 */
export function parseJson(text: string, where: string, firstLine = 1): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const at = placeOf(cause, text);
    const line = firstLine + count(text, at);
    const column = at - text.lastIndexOf("\n", at - 1);
    const isCut = text.slice(at).trim() === "";
    throw new DataError({
      where: `${where} line ${line}, column ${column}`,
      expected: isCut ? "the rest of the JSON" : "JSON",
      got: isCut
        ? verbatim(text.trim() === "" ? "nothing" : "the end of the file: it is cut short")
        : text.slice(at, at + 20),
      hint: isCut
        ? "copy or download the file again"
        : "check the file there: a comma, a quote or a bracket too many or missing",
      cause,
    });
  }
}

/** Engines say where it is in their messages, or that the text ended; a string without end is cut short too. */
function placeOf(error: unknown, text: string): number {
  const message = error instanceof Error ? error.message : "";
  const found = /position (\d+)/.exec(message);
  if (found === null || /unterminated string/i.test(message)) return text.trimEnd().length;
  return Number(found[1]);
}

function count(text: string, end: number): number {
  let lines = 0;
  for (let i = text.indexOf("\n"); i >= 0 && i < end; i = text.indexOf("\n", i + 1)) lines += 1;
  return lines;
}
