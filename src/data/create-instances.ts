/**
 * Makes pre-training examples from documents: sentences packed as in BERT, words masked whole.
 *
 * Text is taken in blocks of about BLOCK_TOKENS tokens. Random next sentences come from the same block, and the examples of a
 * block (all passes of dupeFactor) are shuffled together. A block depends on the documents, the options and its number
 * alone: not on how the corpus was read, nor on who works on which block.
 */
import { CorpusError, verbatim } from "../errors.ts";
import { PythonRandom } from "../util/python-random.ts";
import { Random } from "../util/random.ts";
import { assembleExample } from "./assemble.ts";
import type { Document } from "./corpus.ts";
import { takeBlock } from "./example-records.ts";
import { googleInstances, googleVocabulary, googleWordMarker } from "./google-compatible.ts";
import type { PretrainingInstance } from "./instance.ts";
import {
  type CreateInstancesOptions,
  completeSettings,
  type InstanceSettings,
  type InstanceStats,
} from "./instance-settings.ts";
import { drawMasks } from "./masking.ts";
import { maxTextTokens, type PackedExamples, packBlock, RANGE_FIELDS } from "./packing.ts";
import { type TextCounts, type TokenBlock, TokenBlockBuilder } from "./token-block.ts";
import { alignWords, continuationTable } from "./word-alignment.ts";

export type { CreateInstancesOptions, InstanceStats } from "./instance-settings.ts";

/**
 * The pre-training examples of a corpus, masked.
 * @throws {ArgumentError} when an option is out of range or does not go with the others.
 * @throws {CorpusError} when the documents hold no token at all.
 */
export async function* createPretrainingInstances(
  documents: Iterable<Document> | AsyncIterable<Document>,
  options: CreateInstancesOptions,
): AsyncGenerator<PretrainingInstance> {
  const settings = completeSettings(options);
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
  settings: InstanceSettings,
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
    yield { ...packInstances(takeBlock(builder, settings), settings, number++), counts: builder.counts };
  }
  const last = takeBlock(builder, settings);
  if (builder.counts.tokens === 0) throw emptyCorpus();
  yield { ...packInstances(last, settings, number), counts: builder.counts };
}

/**
 * Packs the examples of one block and puts them into their final order; they are masked while they are read out.
 * @param number - the block's place in the corpus; with the seed it decides all random numbers.
 */
function packInstances(block: TokenBlock, settings: InstanceSettings, number: number): Omit<InstanceBlock, "counts"> {
  const random = Random.derive(settings.randomSeed, number);
  const passes = Array.from({ length: settings.dupeFactor }, () => packBlock(block, settings, random));
  const places = shuffledPlaces(passes, random);
  return { examples: places.length, instances: maskInstances(block, passes, places, settings, random) };
}

function* maskInstances(
  block: TokenBlock,
  passes: readonly PackedExamples[],
  places: Float64Array,
  settings: InstanceSettings,
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
  settings: InstanceSettings,
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

/** The error for a corpus without a single token. */
export function emptyCorpus(): CorpusError {
  return new CorpusError({
    where: "corpus",
    expected: "text with at least one token",
    got: verbatim("none"),
    hint: "a corpus is UTF-8 text, a sentence or paragraph a line, a blank line between documents",
  });
}
