/**
 * The reference file of the Hugging Face route: for each line of text a JSON list of the positions, [CLS] being 0, of
 * the tokens that continue a Chinese word. Source: run_chinese_ref.py of transformers' mlm_wwm project.
 */
import { DataError } from "../../errors.ts";
import { isBlank } from "../../util/python-space.ts";
import { type Segmenter, segmentLines } from "../segmenter.ts";

/** What is needed of a tokenizer: where the tokens of a text start, as UTF-16 offsets. */
export interface TokenStarts {
  encodePieces(text: string): { readonly starts: Int32Array };
}

/**
 * A segmenter that reads its words from a reference file, a line of it for each line of text, in order.
 * @param references - the lines of the file. @param tokenizer - the tokenizer that the file was made with.
 * @throws {DataError} (from segment) when a line is no list of positions, or when there are fewer lines than text.
 */
export default function referenceFileSegmenter(references: Iterable<string>, tokenizer: TokenStarts): Segmenter {
  const lines = references[Symbol.iterator]();
  let lineNumber = 0;
  const nextPositions = (): readonly number[] => {
    lineNumber += 1;
    const { value, done } = lines.next();
    if (done) throw malformed(lineNumber, "the end of the file", "make the file anew from this very text");
    return parsePositions(value, lineNumber);
  };
  return {
    name: "reference",
    needsWholeLines: true,
    segment: (text) =>
      segmentLines(text, (line) => (isBlank(line) ? endOf(line) : endsOfReference(line, nextPositions(), tokenizer))),
  };
}

/** Boundaries before each token that is not listed; undefined when a position lies beyond the tokens. */
function endsOfReference(line: string, positions: readonly number[], tokenizer: TokenStarts): number[] | undefined {
  const { starts } = tokenizer.encodePieces(line);
  if (positions.some((position) => position < 1 || position > starts.length)) return undefined;
  const continuing = new Set(positions);
  const ends: number[] = [];
  for (let i = 0; i < starts.length; i++) {
    const start = starts[i] as number;
    if (!continuing.has(i + 1) && start > (ends.at(-1) ?? 0)) ends.push(start);
  }
  return [...ends, ...endOf(line)];
}

function endOf(line: string): number[] {
  return line === "" ? [] : [line.length];
}

function parsePositions(line: string, lineNumber: number): readonly number[] {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw malformed(lineNumber, line, NOT_A_LIST);
  }
  if (!Array.isArray(value) || !value.every(Number.isInteger)) throw malformed(lineNumber, line, NOT_A_LIST);
  return value;
}

const NOT_A_LIST = "each line is a list such as [2, 5, 6]; an empty one is []";

function malformed(lineNumber: number, got: string, hint: string): DataError {
  return new DataError({
    where: `reference file, line ${lineNumber}`,
    expected: "a JSON list of token positions",
    got,
    hint,
  });
}
