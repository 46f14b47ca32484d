/**
 * Entities and phrases of a dictionary as units, found in the ids of a sequence: so they need no marks in the data, and a
 * dictionary can be changed without making data anew. Source: knowledge masking, Sun et al. 2019 (ERNIE 1.0), section 3.2.
 */
import { ArgumentError, verbatim } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import type { FindUnits, MaskableSequence } from "./masking-units.ts";
import { wordIds } from "./masking-words.ts";

/** A tree of ids; `isEnd` where an entry of the dictionary ends. */
interface Node {
  readonly next: Map<number, Node>;
  isEnd: boolean;
}

/**
 * Units are the longest entries that begin where a word begins and end where one ends (so that 和服 is not found in
 * 产品/和/服务), of the first list that has one there; elsewhere words.
 * @param lists - entries as tokens with spaces between; the first list needs at least one that the vocabulary has.
 * @throws {ArgumentError} when there is none.
 */
export function dictionaryUnits(
  vocabulary: Vocabulary,
  lists: readonly (readonly string[])[],
  level: "phrase" | "entity",
): FindUnits {
  const trees = lists.map((entries) => buildTree(vocabulary, entries));
  if ((trees[0] as Node).next.size === 0) {
    throw new ArgumentError({
      where: `masking ${level}`,
      expected: `a dictionary with at least one ${level} of the vocabulary's tokens`,
      got: verbatim("none"),
      hint: `give a file with one a line: word, or word<TAB>${level}`,
    });
  }
  return (sequence, { starts, ends }) => {
    const { ids, wordStarts, length, isSpecial } = sequence;
    let count = 0;
    let isOpen = false;
    for (let i = 0; i < length; ) {
      if (isSpecial[ids[i]!] === 1) {
        isOpen = false;
        i += 1;
        continue;
      }
      const isStart = !isOpen || wordStarts[i] === 1;
      const end = isStart ? firstMatch(trees, sequence, i) : i;
      if (isStart) starts[count++] = i;
      i = Math.max(end, i + 1);
      ends[count - 1] = i;
      isOpen = true;
    }
    return count;
  };
}

function buildTree(vocabulary: Vocabulary, entries: readonly string[]): Node {
  const root: Node = { next: new Map(), isEnd: false };
  for (const entry of entries) {
    const ids = wordIds(vocabulary, entry);
    if (ids === undefined) continue;
    let node = root;
    for (const id of ids) {
      const next = node.next.get(id) ?? { next: new Map(), isEnd: false };
      node.next.set(id, next);
      node = next;
    }
    node.isEnd = true;
  }
  return root;
}

/** The end of the longest entry at `start` of the first tree that has one; `start` where none has. */
function firstMatch(trees: readonly Node[], sequence: MaskableSequence, start: number): number {
  for (const tree of trees) {
    const end = longestMatch(tree, sequence, start);
    if (end > start) return end;
  }
  return start;
}

function longestMatch(tree: Node, { ids, wordStarts, length, isSpecial }: MaskableSequence, start: number): number {
  let node: Node | undefined = tree;
  let longest = start;
  for (let i = start; i < length; i++) {
    node = node.next.get(ids[i]!);
    if (node === undefined) break;
    const next = i + 1;
    const isWordEnd = next === length || wordStarts[next] === 1 || isSpecial[ids[next]!] === 1;
    if (node.isEnd && isWordEnd) longest = next;
  }
  return longest;
}
