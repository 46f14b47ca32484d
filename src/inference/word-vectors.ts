/** Vectors of words: a segmenter's words laid over the tokens by character offsets, each the mean of its tokens. */
import { pooledStatesGraph } from "../model/pooling.ts";
import type { Pieces } from "../text/encoding.ts";
import type { Segmenter } from "../text/segmenter.ts";
import { hostTensor } from "../util/tensor.ts";
import { tokenBatch } from "./batches.ts";
import type { InferenceModel } from "./inference-model.ts";
import { normalizeRows, pooledWidth, poolingGraphOptions } from "./pooling.ts";
import { type StreamOptions, streamTexts } from "./text-stream.ts";
import { type EncodedText, encodeRows, Role, rowOptions, type TokenRow, tokensOf } from "./token-rows.ts";

/** How words become vectors. */
export interface WordVectorOptions extends StreamOptions {
  /** As in EmbedOptions. */
  readonly layers?: readonly number[];
  /** Scales each vector to length 1. */
  readonly normalize?: boolean;
}

/** A word of a text and its vector. */
export interface WordVector {
  readonly text: string;
  /** UTF-16 offsets in the text. */
  readonly start: number;
  readonly end: number;
  /** float32 [dim]; the mean of the tokens that lie in the word, also in part. */
  readonly vector: Float32Array;
}

/** The words of one text. */
export interface TextWords {
  /** The text that the offsets are in: the given one, unless the segmenter takes marks of its own out of it. */
  readonly text: string;
  readonly words: readonly WordVector[];
}

/** A word by its characters and by its pieces, both half-open. */
interface WordSpan {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

type WordRange = readonly [first: number, end: number];

/**
 * The words of each text, in the order of the texts; white space and what has no token is no word.
 * @param texts - a list, or a stream of any length.
 * @throws {ArgumentError} when an option does not fit the model.
 */
export async function* wordVectorStream(
  model: InferenceModel,
  texts: Iterable<string> | AsyncIterable<string>,
  segmenter: Segmenter,
  options: WordVectorOptions = {},
): AsyncGenerator<TextWords> {
  const rows = rowOptions(options, model.config.maxPositionEmbeddings);
  const graph = poolingGraphOptions(model.config, "mean", options.layers);
  const program = await model.programs.get(`pooled-states ${JSON.stringify(graph)}`, (config) =>
    pooledStatesGraph(config, graph),
  );
  const dim = pooledWidth(model.config, "mean", graph);
  const work = {
    bytes: { perText: 0, perToken: 4 * dim },
    encode: ({ text }: SegmentedLine) => encodeRows(model.tokenizer, text, rows),
    start: ({ text, wordEnds }: SegmentedLine, { pieces }: EncodedText) =>
      new PendingWords(text, wordEnds, pieces, dim),
    tokens: tokensOf,
    streams: program.streams ?? 1,
    run: async (rows: readonly TokenRow[], results: readonly PendingWords[]) => {
      const batch = tokenBatch(rows);
      const ranges = batch.rows.map((row, i) => (results[i] as PendingWords).wordsOf(row));
      const most = Math.max(1, ...ranges.map(([first, end]) => end - first));
      const weights = new Float32Array(batch.rows.length * most * batch.seqLength);
      ranges.forEach((range, i) => {
        const start = i * most * batch.seqLength;
        results[i]?.setWeights(weights.subarray(start), range, batch.rows[i] as TokenRow, batch.seqLength);
      });
      const shape = [batch.rows.length, most, batch.seqLength];
      const { vectors } = await program.run({
        ...batch.inputs,
        pooling_weights: hostTensor("float32", shape, weights),
      });
      const data = vectors?.data as Float32Array;
      ranges.forEach((range, i) => {
        results[i]?.add(range, data.subarray(i * most * dim));
      });
    },
  };
  for await (const pending of streamTexts(segmentAll(texts, segmenter), work, options)) {
    if (options.normalize) normalizeRows(pending.vectors, dim);
    yield pending.finish();
  }
}

interface SegmentedLine {
  readonly text: string;
  readonly wordEnds: Int32Array;
}

async function* segmentAll(
  texts: Iterable<string> | AsyncIterable<string>,
  segmenter: Segmenter,
): AsyncGenerator<SegmentedLine> {
  for await (const text of texts) yield segmenter.segment(text);
}

/** The words that have tokens; a token across a border belongs to both words. */
function wordSpans(wordEnds: Int32Array, { starts, ends }: Pieces): WordSpan[] {
  const spans: WordSpan[] = [];
  let start = 0;
  let from = 0;
  for (const end of wordEnds) {
    while (from < ends.length && (ends[from] as number) <= start) from += 1;
    let to = from;
    while (to < starts.length && (starts[to] as number) < end) to += 1;
    if (to > from) spans.push({ start, end, from, to });
    start = end;
  }
  return spans;
}

/** The words of a text while its rows are computed. */
class PendingWords {
  readonly vectors: Float32Array;
  readonly #text: string;
  readonly #spans: readonly WordSpan[];
  readonly #dim: number;

  constructor(text: string, wordEnds: Int32Array, pieces: Pieces, dim: number) {
    this.#text = text;
    this.#dim = dim;
    this.#spans = wordSpans(wordEnds, pieces);
    this.vectors = new Float32Array(this.#spans.length * dim);
  }

  /** The words of which a row has pieces, as a half-open range. */
  wordsOf({ ids, firstPiece }: TokenRow): WordRange {
    const endPiece = firstPiece + ids.length - 2;
    return [this.#firstWord(({ to }) => to > firstPiece), this.#firstWord(({ from }) => from >= endPiece)];
  }

  /** The first word for which a condition holds that holds for all words after it. */
  #firstWord(holds: (word: WordSpan) => boolean): number {
    let [low, high] = [0, this.#spans.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.#spans[middle] as WordSpan)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /**
   * Weights of the pieces that a row answers for; a word over two windows gets a part from each.
   * @param weights - float32 [words, seq], flat.
   */
  setWeights(weights: Float32Array, [first, end]: WordRange, { roles, firstPiece }: TokenRow, seqLength: number): void {
    for (let word = first; word < end; word++) {
      const { from, to } = this.#spans[word] as WordSpan;
      for (let position = Math.max(0, from - firstPiece) + 1; position <= to - firstPiece; position++) {
        if (roles[position] === Role.Text) weights[(word - first) * seqLength + position] = 1 / (to - from);
      }
    }
  }

  /** @param data - float32 [words, dim], flat. */
  add([first, end]: WordRange, data: Float32Array): void {
    const offset = first * this.#dim;
    for (let i = 0; i < (end - first) * this.#dim; i++) {
      this.vectors[offset + i] = (this.vectors[offset + i] as number) + (data[i] as number);
    }
  }

  finish(): TextWords {
    const words = this.#spans.map(({ start, end }, i) => ({
      text: this.#text.slice(start, end),
      start,
      end,
      vector: this.vectors.subarray(i * this.#dim, (i + 1) * this.#dim),
    }));
    return { text: this.#text, words };
  }
}
