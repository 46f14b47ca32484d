/**
 * Makes pre-training examples from documents: sentences packed as in BERT, words masked whole.
 *
 * Text is taken in blocks of about BLOCK_TOKENS tokens. Random next sentences come from the same block, and the examples of a
 * block (all passes of dupeFactor) are shuffled together. A block depends on the documents, the options and its number
 * alone: not on how the corpus was read, nor on who works on which block.
 */
import { ArgumentError, CorpusError, verbatim } from "../errors.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { PythonRandom } from "../util/python-random.ts";
import { Random } from "../util/random.ts";
import { assembleExample } from "./assemble.ts";
import type { Document } from "./corpus.ts";
import { googleInstances, googleVocabulary, googleWordMarker } from "./google-compatible.ts";
import type { PretrainingInstance } from "./instance.ts";
import { createMasking, drawMasks, type MaskingOptions, type MaskingPlan } from "./masking.ts";
import { maxTextTokens, type PackedExamples, packBlock, RANGE_FIELDS } from "./packing.ts";
import { type TextCounts, type TokenBlock, TokenBlockBuilder } from "./token-block.ts";
import { alignWords, continuationTable, type PieceTokenizer } from "./word-alignment.ts";

/** Tokens of a block: some 12 MB of Chinese text, 20 MB of memory, and 30 bytes more for each of its examples. */
export const BLOCK_TOKENS = 1 << 22;
/** Room for [CLS], two [SEP] and something to predict. */
const MIN_SEQ_LENGTH = 8;
/** The examples of all passes over a block are in memory together, in 30 bytes each; nobody wants so many. */
const MAX_DUPE_FACTOR = 1000;

/** Options of {@link createPretrainingInstances}; the defaults are those of Google's program. */
export interface CreateInstancesOptions extends MaskingOptions {
  readonly tokenizer: PieceTokenizer;
  readonly segmenter: Segmenter;
  /** Tokens of a sequence, special ones counted; 128 unless said. */
  readonly maxSeqLength?: number;
  /** The share of examples packed to a random shorter length; 0.1 unless said. */
  readonly shortSeqProb?: number;
  /** Passes over the text, each masked anew; 10 unless said. */
  readonly dupeFactor?: number;
  /** 12345 unless said. */
  readonly randomSeed?: number;
  /** Pairs with a next sentence label (true unless said), or full sentences in one segment. */
  readonly nextSentence?: boolean;
  /** Google's order and random numbers, bit for bit; holds all text in memory. */
  readonly googleCompatible?: boolean;
  /** Tokens of a block; BLOCK_TOKENS unless said. Part of what decides the examples. */
  readonly blockTokens?: number;
  /** Called when the text of a block is read, with the number of examples that it will give. */
  readonly onBlock?: (examples: number) => void;
  /** Called now and then in long stretches of work without an example: lets others have their turn, or throws to stop. */
  readonly pause?: () => Promise<void>;
  /** Called after each block and at the end, with the counts so far. */
  readonly onStats?: (stats: InstanceStats) => void;
}

/** What was read and made so far. */
export interface InstanceStats extends Readonly<TextCounts> {
  readonly instances: number;
  /** Tokens of all examples, special ones counted. */
  readonly instanceTokens: number;
  /** Tokens to predict. */
  readonly maskedTokens: number;
  /** Examples whose B is random. */
  readonly randomNext: number;
}

type Settings = Required<Omit<CreateInstancesOptions, "onBlock" | "onStats" | keyof MaskingOptions>> & {
  readonly masking: MaskingPlan;
  readonly onStats: (stats: InstanceStats) => void;
};

/**
 * The pre-training examples of a corpus, masked.
 * @throws {ArgumentError} when an option is out of range or does not go with the others.
 * @throws {CorpusError} when the documents hold no token at all.
 */
export async function* createPretrainingInstances(
  documents: Iterable<Document> | AsyncIterable<Document>,
  options: CreateInstancesOptions,
): AsyncGenerator<PretrainingInstance> {
  const settings = complete(options);
  const tally = new Tally(settings.onStats);
  const blocks = settings.googleCompatible ? googleBlocks(documents, settings) : ownBlocks(documents, settings);
  for await (const { examples, instances, counts } of blocks) {
    options.onBlock?.(examples);
    for (const instance of instances) {
      tally.add(instance);
      yield instance;
    }
    tally.report(counts);
  }
}

interface InstanceBlock {
  /** How many instances there are. */
  readonly examples: number;
  readonly instances: Iterable<PretrainingInstance>;
  readonly counts: TextCounts;
}

/** Blocks of the corpus, each masked while it is read out. */
async function* ownBlocks(
  documents: Iterable<Document> | AsyncIterable<Document>,
  settings: Settings,
): AsyncGenerator<InstanceBlock> {
  const { tokenizer, segmenter, blockTokens } = settings;
  const continues = continuationTable(tokenizer.vocabulary);
  const builder = new TokenBlockBuilder({
    tokenizer,
    segmenter,
    markWords: (_text, pieces, wordEnds) => alignWords(pieces, wordEnds, continues),
    maxSentenceTokens: maxTextTokens(settings),
  });
  let number = 0;
  for await (const document of documents) {
    builder.add(document);
    if (builder.tokens < blockTokens) continue;
    yield { ...packInstances(builder.take(), settings, number++), counts: builder.counts };
  }
  const last = builder.take();
  if (builder.counts.tokens === 0) throw emptyCorpus();
  yield { ...packInstances(last, settings, number), counts: builder.counts };
}

/**
 * Packs the examples of one block and puts them into their final order; they are masked while they are read out.
 * @param number - the block's place in the corpus; with the seed it decides all random numbers.
 */
function packInstances(block: TokenBlock, settings: Settings, number: number): Omit<InstanceBlock, "counts"> {
  const random = Random.derive(settings.randomSeed, number);
  const passes = Array.from({ length: settings.dupeFactor }, () => packBlock(block, settings, random));
  const places = shuffledPlaces(passes, random);
  return { examples: places.length, instances: maskInstances(block, passes, places, settings, random) };
}

function* maskInstances(
  block: TokenBlock,
  passes: readonly PackedExamples[],
  places: Float64Array,
  settings: Settings,
  random: Random,
): Generator<PretrainingInstance> {
  const { cls: clsId, sep: sepId } = settings.tokenizer.vocabulary.ids;
  for (const at of places) {
    const pass = passes[at % passes.length] as PackedExamples;
    const example = assembleExample(block, pass.ranges, Math.floor(at / passes.length) * RANGE_FIELDS, {
      clsId,
      sepId,
    });
    const masks = drawMasks(example.inputIds, example.wordStarts, settings.masking, random);
    yield { ...example, inputIds: masks.inputIds, maskedLmPositions: masks.positions, maskedLmIds: masks.labels };
  }
}

/** Every example of every pass once, in random order; place = example * passes + pass. */
function shuffledPlaces(passes: readonly PackedExamples[], random: Random): Float64Array {
  const places = new Float64Array(passes.reduce((sum, pass) => sum + pass.count, 0));
  let at = 0;
  for (const [number, pass] of passes.entries()) {
    for (let i = 0; i < pass.count; i++) places[at++] = i * passes.length + number;
  }
  return random.shuffle(places);
}

/** The whole corpus as one block, as Google's program holds it. */
async function* googleBlocks(
  documents: Iterable<Document> | AsyncIterable<Document>,
  settings: Settings,
): AsyncGenerator<InstanceBlock> {
  const { tokenizer, segmenter, masking } = settings;
  const builder = new TokenBlockBuilder({ tokenizer, segmenter, markWords: googleWordMarker(tokenizer.vocabulary) });
  for await (const document of documents) builder.add(document);
  const block = builder.take();
  if (builder.counts.tokens === 0) throw emptyCorpus();
  const doWholeWordMask = masking.masking === "whole-word";
  const vocabulary = googleVocabulary(tokenizer.vocabulary, doWholeWordMask && segmenter.name !== "none");
  const options = { ...settings, ...masking, doWholeWordMask };
  const random = new PythonRandom(settings.randomSeed);
  const instances = await googleInstances(block, options, vocabulary, random, settings.pause);
  yield { examples: instances.length, instances, counts: builder.counts };
}

class Tally {
  readonly #onStats: (stats: InstanceStats) => void;
  #instances = 0;
  #instanceTokens = 0;
  #maskedTokens = 0;
  #randomNext = 0;

  constructor(onStats: (stats: InstanceStats) => void) {
    this.#onStats = onStats;
  }

  add(instance: PretrainingInstance): void {
    this.#instances += 1;
    this.#instanceTokens += instance.inputIds.length;
    this.#maskedTokens += instance.maskedLmIds.length;
    this.#randomNext += instance.nextSentenceLabel;
  }

  report(counts: TextCounts): void {
    this.#onStats({
      ...counts,
      instances: this.#instances,
      instanceTokens: this.#instanceTokens,
      maskedTokens: this.#maskedTokens,
      randomNext: this.#randomNext,
    });
  }
}

function complete(options: CreateInstancesOptions): Settings {
  const settings = {
    tokenizer: options.tokenizer,
    segmenter: options.segmenter,
    maxSeqLength: options.maxSeqLength ?? 128,
    shortSeqProb: options.shortSeqProb ?? 0.1,
    dupeFactor: options.dupeFactor ?? 10,
    randomSeed: options.randomSeed ?? 12345,
    nextSentence: options.nextSentence ?? true,
    googleCompatible: options.googleCompatible ?? false,
    blockTokens: options.blockTokens ?? BLOCK_TOKENS,
    onStats: options.onStats ?? (() => undefined),
    pause: options.pause ?? (() => Promise.resolve()),
    masking: createMasking(options.tokenizer.vocabulary, options),
  };
  check("maxSeqLength", `an integer of at least ${MIN_SEQ_LENGTH}`, settings.maxSeqLength, (length) =>
    isAtLeast(length, MIN_SEQ_LENGTH),
  );
  check(
    "dupeFactor",
    `an integer from 1 to ${MAX_DUPE_FACTOR}`,
    settings.dupeFactor,
    (factor) => isAtLeast(factor, 1) && factor <= MAX_DUPE_FACTOR,
  );
  check("blockTokens", "an integer of at least 1", settings.blockTokens, (tokens) => isAtLeast(tokens, 1));
  check("shortSeqProb", "a share from 0 to 1", settings.shortSeqProb, (share) => share >= 0 && share <= 1);
  if (settings.googleCompatible) checkGoogle(settings);
  else check("randomSeed", "an integer from 0 to 2^53 - 1", settings.randomSeed, (seed) => isAtLeast(seed, 0));
  return settings;
}

function isAtLeast(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

/** Google's program knows pairs, characters and whole words, and fixed shares. */
function checkGoogle({ nextSentence, masking }: Settings): void {
  const hint = "leave out googleCompatible";
  if (!nextSentence) throw new ArgumentError({ where: "googleCompatible", expected: "nextSentence", got: false, hint });
  if (masking.masking !== "char" && masking.masking !== "whole-word") {
    throw new ArgumentError({
      where: "googleCompatible",
      expected: "masking char or whole-word",
      got: masking.masking,
      hint,
    });
  }
  if (masking.maskTokenProb !== 0.8 || masking.randomTokenProb !== 0.1) {
    const got = [masking.maskTokenProb, masking.randomTokenProb];
    throw new ArgumentError({
      where: "googleCompatible",
      expected: "maskTokenProb 0.8 and randomTokenProb 0.1",
      got,
      hint,
    });
  }
}

function check(where: string, expected: string, got: number, isRight: (value: number) => boolean): void {
  if (!isRight(got)) throw new ArgumentError({ where, expected, got });
}

function emptyCorpus(): CorpusError {
  return new CorpusError({
    where: "corpus",
    expected: "text with at least one token",
    got: verbatim("none"),
    hint: "a corpus is UTF-8 text, a sentence or paragraph a line, a blank line between documents",
  });
}
