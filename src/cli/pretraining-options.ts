/** The options of `zhbert pretrain`, each with the name that it has in the library. */
import type { PlanOverrides, PretrainingChoices, SecondPhaseChoices } from "../node/pretraining-plan.ts";
import { PRETRAINING_DEFAULTS } from "../node/pretraining-plan.ts";
import { OPTIMIZERS } from "../train/optimizers.ts";
import { SCHEDULES } from "../train/schedules.ts";
import { WARMUP_SHARE } from "../train/settings.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { nonNegativeNumber, positiveNumber, probability, share } from "./numbers.ts";
import { presetOption } from "./preset-options.ts";
import { givenOptions, type NamedOption, number, option, whole } from "./run-options.ts";
import { runRuntimeOptions } from "./runtime-options.ts";

const defaults = PRETRAINING_DEFAULTS;

/** Options that a resumed run may change. */
const CHANGEABLE: readonly NamedOption<Exclude<keyof PlanOverrides, "data" | "secondData">>[] = [
  ["loggingSteps", whole("--logging-steps", "updates between measurements", defaults.loggingSteps)],
  ["saveSteps", whole("--save-steps", "updates between checkpoints; 0: at the end only", defaults.saveSteps, 0)],
  ["saveTotalLimit", whole("--save-total-limit", "checkpoints that are kept; 0: all", defaults.saveTotalLimit, 0)],
  [
    "evalSteps",
    whole("--eval-every", "updates between evaluations on held-out data; 0: at the end only", defaults.evalSteps, 0),
  ],
  ["evalBatches", whole("--eval-batches", "the most batches of an evaluation", defaults.evalBatches)],
];

type NewRunName =
  | Exclude<keyof PretrainingChoices, "secondPhase" | (typeof CHANGEABLE)[number][0]>
  | "output"
  | "config"
  | "init"
  | "overwrite"
  | "replay";

const FIXED: readonly NamedOption<NewRunName>[] = [
  ["output", option("-o, --output <folder>", "the run's folder", "out")],
  ["config", option("--config <name|path>", "tiny, rbt3, base, large, or a config.json", "tiny")],
  [
    "init",
    option("--init <model>", "start from the weights of this model; of a deeper one --config takes the first layers"),
  ],
  ["overwrite", option("--overwrite", "replace a run that is in the folder")],
  ["steps", whole("--steps", "updates", defaults.steps)],
  ["batchSize", whole("--batch-size", "sequences in a batch", defaults.batchSize)],
  [
    "gradientAccumulationSteps",
    whole("--gradient-accumulation-steps", "batches for one update", defaults.gradientAccumulationSteps),
  ],
  ["batchRamp", number("--batch-ramp", "share of the steps over which these grow from 1", 0, probability)],
  ["learningRate", number("--learning-rate, --lr", "peak learning rate", defaults.learningRate, positiveNumber)],
  ["warmupSteps", whole("--warmup-steps", "updates of warm-up", "a tenth of the steps", 0)],
  [
    "optimizer",
    {
      ...option("--optimizer <name>", "AdamW or LAMB, with the schedule and clipping of its program", "adamw-bert"),
      choices: OPTIMIZERS,
    },
  ],
  [
    "schedule",
    {
      ...option("--schedule <name>", "how the learning rate falls after warm-up", "as the optimiser's program"),
      choices: SCHEDULES,
    },
  ],
  ["schedulePower", number("--schedule-power", "of google, nvidia, polynomial", "1; nvidia: 0.5", positiveNumber)],
  ["endLearningRate", number("--end-learning-rate", "where the schedule ends", 0, nonNegativeNumber)],
  ["hours", number("--hours", "train so long, not --steps; the schedule follows the clock", undefined, positiveNumber)],
  ["warmupShare", number("--warmup-share", "warm-up of a run with --hours", WARMUP_SHARE, share)],
  [
    "replay",
    option("--replay <folder>", "with --hours: take the time by step from this run, to repeat it bit for bit"),
  ],
  ["layerDecay", number("--layer-decay", "factor on learning rates from a layer to the one under it", 1, probability)],
  ["frozenLayers", whole("--freeze-layers", "leave the first n layers as they are", 0, 0)],
  ["frozenEmbeddings", option("--freeze-embeddings", "leave the embeddings as they are")],
  ["weightDecay", number("--weight-decay", "not on biases and LayerNorm", defaults.weightDecay, nonNegativeNumber)],
  ["beta1", number("--adam-beta1", "share of the mean of gradients that stays", 0.9, share)],
  ["beta2", number("--adam-beta2", "share of the mean of their squares that stays", 0.999, share)],
  ["epsilon", number("--adam-epsilon", "added to its root", "as the optimiser's program", positiveNumber)],
  [
    "maxGradientNorm",
    number("--max-grad-norm", "limit of the gradient's norm; 0: none", defaults.maxGradientNorm, nonNegativeNumber),
  ],
  ["dropout", option("--dropout <rate>", "instead of the config's rates", "as the config", share("--dropout"))],
  ["averageDecay", number("--ema", "keep a moving average of the weights: the share that stays", undefined, share)],
  ["patience", whole("--early-stop", "end after n evaluations without a lower held-out loss")],
  ["saveBest", option("--save-best", "keep the model of the lowest held-out loss in best/")],
  ["loadBest", option("--load-best", "keep it, and make it the run's model in the end")],
  ["dynamicMasking", option("--dynamic-masking", "draw masks anew in each epoch")],
  [
    "masking",
    option("--masking <names>", "the same, otherwise than the data: a way of masking or a mixture", "the data's"),
  ],
  [
    "maskingRatio",
    option(
      "--masking-ratio <share>",
      "the same: share of tokens to predict, 0.30:0.15 from first to last",
      "the data's",
    ),
  ],
  [
    "heldOutShare",
    option("--held-out <share>", "instances to hold out where the data have no held-out part", 0, share("--held-out")),
  ],
  ["recompute", option("--recompute", "compute layers again for their gradients: less memory, more time")],
  ["overfitOneBatch", option("--overfit-one-batch", "sanity check: train on one batch; the loss must fall towards 0")],
  ["seed", whole("--seed", "of initialisation, order, masks and dropout", defaults.seed, 0)],
];

const SECOND_PHASE: readonly NamedOption<Exclude<keyof SecondPhaseChoices, "data">>[] = [
  ["steps", whole("--phase2-steps", "updates of a second phase after --steps", "no second phase")],
  ["batchSize", whole("--phase2-batch-size", "sequences in its batches", "--batch-size")],
  [
    "gradientAccumulationSteps",
    whole("--phase2-gradient-accumulation-steps", "its batches for one update", "--gradient-accumulation-steps"),
  ],
  [
    "learningRate",
    number("--phase2-lr", "peak of a schedule of its own", "one schedule over both phases", positiveNumber),
  ],
  ["warmupSteps", whole("--phase2-warmup-steps", "with --phase2-lr: its warm-up", "a tenth of its steps", 0)],
];

const SECOND_DATA = option("--phase2-data <folder>", "data of the second phase, say of 512 tokens", "the same data");

/** What a new run may be given, and a resumed one keeps. */
export const fixedOptions: readonly CommandOption[] = [
  presetOption,
  ...[...FIXED, ...SECOND_PHASE].map(([, given]) => given),
];

/** All options of a run but where it goes on. */
export const runOptions: readonly CommandOption[] = [
  ...fixedOptions,
  SECOND_DATA,
  ...CHANGEABLE.map(([, given]) => given),
  ...runRuntimeOptions,
];

type Options = CommandContext["options"];

/** What a resumed run changes. */
export function overridesOf(options: Options): PlanOverrides {
  const { data, phase2Data: secondData } = options;
  return {
    ...givenOptions(options, CHANGEABLE),
    ...(data === undefined ? {} : { data }),
    ...(secondData === undefined ? {} : { secondData }),
  };
}

/** The choices for a new run. */
export function newRunOf(options: Options): PretrainingChoices & { output: string; replay?: string } {
  const secondPhase = givenOptions(options, [...SECOND_PHASE, ["data", SECOND_DATA]]);
  return {
    output: "out",
    ...givenOptions(options, [...CHANGEABLE, ...FIXED]),
    ...(Object.keys(secondPhase).length === 0 ? {} : { secondPhase: secondPhase as unknown as SecondPhaseChoices }),
  };
}
