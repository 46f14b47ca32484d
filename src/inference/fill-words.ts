/**
 * Filling word slots from a lexicon: the pieces of a word are predicted from the left, each with the ones before it in
 * place, and only along beginnings that the lexicon has.
 */
import { best } from "./fill-jointly.ts";
import { logOf, type MaskScorer } from "./mask-scorer.ts";
import type { MaskSlot } from "./masked-text.ts";
import { childRanges, type WordRange, type WordTable } from "./word-lexicon.ts";

/** A row whose slot is to be filled with the words of one table. */
export interface WordTask {
  /** int32 [seq]; as many masks in the slot as the words have pieces. */
  readonly ids: Int32Array;
  /** The position of the slot's first mask. */
  readonly position: number;
  readonly table: WordTable;
  /** Beginnings that are followed; Infinity scores every word. */
  readonly beamSize: number;
}

/** A slot filled with a word. */
export interface FilledWord {
  readonly word: string;
  readonly pieces: readonly number[];
  /** int32 [seq]; the filled row. */
  readonly ids: Int32Array;
  /** The sum of the logarithms of the pieces' probabilities, each given the ones before. */
  readonly log: number;
}

/** A row with another number of masks in a slot. */
export function resizeSlot(ids: Int32Array, position: number, from: number, to: number, maskId: number): Int32Array {
  const row = new Int32Array(ids.length + to - from);
  row.set(ids.subarray(0, position));
  row.fill(maskId, position, position + to);
  row.set(ids.subarray(position + from), position + to);
  return row;
}

/** A beginning of words in a row. */
interface Prefix extends WordRange {
  readonly ids: Int32Array;
  readonly log: number;
}

interface Child extends WordRange {
  readonly parent: Prefix;
  readonly id: number;
  readonly log: number;
}

/**
 * The likeliest words of each task; all tasks advance together, one piece a round.
 * @param count - words to give for each task.
 * @returns by descending probability.
 */
export async function fillWords(
  scorer: MaskScorer,
  tasks: readonly WordTask[],
  count: number,
): Promise<FilledWord[][]> {
  let beams: Prefix[][] = tasks.map(({ ids, table }) => [{ from: 0, to: table.words.length, ids, log: 0 }]);
  const rounds = Math.max(0, ...tasks.map(({ table }) => table.length));
  for (let depth = 0; depth < rounds; depth++) {
    const open = tasks.flatMap((task, index) =>
      depth < task.table.length ? (beams[index] as Prefix[]).map((parent) => ({ index, task, parent })) : [],
    );
    const keepOf = ({ table, beamSize }: WordTask) => (depth + 1 === table.length ? count : beamSize);
    const children: Child[][] = tasks.map(() => []);
    await scorer.score(
      open.map(({ task, parent }) => ({ ids: parent.ids, positions: [task.position + depth] })),
      (row, probabilities) => {
        const { index, task, parent } = open[row] as (typeof open)[number];
        const found: Child[] = [];
        for (const range of childRanges(task.table, parent, depth)) {
          found.push({ ...range, parent, log: parent.log + logOf(probabilities[range.id] as number) });
        }
        children[index]?.push(...best(found, keepOf(task)));
      },
    );
    beams = beams.map((beam, index) => {
      const task = tasks[index] as WordTask;
      if (depth >= task.table.length) return beam;
      return best(children[index] as Child[], keepOf(task)).map((child) => grown(child, task.position + depth));
    });
  }
  return beams.map((beam, index) => beam.map((prefix) => filled(prefix, tasks[index] as WordTask)));
}

function grown({ parent, id, log, from, to }: Child, position: number): Prefix {
  const ids = parent.ids.slice();
  ids[position] = id;
  return { from, to, ids, log };
}

function filled({ from, ids, log }: Prefix, { table, position }: WordTask): FilledWord {
  const pieces = Array.from(ids.subarray(position, position + table.length));
  return { word: table.words[from] as string, pieces, ids, log };
}

/** Slots of a row filled with words from the left. */
export interface WordHypothesis {
  /** int32 [seq]; the row, filled so far. */
  readonly ids: Int32Array;
  readonly words: readonly FilledWord[];
  /** The mean logarithm of the probabilities of all pieces so far: words of other lengths can be compared by it. */
  readonly log: number;
}

/** How far what stands after the filled slots has moved. */
function shiftOf(words: readonly FilledWord[], slots: readonly MaskSlot[]): number {
  return words.reduce((sum, { pieces }, i) => sum + pieces.length - (slots[i]?.length ?? 0), 0);
}

/** What a search over the slots of one text works on. */
export interface SlotSearch {
  readonly ids: Int32Array;
  /** In order. */
  readonly slots: readonly MaskSlot[];
  /** The words that fit each slot, by number of pieces. */
  readonly tables: readonly (readonly WordTable[])[];
}

/** How much of the possible fillings is followed. */
export interface SlotBeams {
  /** Fillings of the slots so far that go on to the next slot. */
  readonly beamSize: number;
  /** Beginnings of words within a slot, shared by its tables; Infinity to score every word. */
  readonly prefixBeamSize: number;
  /** Fillings to give for each text. */
  readonly count: number;
}

/**
 * The likeliest fillings of all slots of each text together, each filled slot being read by the next.
 * @returns by descending mean logarithm.
 */
export async function fillSlots(
  scorer: MaskScorer,
  searches: readonly SlotSearch[],
  maskId: number,
  { beamSize, prefixBeamSize, count }: SlotBeams,
): Promise<WordHypothesis[][]> {
  let beams: WordHypothesis[][] = searches.map(({ ids }) => [{ ids, words: [], log: 0 }]);
  const rounds = Math.max(0, ...searches.map(({ slots }) => slots.length));
  for (let round = 0; round < rounds; round++) {
    const open = searches.flatMap(({ slots, tables }, index) => {
      const slot = slots[round];
      if (slot === undefined) return [];
      const fitting = tables[round] ?? [];
      const share = Math.ceil(prefixBeamSize / fitting.length);
      return (beams[index] as WordHypothesis[]).flatMap((parent) =>
        fitting.map((table) => {
          const position = slot.position + shiftOf(parent.words, slots);
          const ids = resizeSlot(parent.ids, position, slot.length, table.length, maskId);
          return { index, parent, task: { ids, position, table, beamSize: share } };
        }),
      );
    });
    const isLast = (index: number) => round + 1 === searches[index]?.slots.length;
    const results = await fillWords(
      scorer,
      open.map(({ task }) => task),
      Math.max(beamSize, count),
    );
    const children: WordHypothesis[][] = searches.map(() => []);
    open.forEach(({ index, parent }, i) => {
      for (const word of results[i] ?? []) children[index]?.push(extended(parent, word));
    });
    beams = beams.map((beam, index) => {
      const own = children[index] as WordHypothesis[];
      return own.length === 0 ? beam : best(own, isLast(index) ? count : beamSize);
    });
  }
  return beams;
}

function extended({ words }: WordHypothesis, word: FilledWord): WordHypothesis {
  const all = [...words, word];
  const pieces = all.reduce((sum, each) => sum + each.pieces.length, 0);
  return { ids: word.ids, words: all, log: all.reduce((sum, { log }) => sum + log, 0) / pieces };
}
