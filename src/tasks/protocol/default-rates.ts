/**
 * What to fine-tune with when nothing is said: the published best learning rates, with the batch size, epochs and warm-up of
 * the published runs.
 *
 * Sources: the learning rates are those of model/zoo.ts (ymcui/Chinese-BERT-wwm; iflytek/MiniRBT for small models). Batch
 * size, epochs and lengths: what the technical report of Chinese-BERT-wwm (arXiv:1906.08101) is known to use; those of CMRC 2018 and
 * LCQMC are confirmed by ymcui/Chinese-BERT-wwm, issues 11 and 36, the others are to be held against the report's table
 * before a reproduction is judged. MiniRBT (arXiv:2304.00717) tries 2, 3, 5 and 10 epochs. Warm-up: issue 11.
 * What stands for no data set: Devlin et al. 2018 (arXiv:1810.04805), appendix A.3.
 */
import type { BertConfig } from "../../model/config.ts";
import { bestLearningRates } from "../../model/zoo.ts";
import type { TaskName } from "../datasets/dataset.ts";
import type { DataNote } from "../records/data-note.ts";

/** Models that want like learning rates; a column of the published table. */
export type RateFamily = keyof typeof bestLearningRates;

/** What of a model's config.json tells its family. */
export type RateModel = Pick<BertConfig, "vocabSize" | "hiddenSize" | "numHiddenLayers" | "hiddenAct">;

/** What is fine-tuned. */
export interface FineTuningChoice {
  readonly task: TaskName;
  /** The title of a known data set: "CMRC 2018". */
  readonly dataset?: string;
  readonly model: RateModel;
}

/** What a run takes where nothing is said. */
export interface FineTuningDefaults {
  /** The highest of the run, after warm-up. */
  readonly learningRate: number;
  /** Examples of an update. */
  readonly batchSize: number;
  readonly epochs: number;
  /** Tokens of a row in the published runs; undefined where there are none. */
  readonly publishedLength?: number;
  /** The share of updates in which the learning rate rises, in [0, 1]. */
  readonly warmupShare: number;
  /** Where the learning rate comes from, in words. */
  readonly source: string;
}

interface Course {
  readonly batchSize: number;
  readonly epochs: number;
  readonly maxSeqLength?: number;
}

/** How the published runs trained on a data set: examples of an update, epochs, and tokens of a row. */
const publishedCourses: Readonly<Record<string, Course>> = {
  "CMRC 2018": { batchSize: 64, epochs: 2, maxSeqLength: 512 },
  DRCD: { batchSize: 64, epochs: 2, maxSeqLength: 512 },
  CJRC: { batchSize: 64, epochs: 2, maxSeqLength: 512 },
  XNLI: { batchSize: 64, epochs: 2, maxSeqLength: 128 },
  ChnSentiCorp: { batchSize: 64, epochs: 3, maxSeqLength: 256 },
  LCQMC: { batchSize: 64, epochs: 3, maxSeqLength: 128 },
  "BQ Corpus": { batchSize: 64, epochs: 3, maxSeqLength: 128 },
  THUCNews: { batchSize: 64, epochs: 3, maxSeqLength: 512 },
};

/** Of data that nobody published rates for, what the published ones of the same task have, rounded to a usual rate. */
const rateOfTask: Readonly<Record<TaskName, number>> = {
  classify: 2e-5,
  match: 3e-5,
  multilabel: 3e-5,
  regress: 3e-5,
  ner: 3e-5,
  qa: 3e-5,
  choice: 2e-5,
  embed: 3e-5,
};
/** The best rate of small models on six of seven data sets. */
const SMALL_RATE = 1e-4;
/** The best rates of ERNIE: 8e-5 for reading comprehension, 5e-5 for nearly all else. */
const ERNIE_RATES = { qa: 8e-5, others: 5e-5 } as const;
/** In the middle of what Devlin et al. try: 16 and 32 examples, 2 to 4 epochs. */
const UNPUBLISHED_COURSE: Course = { batchSize: 32, epochs: 3 };
/** Small models want more epochs; one of those that MiniRBT's authors try. */
const SMALL_EPOCHS = 5;
const WARMUP_SHARE = 0.1;

/** Fewer layers or narrower ones than BERT-base: RBT3, RBT4, RBT6, MiniRBT, LERT-small. */
const BASE = { layers: 12, hiddenSize: 768 } as const;
const ERNIE_VOCAB_SIZE = 18_000;

/** The column of the published learning rates that fits a model, by its config and never by its name. */
export function rateFamilyOf(model: RateModel): RateFamily {
  if (model.hiddenAct === "relu" && model.vocabSize === ERNIE_VOCAB_SIZE) return "ernie";
  if (model.numHiddenLayers < BASE.layers || model.hiddenSize < BASE.hiddenSize) return "small";
  return "wwm";
}

/** What to fine-tune a model with on a data set, or on data of the user's own. */
export function fineTuningDefaults(choice: FineTuningChoice): FineTuningDefaults {
  const family = rateFamilyOf(choice.model);
  const course = publishedCourses[choice.dataset ?? ""] ?? UNPUBLISHED_COURSE;
  const epochs = family === "small" ? Math.max(course.epochs, SMALL_EPOCHS) : course.epochs;
  const published = publishedRate(choice.dataset, family);
  return {
    learningRate: published ?? unpublishedRate(choice.task, family),
    batchSize: course.batchSize,
    epochs,
    ...(course.maxSeqLength === undefined ? {} : { publishedLength: course.maxSeqLength }),
    warmupShare: WARMUP_SHARE,
    source:
      published === undefined
        ? `usual for ${FAMILY_WORDS[family]} on this kind of task; none is published for the data`
        : `the published best one of ${FAMILY_WORDS[family]} on ${choice.dataset}`,
  };
}

/** The learning rate to fine-tune a model with on a data set, or on data of the user's own. */
export function defaultLearningRate(choice: FineTuningChoice): number {
  return fineTuningDefaults(choice).learningRate;
}

const FAMILY_WORDS: Readonly<Record<RateFamily, string>> = {
  bert: "BERT",
  ernie: "ERNIE",
  wwm: "BERT and the whole word masking models",
  small: "small models",
};

/** The published best learning rate; undefined where there is none for the data set and the family. */
function publishedRate(dataset: string | undefined, family: RateFamily): number | undefined {
  const rates: Readonly<Record<string, number>> = bestLearningRates[family];
  return dataset === undefined ? undefined : rates[dataset];
}

function unpublishedRate(task: TaskName, family: RateFamily): number {
  if (family === "small") return SMALL_RATE;
  if (family === "ernie") return task === "qa" ? ERNIE_RATES.qa : ERNIE_RATES.others;
  return rateOfTask[task];
}

/** The learning rates that occur in the published table, in ascending order: what to search among. */
export function learningRateGrid(): number[] {
  const rates = Object.values(bestLearningRates).flatMap((column) => Object.values(column));
  return [...new Set(rates)].sort((a, b) => a - b);
}

/** What an update is made of. */
interface UpdateBatches {
  /** Examples that are computed at once. */
  readonly batchSize: number;
  readonly gradientAccumulationSteps: number;
}

/** A learning rate this many times above or below the table's is worth a word: the table's own rates differ by 5. */
const FAR = 3;

/**
 * What to say of a chosen learning rate and batch size: nothing when they are near those of the published runs.
 * @param batches - examples in each, and how many make an update.
 */
export function rateNotes(choice: FineTuningChoice, learningRate: number, batches: UpdateBatches): DataNote[] {
  const usual = fineTuningDefaults(choice);
  const examples = batches.batchSize * batches.gradientAccumulationSteps;
  const notes: DataNote[] = [];
  const ratio = learningRate / usual.learningRate;
  if (ratio >= FAR || ratio <= 1 / FAR) {
    const factor = Number((ratio >= 1 ? ratio : 1 / ratio).toPrecision(2));
    notes.push({
      kind: "learning-rate",
      level: "warning",
      message:
        `a learning rate of ${learningRate.toExponential()} is ${factor} times ${ratio >= 1 ? "above" : "below"} ` +
        `${usual.learningRate.toExponential()}, ${usual.source}`,
      measured: { learningRate, usual: usual.learningRate },
      run: `--learning-rate ${usual.learningRate.toExponential()}, or zhbert search`,
    });
  }
  const isPublished = publishedCourses[choice.dataset ?? ""] !== undefined;
  if (isPublished && examples * 2 <= usual.batchSize) {
    notes.push({
      kind: "batch-size",
      level: "warning",
      message: `the published results were had with ${usual.batchSize} examples an update, and ${examples} lower them markedly`,
      measured: { batchSize: examples, usual: usual.batchSize },
      run: `--gradient-accumulation-steps ${Math.ceil(usual.batchSize / batches.batchSize)}`,
    });
  }
  return notes;
}
