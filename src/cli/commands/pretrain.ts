/** `zhbert pretrain`: trains a BERT on a data folder, or goes on with a run. */
import { UsageError, verbatim } from "../../errors.ts";
import { pretrain, resumePretraining } from "../../node/pretrain.ts";
import { type PlanOverrides, PRETRAINING_DEFAULTS, type PretrainingChoices } from "../../node/pretraining-plan.ts";
import type { PretrainEnvironment } from "../../node/pretraining-run.ts";
import { OPTIMIZERS } from "../../train/optimizers.ts";
import { SCHEDULES } from "../../train/schedules.ts";
import { WARMUP_SHARE } from "../../train/settings.ts";
import { type CommandContext, type CommandOption, defineCommand } from "../command.ts";
import { nonNegativeNumber, positiveNumber, probability, share, wholeNumber } from "../numbers.ts";
import { PretrainingDisplay } from "../pretraining-display.ts";

const defaults = PRETRAINING_DEFAULTS;

/** An option whose absence can be told: its default is in the text only, since resuming refuses what is given. */
function option(
  flags: string,
  description: string,
  value?: string | number,
  parse?: CommandOption["parse"],
): CommandOption {
  const shown = value === undefined ? description : `${description} (default: ${value})`;
  return { flags, description: shown, ...(parse === undefined ? {} : { parse }) };
}

const whole = (flag: string, value: string, description: string, fallback: string | number | undefined, min = 1) =>
  option(`${flag} <${value}>`, description, fallback, wholeNumber(flag, min));

/** Options that a resumed run may change. */
const changeable: readonly CommandOption[] = [
  whole("--logging-steps", "n", "updates between measurements", defaults.loggingSteps),
  whole("--save-steps", "n", "updates between checkpoints; 0: at the end only", defaults.saveSteps, 0),
  whole("--save-total-limit", "n", "checkpoints that are kept; 0: all", defaults.saveTotalLimit, 0),
  whole("--eval-every", "n", "updates between evaluations on held-out data; 0: at the end only", defaults.evalSteps, 0),
  whole("--eval-batches", "n", "the most batches of an evaluation", defaults.evalBatches),
  whole("--threads", "n", "threads of the engine; a resumed run takes its own", "all processors"),
];

const hours = positiveNumber("--hours");

const fixed: readonly CommandOption[] = [
  option("-o, --output <folder>", "the run's folder", "out"),
  option("--config <name|path>", "tiny, rbt3, base, large, or a config.json", "tiny"),
  option("--init <folder>", "start from the weights of this model"),
  option("--overwrite", "replace a run that is in the folder"),
  whole("--steps", "n", "updates", defaults.steps),
  whole("--batch-size", "n", "sequences in a batch", defaults.batchSize),
  whole("--gradient-accumulation-steps", "n", "batches for one update", defaults.gradientAccumulationSteps),
  option("--learning-rate, --lr <x>", "peak learning rate", defaults.learningRate, positiveNumber("--learning-rate")),
  whole("--warmup-steps", "n", "updates of warm-up", "a tenth of the steps", 0),
  {
    ...option("--optimizer <name>", "AdamW or LAMB, with the schedule and clipping of its program", defaults.optimizer),
    choices: OPTIMIZERS,
  },
  {
    ...option("--schedule <name>", "how the learning rate falls after warm-up", "as the optimiser's program"),
    choices: SCHEDULES,
  },
  option("--schedule-power <x>", "of google, nvidia, polynomial", "1; nvidia: 0.5", positiveNumber("--schedule-power")),
  option("--end-learning-rate <x>", "where the schedule ends", 0, nonNegativeNumber("--end-learning-rate")),
  option("--hours <x>", "train so long instead of --steps; the schedule follows the clock", undefined, hours),
  option("--warmup-share <x>", "warm-up of a run with --hours", WARMUP_SHARE, share("--warmup-share")),
  option("--replay <folder>", "with --hours: take the time by step from this run, to repeat it bit for bit"),
  option(
    "--layer-decay <x>",
    "factor on learning rates from a layer to the one under it",
    1,
    probability("--layer-decay"),
  ),
  whole("--freeze-layers", "n", "leave the first n layers as they are", 0, 0),
  option("--freeze-embeddings", "leave the embeddings as they are"),
  option(
    "--weight-decay <x>",
    "not on biases and LayerNorm",
    defaults.weightDecay,
    nonNegativeNumber("--weight-decay"),
  ),
  option(
    "--max-grad-norm <x>",
    "limit of the gradient's norm",
    defaults.maxGradientNorm,
    positiveNumber("--max-grad-norm"),
  ),
  option("--dropout <rate>", "instead of the config's rates", "as the config", share("--dropout")),
  option("--dynamic-masking", "draw masks anew in each epoch"),
  option("--held-out <share>", "instances to hold out where the data have no held-out part", 0, share("--held-out")),
  option("--recompute", "compute layers again for their gradients: less memory, more time"),
  option("--overfit-one-batch", "sanity check: train on one batch; the loss must fall towards 0"),
  whole("--seed", "n", "of initialisation, order, masks and dropout", defaults.seed, 0),
];

export default defineCommand({
  name: "pretrain",
  summary: "pre-train a BERT on the data that zhbert data made, or resume",
  arguments: [{ name: "folder", description: "the data folder; with --resume the run's folder" }],
  options: [
    option("--resume", "go on with the run in <folder> from its last checkpoint, bit for bit"),
    option("--data <folder>", "with --resume: where the data are now", "where they were"),
    ...fixed,
    ...changeable,
  ],
  examples: [
    "zhbert pretrain data/ --config tiny -o out/ --steps 500 --save-steps 100 --seed 1",
    "zhbert pretrain out/ --resume",
    "zhbert pretrain data/ --overfit-one-batch --steps 200 -o check/",
  ],
  async run(context) {
    const { folder } = context.args;
    checkUse(context);
    const display = new PretrainingDisplay(context.output);
    const environment: PretrainEnvironment = {
      signal: context.signal,
      ...display.hooks,
      ...given(context.options, { threads: "threads" }),
    };
    const result = await (context.options["resume"]
      ? resumePretraining(folder, { ...overridesOf(context.options), ...environment })
      : pretrain({ ...newRunOf(context.options), data: folder, ...environment })
    ).finally(() => display.stop());
    display.end(result);
  },
});

/** Refuses options that contradict each other. */
function checkUse({ options }: CommandContext): void {
  if (!options["resume"]) {
    if (options["data"] === undefined) return;
    throw new UsageError({
      where: "--data",
      expected: "--resume beside it",
      got: verbatim("a new run"),
      hint: "the data folder of a new run is the argument: zhbert pretrain data/",
    });
  }
  const names = fixed.flatMap(({ flags }) => /--([a-z-]+)(?: <[^>]*>)?$/.exec(flags)?.[1] ?? []);
  const wrong = names.find((name) => options[camelCase(name)] !== undefined);
  if (wrong === undefined) return;
  throw new UsageError({
    where: `--${wrong}`,
    expected: "a resumed run to keep its own",
    got: verbatim(String(options[camelCase(wrong)])),
    hint: "leave the option out, or start a new run with --init",
  });
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Those of the options that were given, under the library's names. */
function given(options: CommandContext["options"], names: Readonly<Record<string, string>>): Record<string, never> {
  const entries = Object.entries(names).map(([to, from]) => [to, options[from]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function overridesOf(options: CommandContext["options"]): PlanOverrides {
  return given(options, {
    data: "data",
    loggingSteps: "loggingSteps",
    saveSteps: "saveSteps",
    saveTotalLimit: "saveTotalLimit",
    evalSteps: "evalEvery",
    evalBatches: "evalBatches",
  });
}

function newRunOf(options: CommandContext["options"]): PretrainingChoices & { output: string; replay?: string } {
  const { data: _, ...overrides } = overridesOf(options);
  const names = ["config", "init", "overwrite", "steps", "batchSize", "gradientAccumulationSteps", "learningRate"];
  const more = ["warmupSteps", "optimizer", "weightDecay", "dropout", "dynamicMasking", "recompute", "overfitOneBatch"];
  const course = ["schedule", "schedulePower", "endLearningRate", "hours", "warmupShare", "replay", "layerDecay"];
  return {
    output: options["output"] ?? "out",
    ...overrides,
    ...given(options, Object.fromEntries([...names, ...more, ...course, "seed"].map((name) => [name, name]))),
    ...given(options, { frozenLayers: "freezeLayers", frozenEmbeddings: "freezeEmbeddings" }),
    ...given(options, { maxGradientNorm: "maxGradNorm", heldOutShare: "heldOut", learningRate: "lr" }),
  };
}
