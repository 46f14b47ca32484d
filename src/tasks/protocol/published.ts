/**
 * Results side by side with the published ones: the band from the published mean to the maximum, and what to check first where
 * a result falls outside. The table of small models in per cent of a large one.
 */
import { lookUpModel, scoresOf, type ZooModel, zoo } from "../../model/zoo.ts";
import type { Score, SplitScores } from "../../model/zoo-scores.ts";
import { mean } from "../../util/mean.ts";
import { inPercent } from "../../util/percent.ts";
import type { RunStatistics } from "../metrics/significance.ts";
import type { DataNote } from "../records/data-note.ts";

/** What published runs reached; shares in [0, 1]. */
export interface PublishedBand {
  /** The mean of the published runs; undefined where only the best one is published. */
  readonly mean?: number;
  /** The best published run; undefined where only the mean is published. */
  readonly max?: number;
}

/** Published metrics by the names that tasks give theirs. */
const metricKeys: Readonly<Record<string, keyof SplitScores>> = { exactMatch: "em", f1: "f1", accuracy: "accuracy" };
/** The splits that scores are published for. */
const splitKeys = ["dev", "test", "challenge"] as const;

/** Which published number a result is compared with. */
export interface PublishedKey {
  /** By any name of the zoo, or a path that ends in one: `hfl/rbt3`, `models/chinese-bert-wwm`. */
  readonly model: string;
  /** The title of a data set: "CMRC 2018". */
  readonly dataset: string;
  readonly split: string;
  readonly metric: string;
}

/** The model of the zoo that a name or the end of a path stands for; undefined where there is none. */
export function publishedModel(name: string): ZooModel | undefined {
  const [last] = name.split(/[/\\]/).filter(Boolean).slice(-1);
  return lookUpModel(name) ?? (last === undefined ? undefined : lookUpModel(last));
}

/** The published band of a result; undefined where nothing is published. */
export function publishedBand({ model, dataset, split, metric }: PublishedKey): PublishedBand | undefined {
  const found = publishedModel(model);
  const key = metricKeys[metric];
  const splitKey = splitKeys.find((one) => one === split);
  if (found === undefined || key === undefined || splitKey === undefined) return undefined;
  const score = scoresOf(found)?.[dataset]?.[splitKey]?.[key];
  return score === undefined ? undefined : bandOf(score);
}

function bandOf([max, mean]: Score): PublishedBand {
  return {
    ...(mean === undefined ? {} : { mean: mean / 100 }),
    ...(max === undefined ? {} : { max: max / 100 }),
  };
}

/** Where a result lies against the published band. */
export type PublishedPosition =
  /** Even the best run is below the published mean. */
  | "below"
  /** The best run is from the published mean to the maximum. */
  | "within"
  /** The best run is above the published maximum. */
  | "above";

/** A result next to the published one. */
export interface PublishedComparison {
  readonly position: PublishedPosition;
  readonly band: PublishedBand;
  /** The lower end of the band: the published mean, or what stands for it where only the maximum is published. */
  readonly lowest: number;
  /** One sentence. */
  readonly message: string;
}

/** Published scores have one decimal: a result is not below or above by less than half of it. */
const ROUNDING = 0.0005;

/** Compares the results of runs with the published ones; undefined where nothing is published. */
export function compareWithPublished(key: PublishedKey, results: RunStatistics): PublishedComparison | undefined {
  const band = publishedBand(key);
  if (band === undefined) return undefined;
  const lowest = band.mean ?? (band.max as number) - widestBand(key);
  const position = positionOf(results.max, lowest, band.max);
  return { position, band, lowest, message: inWords(key, results, { position, band, lowest }) };
}

function positionOf(best: number, lowest: number, highest: number | undefined): PublishedPosition {
  if (best < lowest - ROUNDING) return "below";
  return highest !== undefined && best > highest + ROUNDING ? "above" : "within";
}

/** The widest published distance from mean to maximum of any model, for models whose mean is not published. */
function widestBand({ dataset, split, metric }: PublishedKey): number {
  const widths = zoo.flatMap(({ name }) => {
    const { mean, max } = publishedBand({ model: name, dataset, split, metric }) ?? {};
    return mean === undefined || max === undefined ? [] : [max - mean];
  });
  return Math.max(0, ...widths);
}

function inWords(
  { model, dataset, split, metric }: PublishedKey,
  results: RunStatistics,
  { position, band, lowest }: Pick<PublishedComparison, "position" | "band" | "lowest">,
): string {
  const what = `${model} on ${dataset}, ${split}, ${metric === "exactMatch" ? "exact match" : metric}`;
  const published = bandInWords(band, lowest);
  if (position === "within") return `${what}: ${inPercent(results.max)} lies within ${published}`;
  const best = results.runs === 1 ? "the only run" : `the best of ${results.runs} runs`;
  if (position === "above") return `${what}: ${best}, ${inPercent(results.max)}, is above ${published}`;
  const chance = results.runs < 3 ? "; of so few runs all may be below the mean by chance" : "";
  return `${what}: ${best}, ${inPercent(results.max)}, is below ${published}${chance}`;
}

/** What was published, and what was not. */
function bandInWords({ mean, max }: PublishedBand, lowest: number): string {
  if (max === undefined) return `the published mean ${inPercent(lowest)}`;
  if (mean !== undefined) return `the published ${inPercent(mean)} to ${inPercent(max)}`;
  return `${inPercent(lowest)} to ${inPercent(max)}, the published maximum less the widest distance of any model's mean from its own`;
}

/** What is known of the runs of a result that lies outside the band. */
export interface ResultCircumstances {
  /** Examples of an update, of ours and of the published runs. */
  readonly batchSize: number;
  readonly usualBatchSize: number;
  readonly learningRate: number;
  readonly usualLearningRate: number;
  readonly maxSeqLength: number;
  readonly usualMaxSeqLength?: number;
  /** Examples that were trained on, and how many the data set has. */
  readonly trainingExamples: number;
  readonly usualTrainingExamples?: number;
  /** What the model's loading and the data's reading noted: repairs, other sizes of splits. */
  readonly notes?: readonly string[];
}

/** What to check first where a result is below the published ones: what is known to differ, then what cannot be seen here. */
export function whatToCheck(result: ResultCircumstances): DataNote[] {
  const { batchSize, usualBatchSize, learningRate, usualLearningRate, maxSeqLength, usualMaxSeqLength } = result;
  const { trainingExamples, usualTrainingExamples, notes = [] } = result;
  const found: (DataNote | false)[] = [
    batchSize < usualBatchSize && {
      kind: "batch-size",
      level: "warning",
      message: `the batch: ${batchSize} examples an update, published with ${usualBatchSize}; a smaller one lowers the results markedly`,
      run: `--batch-size and --gradient-accumulation-steps whose product is ${usualBatchSize}`,
    },
    learningRate !== usualLearningRate && {
      kind: "learning-rate",
      level: "warning",
      message: `the learning rate: ${learningRate.toExponential()}, published with ${usualLearningRate.toExponential()}`,
      run: `--learning-rate ${usualLearningRate.toExponential()}`,
    },
    usualTrainingExamples !== undefined &&
      trainingExamples < usualTrainingExamples && {
        kind: "split",
        level: "warning",
        message: `the training split: ${trainingExamples} examples, published with ${usualTrainingExamples}`,
      },
    usualMaxSeqLength !== undefined &&
      maxSeqLength < usualMaxSeqLength && {
        kind: "sequence-length",
        level: "warning",
        message: `the sequence length: ${maxSeqLength} tokens, published with ${usualMaxSeqLength}`,
        run: `--max-seq-length ${usualMaxSeqLength}`,
      },
    ...notes.map((message): DataNote => ({ kind: "note", level: "info", message })),
    {
      kind: "class",
      level: "info",
      message:
        "the class of the model: every model of this family is a BERT, RoBERTa-wwm-ext too; a folder converted as a RoBERTa " +
        "has weights that are not its own",
      run: "zhbert inspect MODEL",
    },
    {
      kind: "copies",
      level: "info",
      message: "the data: copies of a data set on the net differ in their splits",
    },
  ];
  return found.filter((one) => one !== false);
}

/** A model's scores by column, in the order of the columns; undefined where there is none. */
export interface ScoredModel {
  readonly name: string;
  readonly scores: readonly (number | undefined)[];
}

/** A model's scores in per cent of another model's. */
export interface RelativeScores {
  readonly name: string;
  /** By column, in per cent. */
  readonly relative: readonly (number | undefined)[];
  /** Of the two models' means over the columns that both have. */
  readonly average: number | undefined;
  /** The mean of what is relative in the columns of classification tasks. */
  readonly classification: number | undefined;
}

/**
 * Scores in per cent of those of the first model, as small models are compared with the one that they came from.
 * @param isClassification - by column.
 * Source: the table of small models of ymcui/Chinese-BERT-wwm.
 */
export function relativeScores(
  models: readonly ScoredModel[],
  isClassification: readonly boolean[],
): readonly RelativeScores[] {
  const [base] = models;
  if (base === undefined) return [];
  return models.map(({ name, scores }) => {
    const both = scores.flatMap((score, i) => {
      const of = base.scores[i];
      return score === undefined || of === undefined ? [] : [[score, of] as const];
    });
    const relative = scores.map((score, i) => ratio(score, base.scores[i]));
    return {
      name,
      relative,
      average: ratio(meanOfSome(both.map(([score]) => score)), meanOfSome(both.map(([, of]) => of))),
      classification: meanOfSome(relative.filter((_, i) => isClassification[i]).filter((one) => one !== undefined)),
    };
  });
}

function ratio(score: number | undefined, base: number | undefined): number | undefined {
  return score === undefined || base === undefined || base === 0 ? undefined : (100 * score) / base;
}

function meanOfSome(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : mean(values);
}
