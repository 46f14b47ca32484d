/** The options of `zhbert finetune`, each with the name that it has in the library. */
import { UsageError, verbatim } from "../errors.ts";
import type { FineTuneOptions } from "../node/fine-tune.ts";
import type { TaskSettingChoices } from "../node/fine-tuning-job.ts";
import { FINE_TUNING_DEFAULTS, type FineTuningChoices } from "../node/fine-tuning-plan.ts";
import type { TaskDataOptions } from "../node/task-data.ts";
import { EMBED_OBJECTIVES, EMBED_POOLINGS, EMBED_TEMPERATURE } from "../tasks/embed.ts";
import { LABEL_SCHEMES } from "../tasks/ner/ner-settings.ts";
import { DEFAULT_N_BEST } from "../tasks/qa/qa-settings.ts";
import { columnChoices } from "../tasks/records/columns.ts";
import { RECORD_FORMATS } from "../tasks/records/records.ts";
import { ADVERSARIAL_EPSILON, ADVERSARIAL_METHODS, PGD_DEFAULTS } from "../train/adversarial.ts";
import { OPTIMIZERS } from "../train/optimizers.ts";
import { SCHEDULES } from "../train/schedules.ts";
import { WARMUP_SHARE } from "../train/settings.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { finiteNumber, nonNegativeNumber, positiveNumber, probability, share } from "./numbers.ts";
import { givenOptions, givenValue, longName, type NamedOption, number, option, whole } from "./run-options.ts";

const defaults = FINE_TUNING_DEFAULTS;
const PUBLISHED = "as published for the data and models of this size";

type DataName = Exclude<keyof TaskDataOptions, "name" | "splits" | "columns">;

const DATA: readonly NamedOption<DataName>[] = [
  [
    "dataset",
    option("--dataset <name>", "with a task's name: the published data set that --data holds, sts-b for embed"),
  ],
  ["folder", option("--data <folder>", "a data set's folder, or one with train.*, dev.* and test.*")],
  ["train", option("--train <file>", "training examples: CSV, TSV, JSON, JSON lines, CoNLL")],
  ["dev", option("--dev <file>", "development examples", "a tenth of the training examples")],
  ["test", option("--test <file>", "test examples: scored at the end")],
  ["format", { ...option("--format <name>", "of these files", "by their names"), choices: RECORD_FORMATS }],
  ["encoding", option("--encoding <name>", "of these files: utf-8, gb18030, ...", "told by their bytes")],
  ["maxTrainExamples", whole("--max-train-samples, --max-train-examples", "train on a sample of so many", "all")],
  ["devShare", number("--dev-share", "held out where there are no development examples", 0.1, share)],
];

type ColumnName = "text" | "textPair" | "label" | "score" | "id";

const COLUMNS: readonly NamedOption<ColumnName>[] = [
  ["text", option("--text-column <name>", "a column by name, or by number from 1", "by usual names")],
  ["textPair", option("--text-pair-column <name>", "of the second text")],
  ["label", option("--label-column <name>", "of the label; of multilabel several, with commas between")],
  ["score", option("--score-column <name>", "of the number")],
  ["id", option("--id-column <name>", "of the example's name")],
];

const TASK: readonly NamedOption<string>[] = [
  ["maxSeqLength", whole("--max-seq-length", "tokens of the longest row", "as usual for the data or the task", 4)],
  ["layerMix", option("--layer-mix", "heads stand on a learned weighted sum of all layers")],
  [
    "threshold",
    number("--threshold", "multilabel: labels of this probability or more are predicted", 0.5, probability),
  ],
  [
    "scoreRange",
    option(
      "--score-range <list>",
      "regress, embed: lowest and highest score, 0,5; of regress predictions stay inside",
      "open; of embed as in the examples",
      scoreRange,
    ),
  ],
  ["docStride", whole("--doc-stride", "qa: passage tokens from one window to the next", 128)],
  ["maxQueryLength", whole("--max-query-length", "qa: tokens that are kept of a question", 64)],
  ["maxAnswerLength", whole("--max-answer-length", "qa: tokens of the longest answer", 30)],
  ["noAnswer", option("--version-2-with-negative, --null-answers", "qa: questions may have no answer")],
  [
    "noAnswerThreshold",
    number(
      "--null-score-diff-threshold, --null-threshold",
      "qa: no answer is predicted where its score is higher by more",
      0,
      finiteNumber,
    ),
  ],
  ["nBest", whole("--n-best-size", "qa: answers that predictions keep", DEFAULT_N_BEST)],
  [
    "maskScores",
    option("--mask-scores", "qa: the question and padding are no places of answers, as in CMRC's baseline"),
  ],
  [
    "objective",
    {
      ...option("--objective <name>", "embed: what vectors are trained by", "as the examples are"),
      choices: EMBED_OBJECTIVES,
    },
  ],
  [
    "pooling",
    { ...option("--pooling <name>", "embed: how tokens become a vector", EMBED_POOLINGS[0]), choices: EMBED_POOLINGS },
  ],
  ["temperature", number("--temperature", "embed: of simcse and in-batch", EMBED_TEMPERATURE, positiveNumber)],
  ["crf", option("--crf", "ner: train a conditional random field over the tags, and decode by it")],
  ["constrained", option("--constrained", "ner: predict only tags that may follow one another")],
  [
    "scheme",
    {
      ...option("--tag-scheme <name>", "ner: of the model's tags", "as the data; IOB1 as IOB2"),
      choices: LABEL_SCHEMES,
    },
  ],
];

type RunName = Exclude<keyof FineTuningChoices, "adversarial" | "loss" | "schedulePower">;

const RUN: readonly NamedOption<RunName>[] = [
  [
    "epochs",
    number("--num-train-epochs, --epochs", "passes over the examples, 2.5 at will", PUBLISHED, positiveNumber),
  ],
  ["steps", whole("--max-steps, --steps", "updates, instead of --epochs")],
  ["batchSize", whole("--train-batch-size, --batch-size", "examples in a batch", PUBLISHED)],
  [
    "gradientAccumulationSteps",
    whole("--gradient-accumulation-steps", "batches for one update", defaults.gradientAccumulationSteps),
  ],
  ["learningRate", number("--lr, --learning-rate", "peak learning rate", PUBLISHED, positiveNumber)],
  [
    "crfLearningRate",
    number(
      "--crf-lr, --crf-learning-rate",
      "peak rate of the CRF's transitions; 100 times --lr is usual",
      "as --lr",
      positiveNumber,
    ),
  ],
  ["warmupShare", number("--warmup-ratio, --warmup", "share of the updates with a rising rate", WARMUP_SHARE, share)],
  [
    "optimizer",
    {
      ...option("--optimizer <name>", "with the schedule and clipping of its program", defaults.optimizer),
      choices: OPTIMIZERS,
    },
  ],
  [
    "schedule",
    { ...option("--schedule <name>", "how the rate falls after warm-up", "as the optimiser's"), choices: SCHEDULES },
  ],
  ["weightDecay", number("--weight-decay", "not on biases and LayerNorm", defaults.weightDecay, nonNegativeNumber)],
  ["beta1", number("--adam-beta1", "share of the mean of gradients that stays", 0.9, share)],
  ["beta2", number("--adam-beta2", "share of the mean of their squares that stays", 0.999, share)],
  ["epsilon", number("--adam-epsilon", "added to its root", "as the optimiser's", positiveNumber)],
  [
    "maxGradientNorm",
    number("--max-grad-norm", "limit of the gradient's norm; 0: none", defaults.maxGradientNorm, nonNegativeNumber),
  ],
  ["layerDecay", number("--layer-decay", "factor on learning rates from a layer to the one under it", 1, probability)],
  ["frozenLayers", whole("--freeze-layers", "leave the first n layers as they are", 0, 0)],
  ["frozenEmbeddings", option("--freeze-embeddings", "leave the embeddings as they are")],
  ["frozenEncoder", option("--freeze-encoder", "train only what stands on the encoder; well with --layer-mix")],
  [
    "unfreezeEvery",
    number("--unfreeze-every", "begin with the top layer, one more each share of an epoch", undefined, positiveNumber),
  ],
  ["dropout", option("--dropout <rate>", "instead of the config's rates", "as the config", share("--dropout"))],
  ["rDropAlpha", number("--r-drop", "R-Drop: weight of the divergence of two passes", undefined, positiveNumber)],
  ["averageDecay", number("--ema", "give a moving average of the weights: the share that stays", undefined, share)],
  ["recompute", option("--recompute", "compute layers again for their gradients: less memory, more time")],
  ["evalSteps", whole("--eval-every, --eval-steps", "updates between evaluations", "those of an epoch", 0)],
  ["evalBatchSize", whole("--eval-batch-size", "rows in a batch of evaluation", defaults.evalBatchSize)],
  ["patience", whole("--early-stop", "end after n evaluations without a better one")],
  ["keepLast", option("--keep-last", "give the model of the last update, not that of the best evaluation")],
  ["loggingSteps", whole("--logging-steps", "updates between measurements", defaults.loggingSteps)],
  ["saveSteps", whole("--save-steps", "updates between checkpoints; 0: none on the way", "those of an epoch", 0)],
  ["keepCheckpoints", option("--keep-checkpoints", "leave the last checkpoint in the folder of a finished run")],
  ["seed", whole("--seed", "of the head's first values, order and dropout", defaults.seed, 0)],
];

const LOSS: readonly NamedOption<"labelSmoothing" | "focalGamma" | "classWeights">[] = [
  ["labelSmoothing", number("--label-smoothing", "share of the target spread over all labels", 0, share)],
  [
    "focalGamma",
    number("--focal-gamma", "focal loss: how much less what is right already counts", 0, nonNegativeNumber),
  ],
  [
    "classWeights",
    option("--class-weights <list>", "factors on the loss of each label: 1,2.5,1, or balanced", "none", classWeights),
  ],
];

const ADVERSARIAL: readonly NamedOption<"method" | "epsilon" | "stepSize" | "steps">[] = [
  [
    "method",
    { ...option("--adversarial <name>", "train on moved embeddings besides", "none"), choices: ADVERSARIAL_METHODS },
  ],
  ["epsilon", number("--adversarial-epsilon", "how far they are moved", ADVERSARIAL_EPSILON, positiveNumber)],
  ["stepSize", number("--adversarial-step", "pgd: length of a step", PGD_DEFAULTS.stepSize, positiveNumber)],
  ["steps", whole("--adversarial-steps", "pgd: steps", PGD_DEFAULTS.steps)],
];

const PLACE: readonly NamedOption<"model" | "output" | "overwrite" | "runs">[] = [
  ["model", option("--model-name-or-path, --model <model>", "a model's folder, file or name on the hub")],
  ["output", option("-o, --output <folder>", "the folder of the fine-tuned model", "out")],
  ["runs", whole("--runs", "seeds: the best run is the model; maximum, mean and deviation of all", 1)],
  ["overwrite", option("--overwrite", "replace a model or runs that are in the folder")],
];

const ALL = [...PLACE, ...DATA, ...COLUMNS, ...TASK, ...RUN, ...LOSS, ...ADVERSARIAL].map(([, given]) => given);

/** All options of a new run. */
export const fineTuneOptions: readonly CommandOption[] = ALL;

type Options = CommandContext["options"];

/**
 * What a new fine-tuning was asked for.
 * @param name - of a data set or a task.
 * @throws {UsageError} when the model is not said.
 */
export function fineTuningOf(options: Options, name: string): FineTuneOptions {
  const columns = givenOptions(options, COLUMNS) as Record<string, string>;
  const loss = givenOptions(options, LOSS);
  const adversarial = givenOptions(options, ADVERSARIAL) as unknown as FineTuningChoices["adversarial"];
  const place = givenOptions(options, PLACE) as unknown as { model?: string; output?: string };
  const { model, output = "out" } = place;
  if (model === undefined) {
    throw new UsageError({
      where: "--model",
      expected: "a model to fine-tune",
      got: verbatim("none"),
      hint: "for example --model hfl/rbt3, or the folder that zhbert pretrain -o wrote",
    });
  }
  expectMethod(adversarial);
  return {
    ...place,
    ...(givenOptions(options, RUN) as FineTuningChoices),
    ...(Object.keys(loss).length === 0 ? {} : { loss }),
    ...(adversarial?.method === undefined ? {} : { adversarial }),
    model,
    output,
    task: givenOptions(options, TASK) as TaskSettingChoices,
    data: { name, ...givenOptions(options, DATA), ...columnsOf(columns) },
  };
}

/** Refuses what a resumed run keeps of its own. */
export function expectNoneGiven(options: Options): void {
  const wrong = ALL.find((one) => givenValue(options, one) !== undefined);
  if (wrong === undefined) return;
  throw new UsageError({
    where: `--${longName(wrong)}`,
    expected: "a resumed run to keep its own",
    got: verbatim(String(givenValue(options, wrong))),
    hint: "leave the option out, or start a new run in another folder",
  });
}

function expectMethod(adversarial: Partial<NonNullable<FineTuningChoices["adversarial"]>> | undefined): void {
  if (Object.keys(adversarial ?? {}).length === 0 || adversarial?.method !== undefined) return;
  const expected = `--adversarial ${ADVERSARIAL_METHODS.join(" or ")} beside its options`;
  throw new UsageError({ where: "--adversarial", expected, got: verbatim("none") });
}

function columnsOf(columns: Record<string, string>): Pick<TaskDataOptions, "columns"> {
  if (Object.keys(columns).length === 0) return {};
  return { columns: columnChoices(columns) };
}

function classWeights(text: string): readonly number[] | "balanced" {
  if (text === "balanced") return text;
  const list = numbers(text);
  if (list.every((value) => value >= 0)) return list;
  const expected = "balanced, or numbers of 0 or more with commas between";
  throw new UsageError({ where: "--class-weights", expected, got: text });
}

function scoreRange(text: string): readonly [number, number] {
  const [lowest, highest, ...more] = numbers(text);
  if (lowest !== undefined && highest !== undefined && lowest < highest && more.length === 0) return [lowest, highest];
  const expected = "the lowest and the highest score with a comma between";
  throw new UsageError({ where: "--score-range", expected, got: text });
}

/** Numbers with commas between; NaN for what is none. */
function numbers(text: string): number[] {
  const list = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  return list.map((value) => (Number.isFinite(value) ? value : Number.NaN));
}
