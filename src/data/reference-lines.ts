/**
 * Makes the reference file of the Hugging Face route, for programs that still read it: for each line of text a JSON list of
 * the positions, [CLS] being 0, of Chinese characters that continue a word. Source: run_chinese_ref.py of transformers.
 */
import { CharacterKind, characterRules } from "../text/characters.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { isBlank } from "../util/python-space.ts";
import { alignWords, continuationTable, type PieceTokenizer } from "./word-alignment.ts";

/**
 * The positions for each line of text; as a JSON list a line they are the file that segmenters/reference-file.ts reads.
 * @param lines - lines of text, as the program that reads the file gets them; blank ones have no reference.
 */
export function* referencePositions(
  lines: Iterable<string>,
  { tokenizer, segmenter }: { readonly tokenizer: PieceTokenizer; readonly segmenter: Segmenter },
): Generator<readonly number[]> {
  const continues = continuationTable(tokenizer.vocabulary);
  for (const line of lines) {
    if (isBlank(line)) continue;
    const { text, wordEnds } = segmenter.segment(line);
    const pieces = tokenizer.encodePieces(text);
    const wordStarts = alignWords(pieces, wordEnds, continues);
    const positions = Array.from(wordStarts.keys()).filter(
      (i) => wordStarts[i] === 0 && isChinese(text.codePointAt(pieces.starts[i] as number) as number),
    );
    yield positions.map((i) => i + 1);
  }
}

function isChinese(codePoint: number): boolean {
  return characterRules("huggingface").kind(codePoint) === CharacterKind.chinese;
}
