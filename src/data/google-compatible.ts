/**
 * Google's create_pretraining_data.py, number for number: the same text, options and seed give the same examples in the
 * same order. With a segmenter, Chinese characters that continue a word are marked as its `##` pieces are, by the recipe of
 * Chinese-BERT-wwm (issue 13), and the marks are taken off again. Source: google-research/bert, commit eedf571.
 */
import { CharacterKind, characterRules } from "../text/characters.ts";
import { CONTINUATION_PREFIX, type Vocabulary } from "../text/vocabulary.ts";
import { type PythonRandom, roundHalfEven } from "../util/python-random.ts";
import { strip } from "../util/python-space.ts";
import { assembleExample } from "./assemble.ts";
import type { PretrainingInstance } from "./instance.ts";
import type { TokenBlock } from "./token-block.ts";
import { continuationTable, type Pieces } from "./word-alignment.ts";

/** The options of Google's program that bear on a document, under its names. */
export interface GoogleOptions {
  readonly maxSeqLength: number;
  readonly shortSeqProb: number;
  readonly maskedLmProb: number;
  readonly maxPredictionsPerSeq: number;
  readonly doWholeWordMask: boolean;
}

/** What masks are drawn from. */
export interface GoogleVocabulary {
  readonly clsId: number;
  readonly sepId: number;
  readonly maskId: number;
  /** int32; ids of random replacements, in the order of the program's word list. */
  readonly randomIds: Int32Array;
}

/**
 * The vocabulary as Google's program sees it: lines stripped of white space, the last of equal ones counts, every entry can
 * be a random replacement.
 * @param stripsMarks - with Chinese marks: `##` and a Chinese character is drawn as the character alone.
 */
export function googleVocabulary(vocabulary: Vocabulary, stripsMarks: boolean): GoogleVocabulary {
  const idOfEntry = new Map(vocabulary.tokens.map((token, id) => [strip(token), id]));
  const plain = (entry: string, id: number) =>
    stripsMarks && isMarkedChinese(entry) ? (idOfEntry.get(entry.slice(CONTINUATION_PREFIX.length)) ?? id) : id;
  return {
    clsId: vocabulary.ids.cls,
    sepId: vocabulary.ids.sep,
    maskId: vocabulary.ids.mask,
    randomIds: Int32Array.from(idOfEntry, ([entry, id]) => plain(entry, id)),
  };
}

/**
 * Marks the tokens that begin a word by Google's rule and the recipe's: a token continues a word when it starts with `##`, or
 * when it is a single Chinese character inside a word of the segmenter. Latin, digits and punctuation follow WordPiece alone.
 * @returns uint8 [pieces]; 1 where a word begins.
 */
export function googleWordMarker(
  vocabulary: Vocabulary,
): (text: string, pieces: Pieces, wordEnds: Int32Array) => Uint8Array {
  const continues = continuationTable(vocabulary);
  return (text, { ids, starts }, wordEnds) => {
    const wordStarts = new Uint8Array(ids.length);
    let word = 0;
    for (let i = 0; i < ids.length; i++) {
      const start = starts[i] as number;
      while (word < wordEnds.length && (wordEnds[word] as number) <= start) word += 1;
      const wordStart = word === 0 ? 0 : (wordEnds[word - 1] as number);
      const isInside =
        wordStart < start && isChinese(text.codePointAt(start) as number) && hasText(text, wordStart, start);
      wordStarts[i] = isInside || continues[ids[i] as number] === 1 ? 0 : 1;
    }
    return wordStarts;
  };
}

/** Documents between two pauses. */
const DOCUMENTS_A_TURN = 64;

/**
 * All examples of a block, `dupeFactor` passes over its documents, in the order of Google's program.
 * @param pause - called now and then, since the examples are only there when all are made; it may throw to stop.
 */
export async function googleInstances(
  block: TokenBlock,
  options: GoogleOptions & { readonly dupeFactor: number },
  vocabulary: GoogleVocabulary,
  random: PythonRandom,
  pause: () => Promise<void>,
): Promise<PretrainingInstance[]> {
  const documents = Int32Array.from({ length: block.documentStarts.length - 1 }, (_, i) => i);
  random.shuffle(documents);
  const instances: PretrainingInstance[] = [];
  for (let pass = 0; pass < options.dupeFactor; pass++) {
    for (let i = 0; i < documents.length; i++) {
      for (const made of documentInstances(block, documents, i, options, vocabulary, random)) instances.push(made);
      if (i % DOCUMENTS_A_TURN === 0) await pause();
    }
  }
  random.shuffle(instances);
  return instances;
}

/** create_instances_from_document. */
function documentInstances(
  block: TokenBlock,
  documents: Int32Array,
  index: number,
  options: GoogleOptions,
  vocabulary: GoogleVocabulary,
  random: PythonRandom,
): PretrainingInstance[] {
  const { documentStarts, sentenceStarts } = block;
  const tokenAt = (sentence: number) => sentenceStarts[sentence] as number;
  const end = documentStarts[(documents[index] as number) + 1] as number;
  const maxTokens = options.maxSeqLength - 3;
  const target = random.random() < options.shortSeqProb ? random.randint(2, maxTokens) : maxTokens;
  const instances: PretrainingInstance[] = [];
  let first = documentStarts[documents[index] as number] as number;
  for (let i = first; i < end; i++) {
    if (i < end - 1 && tokenAt(i + 1) - tokenAt(first) < target) continue;
    const count = i + 1 - first;
    const middle = first + (count >= 2 ? random.randint(1, count - 1) : 1);
    const isRandomNext = count === 1 || random.random() < 0.5;
    const b = isRandomNext
      ? drawRandomNext(block, documents, index, target - (tokenAt(middle) - tokenAt(first)), random)
      : ([tokenAt(middle), tokenAt(i + 1)] as const);
    const a = [tokenAt(first), tokenAt(middle)] as const;
    const [fromA, toA, fromB, toB] = truncateSeqPair(a, b, maxTokens, random);
    const label = isRandomNext ? 1 : 0;
    instances.push(createInstance(block, [fromA, toA, fromB, toB, label], options, vocabulary, random));
    // Sentences that a random next one has displaced are used again.
    if (isRandomNext) i = middle - 1;
    first = i + 1;
  }
  return instances;
}

type Range = readonly [from: number, to: number];

function drawRandomNext(
  { documentStarts, sentenceStarts }: TokenBlock,
  documents: Int32Array,
  index: number,
  wanted: number,
  random: PythonRandom,
): Range {
  let other = index;
  for (let tries = 0; tries < 10 && other === index; tries++) other = random.randint(0, documents.length - 1);
  const from = documentStarts[documents[other] as number] as number;
  const end = documentStarts[(documents[other] as number) + 1] as number;
  const first = from + random.randint(0, end - from - 1);
  const start = sentenceStarts[first] as number;
  let last = first + 1;
  while (last < end && (sentenceStarts[last] as number) - start < wanted) last += 1;
  return [start, sentenceStarts[last] as number];
}

/**
 * truncate_seq_pair: tokens are dropped one by one from the longer range, at its front or its back.
 * @returns start and end of A, start and end of B.
 */
export function truncateSeqPair(
  [startA, endA]: Range,
  [startB, endB]: Range,
  maxTokens: number,
  random: PythonRandom,
): [number, number, number, number] {
  const kept: [number, number, number, number] = [startA, endA, startB, endB];
  let lengthA = endA - startA;
  let lengthB = endB - startB;
  while (lengthA + lengthB > maxTokens) {
    const side = lengthA > lengthB ? 0 : 2;
    if (random.random() < 0.5) kept[side] = (kept[side] as number) + 1;
    else kept[side + 1] = (kept[side + 1] as number) - 1;
    if (side === 0) lengthA -= 1;
    else lengthB -= 1;
  }
  return kept;
}

function createInstance(
  block: TokenBlock,
  ranges: readonly number[],
  options: GoogleOptions,
  vocabulary: GoogleVocabulary,
  random: PythonRandom,
): PretrainingInstance {
  const example = assembleExample(block, ranges, 0, vocabulary);
  // The program does not see that B begins inside a word: its first token is masked with A's last word.
  const seenStarts = example.wordStarts.slice();
  const startB = (ranges[1] as number) - (ranges[0] as number) + 2;
  seenStarts[startB] = block.wordStarts[ranges[2] as number] as number;
  const masks = createMaskedLmPredictions(example.inputIds, seenStarts, options, vocabulary, random);
  return { ...example, inputIds: masks.output, maskedLmPositions: masks.positions, maskedLmIds: masks.labels };
}

/** The result of {@link createMaskedLmPredictions}. */
export interface GoogleMasks {
  /** int32 [seq]; the ids with masks applied. */
  readonly output: Int32Array;
  /** int32 [predictions]; ascending. */
  readonly positions: Int32Array;
  /** int32 [predictions]; the original ids there. */
  readonly labels: Int32Array;
}

/**
 * create_masked_lm_predictions.
 * @param ids - int32 [seq]. @param wordStarts - uint8 [seq]; 0 for tokens marked with `##`.
 */
export function createMaskedLmPredictions(
  ids: Int32Array,
  wordStarts: Uint8Array,
  options: Omit<GoogleOptions, "maxSeqLength" | "shortSeqProb">,
  vocabulary: GoogleVocabulary,
  random: PythonRandom,
): GoogleMasks {
  const groups = candidateGroups(ids, wordStarts, options.doWholeWordMask, vocabulary);
  random.shuffle(groups);
  const wanted = Math.max(1, roundHalfEven(ids.length * options.maskedLmProb));
  const limit = Math.min(options.maxPredictionsPerSeq, wanted);
  const output = ids.slice();
  const masked: number[] = [];
  for (const group of groups) {
    if (masked.length >= limit) break;
    // A word that would pass the limit is left out whole; a shorter one may still fit.
    if (masked.length + group.length > limit) continue;
    for (const position of group) {
      output[position] = drawReplacement(ids[position] as number, vocabulary, random);
      masked.push(position);
    }
  }
  const positions = Int32Array.from(masked).sort();
  return { output, positions, labels: positions.map((position) => ids[position] as number) };
}

/** Special tokens are passed over, but do not end a group. */
function candidateGroups(
  ids: Int32Array,
  wordStarts: Uint8Array,
  doWholeWordMask: boolean,
  { clsId, sepId }: GoogleVocabulary,
): number[][] {
  const groups: number[][] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === clsId || ids[i] === sepId) continue;
    const last = groups.at(-1);
    if (doWholeWordMask && last !== undefined && wordStarts[i] === 0) last.push(i);
    else groups.push([i]);
  }
  return groups;
}

function drawReplacement(id: number, { maskId, randomIds }: GoogleVocabulary, random: PythonRandom): number {
  if (random.random() < 0.8) return maskId;
  if (random.random() < 0.5) return id;
  return randomIds[random.randint(0, randomIds.length - 1)] as number;
}

function isMarkedChinese(entry: string): boolean {
  if (!entry.startsWith(CONTINUATION_PREFIX)) return false;
  const codePoint = entry.codePointAt(CONTINUATION_PREFIX.length);
  return (
    codePoint !== undefined &&
    isChinese(codePoint) &&
    entry.length === CONTINUATION_PREFIX.length + (codePoint > 0xffff ? 2 : 1)
  );
}

function isChinese(codePoint: number): boolean {
  return characterRules("google").kind(codePoint) === CharacterKind.chinese;
}

/** Whether a stretch of text is more than white space. */
function hasText(text: string, from: number, to: number): boolean {
  return text.slice(from, to).trim() !== "";
}
