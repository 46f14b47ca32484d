/**
 * Words that may fill a slot, as the pieces that a model predicts: for each number of pieces a sorted table, whose ranges
 * of equal beginnings are the nodes of a prefix trie.
 */
import type { BertTokenizer } from "../text/tokenizer.ts";

/** The words of one number of pieces. */
export interface WordTable {
  /** Pieces of each word. */
  readonly length: number;
  /** In the order of their pieces; of words with equal pieces the first. */
  readonly words: readonly string[];
  /** int32 [words, length], flat; sorted by rows. */
  readonly ids: Int32Array;
}

/** A word whose pieces are known. */
interface PieceWord {
  readonly word: string;
  readonly ids: Int32Array;
}

/** Words by their number of pieces. */
export class WordLexicon {
  /** Words with pieces that the vocabulary lacks, or none. */
  readonly unknown: readonly string[];
  readonly #byLength = new Map<number, PieceWord[]>();
  readonly #tables = new Map<number, WordTable>();

  constructor(words: Iterable<string>, tokenizer: BertTokenizer) {
    const unknown: string[] = [];
    const special = new Set(Object.values(tokenizer.vocabulary.ids));
    for (const word of words) {
      const { ids } = tokenizer.encodePieces(word);
      if (ids.length === 0 || ids.some((id) => special.has(id))) unknown.push(word);
      else this.#listOf(ids.length).push({ word, ids });
    }
    this.unknown = unknown;
  }

  /** The numbers of pieces that words have, ascending. */
  get lengths(): number[] {
    return [...this.#byLength.keys()].sort((a, b) => a - b);
  }

  /** The words of so many pieces; undefined where there are none. */
  table(length: number): WordTable | undefined {
    const words = this.#byLength.get(length);
    if (words === undefined) return undefined;
    let table = this.#tables.get(length);
    if (table === undefined) {
      table = sortedTable(words, length);
      this.#tables.set(length, table);
    }
    return table;
  }

  #listOf(length: number): PieceWord[] {
    let list = this.#byLength.get(length);
    if (list === undefined) {
      list = [];
      this.#byLength.set(length, list);
    }
    return list;
  }
}

function sortedTable(list: readonly PieceWord[], length: number): WordTable {
  const compare = (a: PieceWord, b: PieceWord): number => {
    for (let i = 0; i < length; i++) {
      const difference = (a.ids[i] as number) - (b.ids[i] as number);
      if (difference !== 0) return difference;
    }
    return 0;
  };
  // The sort is stable, so that the first of words with equal pieces stays.
  const sorted = [...list].sort(compare);
  const unique = sorted.filter((word, i) => i === 0 || compare(sorted[i - 1] as PieceWord, word) !== 0);
  const ids = new Int32Array(unique.length * length);
  unique.forEach((word, i) => {
    ids.set(word.ids, i * length);
  });
  return { length, words: unique.map(({ word }) => word), ids };
}

/** Words of a table with a common beginning: a node of the trie. */
export interface WordRange {
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

/** The ranges within one by the next piece. @param depth - pieces that the range's words have in common. */
export function* childRanges(
  { ids, length }: WordTable,
  { from, to }: WordRange,
  depth: number,
): Generator<WordRange & { readonly id: number }> {
  for (let start = from; start < to; ) {
    const id = ids[start * length + depth] as number;
    let end = start + 1;
    while (end < to && ids[end * length + depth] === id) end += 1;
    yield { id, from: start, to: end };
    start = end;
  }
}
