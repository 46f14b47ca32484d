/** Two models on the same tokens: how far their hidden states lie apart, layer by layer. */
import { ArgumentError, ConfigError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { type HiddenStatesOptions, hiddenStateName, hiddenStatesGraph } from "../model/hidden-states.ts";
import { parameterShapes } from "../model/initialize.ts";
import { expectNoFurtherLayers, type WeightsReport } from "../model/match-weights.ts";
import { matchInferenceWeights } from "../model/quantized-weights.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import type { HostTensor } from "../util/tensor.ts";
import { type TokenBatch, tokenBatch } from "./batches.ts";
import type { OpenedModel } from "./load-model.ts";
import { ModelPrograms } from "./programs.ts";
import { streamTexts } from "./text-stream.ts";
import {
  type EncodedText,
  encodeRows,
  Role,
  rowOptions,
  type TextOrPair,
  type TokenRow,
  tokensOf,
} from "./token-rows.ts";

/** A model that can be compared; it needs no vocabulary for random ids. */
export interface ComparedModel {
  readonly config: BertConfig;
  readonly programs: ModelPrograms;
  readonly report: WeightsReport;
  readonly tokenizer: BertTokenizer | undefined;
}

/**
 * A model that was opened, ready to be compared.
 * @throws {ConfigError} when it has no config, or config and weights contradict each other.
 */
export function comparedModel({ config, named, tokenizer, where }: OpenedModel, runtime: Runtime): ComparedModel {
  if (config === undefined) {
    const expected = "a config.json (or bert_config.json, model_config.json) beside the weights";
    const hint = "take it from the folder or zip that the weights came in";
    throw new ConfigError({ where, expected, got: verbatim("none"), hint });
  }
  const shapes = parameterShapes(config, { nextSentence: true });
  const matched = matchInferenceWeights(named.tensors, shapes, where, config.quantization);
  expectNoFurtherLayers(matched.report, config, where);
  return {
    config,
    report: matched.report,
    tokenizer,
    programs: new ModelPrograms({ config, ...matched, runtime, where }),
  };
}

/** What two models are compared on. */
export interface CompareOptions {
  /** Texts, tokenised by the first model; random ids when left out. */
  readonly texts?: Iterable<TextOrPair> | AsyncIterable<TextOrPair>;
  /** Of the random ids; 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Heads that stand on the last layer. */
export type HeadOutput = "pooled_output" | "mlm_logits" | "nsp_logits";

/** How far one layer's values lie apart. */
export interface LayerDifference {
  /** 0 is the embeddings; or the name of a head's output that both models have. */
  readonly layer: number | HeadOutput;
  readonly maxAbsDiff: number;
  /** Of all values of all tokens as one vector; in -1 .. 1. */
  readonly cosine: number;
}

const SIZES = ["vocabSize", "hiddenSize", "numHiddenLayers"] as const;

/** @throws {ConfigError} when layers of one model have no counterpart of the same size in the other. */
function expectSameShape(a: BertConfig, b: BertConfig): void {
  const size = SIZES.find((name) => a[name] !== b[name]);
  if (size === undefined) return;
  throw new ConfigError({
    where: `second model: ${size.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
    expected: `${a[size]}, as the first model has`,
    got: b[size],
    hint: "only models of the same vocabulary size, hidden size and number of layers have layers to compare",
  });
}

/** Which weights each head's output needs. */
const HEAD_PARTS: readonly (readonly [HeadOutput, RegExp])[] = [
  ["pooled_output", /^bert\.pooler\./],
  ["mlm_logits", /^cls\.predictions\./],
  ["nsp_logits", /^bert\.pooler\.|^cls\.seq_relationship\./],
];

function sharedHeads(a: ComparedModel, b: ComparedModel): HeadOutput[] {
  const missing = [...a.report.missing, ...b.report.missing];
  return HEAD_PARTS.filter(([, parts]) => !missing.some((name) => parts.test(name))).map(([name]) => name);
}

/** Scores of the vocabulary for every token take 85 KB a token; so few tokens a run keep them small. */
const BATCH_TOKENS = 512;

/**
 * The differences of the embeddings, of each layer, and of the heads that both models have.
 * @throws {ConfigError} when the models differ in vocabulary size, hidden size or number of layers.
 * @throws {ArgumentError} when there are texts, and the first model has no vocabulary.
 */
export async function compareModels(
  a: ComparedModel,
  b: ComparedModel,
  { texts, seed = 0, signal }: CompareOptions = {},
): Promise<LayerDifference[]> {
  expectSameShape(a.config, b.config);
  const heads = sharedHeads(a, b);
  const layers = Array.from({ length: a.config.numHiddenLayers + 1 }, (_, layer) => layer);
  const options: HiddenStatesOptions = {
    layers,
    pooledOutput: heads.includes("pooled_output"),
    mlmLogits: heads.includes("mlm_logits"),
    nspLogits: heads.includes("nsp_logits"),
  };
  const key = `all hidden states ${heads}`;
  const programs = [a, b].map((model) => model.programs.get(key, (config) => hiddenStatesGraph(config, options)));
  const [first, second] = (await Promise.all(programs)) as [
    Awaited<(typeof programs)[0]>,
    Awaited<(typeof programs)[0]>,
  ];
  const gauges = new Map<number | HeadOutput, Gauge>([...layers, ...heads].map((layer) => [layer, new Gauge()]));
  const maxPositions = Math.min(a.config.maxPositionEmbeddings, b.config.maxPositionEmbeddings);
  const rows = rowOptions({ truncate: true }, maxPositions);
  const work = {
    bytes: { perText: 0, perToken: 0 },
    encode: (text: TextOrPair | EncodedText): EncodedText =>
      typeof text === "string" || !("rows" in text) ? encodeRows(tokenizerOf(a), text, rows) : text,
    start: () => undefined,
    tokens: tokensOf,
    run: async (rowsOfBatch: readonly TokenRow[]) => {
      const batch = tokenBatch(rowsOfBatch);
      const [ofA, ofB] = [await first.run(batch.inputs), await second.run(batch.inputs)];
      for (const [layer, gauge] of gauges) {
        const name = typeof layer === "number" ? hiddenStateName(layer) : layer;
        gauge.add(ofA[name] as HostTensor, ofB[name] as HostTensor, batch);
      }
    },
  };
  const inputs = texts ?? randomRows(a.config, maxPositions, seed);
  const stream = streamTexts(inputs, work, {
    batchTokens: BATCH_TOKENS,
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const _ of stream);
  return [...gauges].map(([layer, gauge]) => ({ layer, ...gauge.read() }));
}

function tokenizerOf({ tokenizer }: ComparedModel): BertTokenizer {
  if (tokenizer !== undefined) return tokenizer;
  throw new ArgumentError({
    where: "first model",
    expected: "a vocab.txt or tokenizer.json to read the texts with",
    got: verbatim("none"),
    hint: "put the model's vocab.txt beside its weights, or compare on random ids",
  });
}

const RANDOM_ROWS = 4;
const RANDOM_LENGTH = 32;

/** Rows of random ids, of different lengths, the second half of each as sentence B. */
function randomRows({ vocabSize, typeVocabSize }: BertConfig, maxPositions: number, seed: number): EncodedText[] {
  const random = new Random(seed);
  return Array.from({ length: RANDOM_ROWS }, (_, row) => {
    const length = Math.min(maxPositions, RANDOM_LENGTH - 3 * row);
    const ids = Int32Array.from({ length }, () => random.integer(vocabSize));
    const typeIds = Int32Array.from({ length }, (__, at) => (typeVocabSize > 1 && at >= length / 2 ? 1 : 0));
    const roles = new Uint8Array(length).fill(Role.Text);
    const none = new Int32Array(0);
    const pieces = { ids: none, starts: none, ends: none, words: none };
    return { rows: [{ ids, typeIds, roles, firstPiece: 0 }], pieces, isTruncated: false };
  });
}

/** Adds up what tells two arrays apart. */
class Gauge {
  #largest = 0;
  #products = 0;
  #squaresA = 0;
  #squaresB = 0;

  /** @param a - float32 [batch, seq, width] or [batch, width]; padding is passed over. @param b - likewise. */
  add(a: HostTensor, b: HostTensor, { rows, seqLength }: TokenBatch): void {
    const [valuesA, valuesB] = [a.data as Float32Array, b.data as Float32Array];
    const perRow = valuesA.length / rows.length;
    rows.forEach(({ ids }, row) => {
      const real = a.shape.length === 3 ? (perRow / seqLength) * ids.length : perRow;
      for (let i = row * perRow; i < row * perRow + real; i++) this.#value(valuesA[i] as number, valuesB[i] as number);
    });
  }

  #value(a: number, b: number): void {
    // Math.max keeps a NaN, so that it shows.
    this.#largest = Math.max(this.#largest, Math.abs(a - b));
    this.#products += a * b;
    this.#squaresA += a * a;
    this.#squaresB += b * b;
  }

  read(): { maxAbsDiff: number; cosine: number } {
    const norms = Math.sqrt(this.#squaresA) * Math.sqrt(this.#squaresB);
    return { maxAbsDiff: this.#largest, cosine: norms === 0 ? 1 : Math.max(-1, Math.min(1, this.#products / norms)) };
  }
}
