/**
 * Sentence vectors: an encoder trained so that texts which mean the same lie near each other by cosine, without labels
 * (the same text under two dropouts), with pairs, with pairs and negatives, or with scores.
 */
import { DataError, verbatim } from "../errors.ts";
import type { Tensor } from "../graph/graph.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { slice } from "../graph/ops/slice.ts";
import { sentenceModules } from "../inference/sentence-modules.ts";
import { encodeRows } from "../inference/token-rows.ts";
import type { BertConfig } from "../model/config.ts";
import { meanPooling } from "../model/pooling.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { SimilarityExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedSimilarity } from "./explained/explained-similarity.ts";
import { expectPlainLoss, squareErrorLoss } from "./losses.ts";
import { pearson, spearman } from "./metrics/regression-metrics.ts";
import { commonSettings, expectExamples } from "./sequence-task.ts";
import type {
  EncodedExample,
  Evaluation,
  HeadInputs,
  LabelInput,
  LabelTensors,
  LossOptions,
  RowScores,
  Task,
  TaskDefinition,
  TaskSettings,
} from "./task.ts";
import {
  checkSettings,
  commonRules,
  number,
  numberRange,
  oneOf,
  required,
  type SettingRules,
  truth,
} from "./task-settings.ts";
import { cosentLoss, inBatchLoss, pairCosines } from "./vector-losses.ts";

/**
 * What vectors are trained by.
 *
 * - `simcse`: texts alone; each is the positive of itself under another dropout, the other texts of the batch are negatives.
 * - `in-batch`: pairs that mean the same; the others of the batch are negatives. With a negative for each pair it is the
 *   supervised SimCSE.
 * - `cosent`: scored pairs; their cosines come into the order of their scores. `cosine`: cosines come near the scores.
 */
export const EMBED_OBJECTIVES = ["simcse", "in-batch", "cosent", "cosine"] as const;
/** What vectors are trained by. */
export type EmbedObjective = (typeof EMBED_OBJECTIVES)[number];

/** How the tokens of a text become its vector. */
export const EMBED_POOLINGS = ["mean", "cls", "pooler"] as const;

/** The settings of sentence vectors. */
export interface EmbedSettings extends TaskSettings {
  readonly objective: EmbedObjective;
  readonly pooling: (typeof EMBED_POOLINGS)[number];
  /** Of the contrastive losses; 0.05. */
  readonly temperature: number;
  /** Whether pairs come with a negative. */
  readonly hasNegatives: boolean;
  /** Scores of the data from unrelated to the same: [0, 5] for STS. */
  readonly scoreRange: readonly [number, number];
}

/** How near two texts are. */
export interface Similarity {
  /** The cosine of their vectors, in -1 .. 1. */
  readonly score: number;
}

const DEFAULT_MAX_SEQ_LENGTH = 64;
/** As SimCSE. */
export const EMBED_TEMPERATURE = 0.05;
const SCORES = "scores";

const rules: SettingRules<EmbedSettings> = {
  ...commonRules,
  objective: required(oneOf(EMBED_OBJECTIVES)),
  pooling: required(oneOf(EMBED_POOLINGS)),
  temperature: required(number("a number above 0", (value) => value > 0)),
  hasNegatives: required(truth),
  scoreRange: required(numberRange),
};

/** Sentence vectors. Source: Gao et al. 2021 (SimCSE); Su 2022 (CoSENT); Reimers and Gurevych 2019. */
export const embed: TaskDefinition<SimilarityExample, Similarity, EmbedSettings> = {
  name: "embed",
  reads: "embed",
  learnsWithoutLabels: true,
  pipeline: "sentence-similarity",
  architecture: "BertModel",
  summary: "vectors of texts that lie near each other when they mean the same (SimCSE, CoSENT, in-batch negatives)",
  settle: (examples, choices) => {
    const found = whatIsThere(examples);
    const objective = choices.objective ?? objectiveFor(found);
    expectEnoughFor(objective, found);
    return {
      ...commonSettings("embed", { ...choices, maxSeqLength: choices.maxSeqLength ?? DEFAULT_MAX_SEQ_LENGTH }),
      objective,
      pooling: choices.pooling ?? "mean",
      temperature: choices.temperature ?? EMBED_TEMPERATURE,
      hasNegatives: objective === "in-batch" && found.negatives === found.examples,
      scoreRange: choices.scoreRange ?? found.scores,
    };
  },
  rules,
  create: (settings) => new EmbedTask(checkSettings(settings, rules)),
};

/** Counts of what the examples hold. */
interface Found {
  readonly examples: number;
  readonly pairs: number;
  readonly negatives: number;
  readonly scored: number;
  readonly scores: readonly [number, number];
}

function whatIsThere(examples: Iterable<SimilarityExample>): Found {
  let [count, pairs, negatives, scored] = [0, 0, 0, 0];
  let [lowest, highest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { textPair, negative, score } of examples) {
    count++;
    if (textPair !== undefined) pairs++;
    if (negative !== undefined) negatives++;
    if (score === undefined) continue;
    scored++;
    lowest = Math.min(lowest, score);
    highest = Math.max(highest, score);
  }
  if (count === 0) throw new DataError({ where: "training data", expected: "examples", got: verbatim("none") });
  return { examples: count, pairs, negatives, scored, scores: lowest < highest ? [lowest, highest] : [0, 1] };
}

function objectiveFor({ examples, pairs, scored }: Found): EmbedObjective {
  if (scored === examples && pairs === examples) return "cosent";
  if (pairs === examples) return "in-batch";
  if (pairs === 0) return "simcse";
  throw new DataError({
    where: "training data",
    expected: "a second text in every example, or in none",
    got: verbatim(`one in ${pairs} of ${examples}`),
    hint: "give the pairs, or the texts alone for SimCSE",
  });
}

/** The objective was chosen, and the examples may not be for it. */
function expectEnoughFor(objective: EmbedObjective, { examples, pairs, scored }: Found): void {
  if (objective === "simcse") return;
  const has = objective === "in-batch" ? pairs : Math.min(pairs, scored);
  if (has === examples) return;
  throw new DataError({
    where: "training data",
    expected: objective === "in-batch" ? "pairs of texts that mean the same" : "pairs of texts with scores",
    got: verbatim(`${has} among ${examples} examples`),
    hint: "name the columns, or choose another objective: simcse learns from texts alone, in-batch from pairs",
  });
}

/** Whether vectors are learned from texts and pairs alone. */
function isContrastive(objective: EmbedObjective): boolean {
  return objective === "simcse" || objective === "in-batch";
}

type Scores = Readonly<Record<string, Tensor>>;

class EmbedTask implements Task<SimilarityExample, Similarity> {
  readonly settings: EmbedSettings;
  readonly sequencesPerRow: number;
  readonly labelInputs: Readonly<Record<string, LabelInput>>;
  readonly scoreAxes = { vectors: "row" } as const;
  readonly primaryMetric = "spearman";
  readonly explaining: ExplainedTask<SimilarityExample>;

  constructor(settings: EmbedSettings) {
    this.settings = settings;
    this.sequencesPerRow = settings.hasNegatives ? 3 : 2;
    this.explaining = explainedSimilarity(this.sequencesPerRow);
    const scores: LabelInput = { dtype: "float32", axis: "row", padding: 0 };
    this.labelInputs = isContrastive(settings.objective) ? {} : { [SCORES]: scores };
  }

  encode({ text, textPair = text, negative, score }: SimilarityExample, tokenizer: BertTokenizer): EncodedExample {
    const options = { maxLength: this.settings.maxSeqLength, overlap: 0, truncate: true };
    // A pair that is only compared has no negative: its own text stands there, and is not looked at.
    const texts = [text, textPair, ...(this.settings.hasNegatives ? [negative ?? text] : [])];
    const encoded = texts.map((each) => encodeRows(tokenizer, each, options));
    const sequences = encoded.flatMap(({ rows }) => rows);
    const labels = score === undefined ? {} : { labels: { [SCORES]: [this.#unitScore(score)] } };
    return { rows: [{ sequences, ...labels }], isTruncated: encoded.some(({ isTruncated }) => isTruncated) };
  }

  /** SimCSE makes a pair of each text: what comes in pairs is two texts to it. */
  trainingExamples(examples: readonly SimilarityExample[]): readonly SimilarityExample[] {
    if (this.settings.objective !== "simcse") return examples;
    return examples.flatMap(({ text, textPair }) => [
      { text },
      ...(textPair === undefined ? [] : [{ text: textPair }]),
    ]);
  }

  /** Where a score lies between unrelated, 0, and the same, 1; data to measure on may go beyond what was trained on. */
  #unitScore(score: number): number {
    const [lowest, highest] = this.settings.scoreRange;
    return Math.min(1, Math.max(0, (score - lowest) / (highest - lowest)));
  }

  modelFiles({ hiddenSize }: BertConfig) {
    const { pooling, maxSeqLength } = this.settings;
    return sentenceModules({ pooling, maxSeqLength, hiddenSize });
  }

  head(inputs: HeadInputs) {
    const { rows, config } = inputs;
    return { vectors: reshape(this.#pool(inputs), [rows, this.sequencesPerRow * config.hiddenSize]) };
  }

  #pool({ sequenceOutput, attentionMask, sequences, seq, config, pooledOutput }: HeadInputs): Tensor {
    if (this.settings.pooling === "pooler") return pooledOutput();
    const { hiddenSize } = config;
    const tokens = reshape(sequenceOutput, [sequences, seq, hiddenSize]);
    if (this.settings.pooling === "cls") return reshape(slice(tokens, 1, 0, 1), [sequences, hiddenSize]);
    return meanPooling(tokens, attentionMask);
  }

  loss({ vectors }: Scores, { labels, rowWeights }: LabelTensors, options: LossOptions, { config }: HeadInputs) {
    expectPlainLoss(options, "embed", "how near vectors are");
    const { objective, temperature } = this.settings;
    const part = (at: number) => slice(vectors as Tensor, 1, at * config.hiddenSize, config.hiddenSize);
    const parts = Array.from({ length: this.sequencesPerRow }, (__, at) => part(at));
    const [anchors, positives] = parts as [Tensor, Tensor];
    if (isContrastive(objective)) {
      return inBatchLoss(anchors, parts.slice(1), rowWeights, temperature);
    }
    const cosines = pairCosines(anchors, positives);
    const scores = labels[SCORES] as Tensor;
    return objective === "cosent"
      ? cosentLoss(cosines, scores, rowWeights)
      : squareErrorLoss(cosines, scores, rowWeights);
  }

  decode(_: SimilarityExample, __: EncodedExample, [scores]: readonly RowScores[]): Similarity {
    const vectors = scores?.["vectors"] as Float32Array;
    const dim = vectors.length / this.sequencesPerRow;
    let [product, first, second] = [0, 0, 0];
    for (let i = 0; i < dim; i++) {
      const [a, b] = [vectors[i] as number, vectors[dim + i] as number];
      product += a * b;
      first += a * a;
      second += b * b;
    }
    return { score: product / Math.max(Math.sqrt(first * second), Number.MIN_VALUE) };
  }

  result({ id, text, textPair }: SimilarityExample, { score }: Similarity) {
    return { ...(id === undefined ? {} : { id }), textA: text, textB: textPair, score };
  }

  evaluate(examples: readonly SimilarityExample[], predictions: readonly Similarity[]): Evaluation {
    expectExamples(examples, predictions);
    const expected = examples.map(({ score, textPair }) => {
      if (score !== undefined && textPair !== undefined) return score;
      throw new DataError({
        where: "evaluation data",
        expected: "pairs of texts with scores",
        got: verbatim(textPair === undefined ? "a text alone" : "a pair without a score"),
        hint: "evaluate vectors on scored pairs, such as STS-B: the columns text, textPair and score",
      });
    });
    const cosines = predictions.map(({ score }) => score);
    const metrics = { spearman: spearman(expected, cosines), pearson: pearson(expected, cosines) };
    const lowest = expected.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY);
    const highest = expected.reduce((most, score) => Math.max(most, score), lowest);
    const errors = examples
      .map(({ id, text, textPair, score }, i) => {
        const want = ((score as number) - lowest) / Math.max(highest - lowest, Number.MIN_VALUE);
        const got = cosines[i] as number;
        const found = { text: `${text} | ${textPair}`, expected: String(score), predicted: got.toFixed(3) };
        return { off: Math.abs(want - got), error: id === undefined ? found : { id, ...found } };
      })
      .sort((a, b) => b.off - a.off)
      .map(({ error }) => error);
    return { metrics, errors };
  }
}
