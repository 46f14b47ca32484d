/** `zhbert mlm-head`: trains a new head for filling masks over a model's frozen encoder. */

import { TEXT_ENCODINGS } from "../../data/read-block.ts";
import { UsageError, verbatim } from "../../errors.ts";
import type { MlmHeadInspection } from "../../model/mlm-head.ts";
import { MLM_HEAD_DEFAULTS, resumeMlmHead, trainMlmHead } from "../../node/mlm-head.ts";
import { PRETRAINING_DEFAULTS } from "../../node/pretraining-plan.ts";
import type { PretrainEnvironment } from "../../node/pretraining-run.ts";
import { createSegmenter, SEGMENTERS } from "../../node/segmenters.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { downloadOptions, hubOptions, modelArgument } from "../model.ts";
import { inMegabytes, positiveNumber, sequenceLength, share, wholeNumber } from "../numbers.ts";
import { PretrainingDisplay } from "../pretraining-display.ts";
import { openEndedProgress } from "../progress.ts";
import { runRuntimeOptions } from "../runtime-options.ts";
import { encodingOption, openCorpusOf } from "../text-input.ts";

const defaults = { ...PRETRAINING_DEFAULTS, ...MLM_HEAD_DEFAULTS };

/** Without a default of commander's: a resumed run refuses what is given. */
const whole = (flag: string, description: string, fallback: string | number, min = 1) => ({
  flags: `${flag} <n>`,
  description: `${description} (default: ${fallback})`,
  parse: wholeNumber(flag, min),
});

export default defineCommand({
  name: "mlm-head",
  summary: "train a model's MLM head anew, the encoder frozen, so that it can fill masks",
  arguments: [
    { ...modelArgument, description: `${modelArgument.description}; with --resume the run's folder` },
    {
      name: "corpus",
      description: "text: a sentence or paragraph a line, a blank line between documents (default: standard input)",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    { flags: "-o, --output <folder>", description: "the run's folder (default: out)" },
    { flags: encodingOption.flags, description: "of the corpus (default: utf-8)", choices: TEXT_ENCODINGS },
    { flags: "--from-existing", description: "go on from the model's own head instead of a new one" },
    { flags: "--resume", description: "go on with the run in <model> from its last checkpoint, bit for bit" },
    { flags: "--overwrite", description: "replace a run that is in the folder" },
    whole("--steps", "updates", defaults.steps),
    whole("--batch-size", "sequences in a batch", defaults.batchSize),
    {
      flags: "--learning-rate, --lr <x>",
      description: `peak learning rate (default: ${defaults.learningRate})`,
      parse: positiveNumber("--learning-rate"),
    },
    whole("--warmup-steps", "updates of warm-up", "a tenth of the steps", 0),
    whole("--max-seq-length", "tokens of a sequence, at most 512", defaults.maxSeqLength, 8),
    {
      flags: "--masking <unit>",
      description: `what is masked together (default: ${defaults.masking})`,
      choices: ["char", "whole-word", "ngram", "span"],
    },
    {
      flags: "--segmenter <name>",
      description: "what finds words (default: jieba)",
      choices: SEGMENTERS.filter((name) => name !== "reference"),
    },
    {
      flags: "--held-out <share>",
      description: `instances to hold out (default: ${defaults.heldOutShare})`,
      parse: share("--held-out"),
    },
    whole("--eval-every", "updates between evaluations on held-out data; 0: at the end only", defaults.evalSteps, 0),
    whole("--logging-steps", "updates between measurements", defaults.loggingSteps),
    whole("--save-steps", "updates between checkpoints; 0: at the end only", defaults.saveSteps, 0),
    whole("--seed", "of the new head, order and masks", defaults.seed, 0),
    ...runRuntimeOptions,
    ...hubOptions,
  ],
  examples: [
    "zhbert mlm-head hfl/chinese-bert-wwm corpus.txt -o with-head/",
    "zhbert mlm-head model/ 'news/*.txt' -o with-head/ --steps 500 --eval-every 100",
    "zhbert mlm-head with-head/ --resume",
  ],
  async run(context) {
    const display = new PretrainingDisplay(context.output);
    const environment = display.environment(context);
    const work = context.options["resume"] === true ? resume(context, environment) : train(context, environment);
    display.end(await work.finally(() => display.stop()));
  },
});

/** Options that a resumed run may change, by the library's names. */
const CHANGEABLE = { evalSteps: "evalEvery", loggingSteps: "loggingSteps", saveSteps: "saveSteps" } as const;
const OTHERS = [
  "steps",
  "batchSize",
  "warmupSteps",
  "maxSeqLength",
  "masking",
  "seed",
  "fromExisting",
  "overwrite",
] as const;

function given(options: CommandContext["options"], names: Readonly<Record<string, string>>): Record<string, never> {
  const entries = Object.entries(names).map(([to, from]) => [to, options[from]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function resume({ args, options }: CommandContext, environment: PretrainEnvironment) {
  const fixed = [...OTHERS, "lr", "heldOut", "segmenter", "encoding", "output"].find(
    (name) => options[name] !== undefined,
  );
  if (fixed !== undefined || args["corpus"]?.length > 0) {
    throw new UsageError({
      where: "--resume",
      expected: "the run's folder alone: a resumed run keeps its choices and its corpus",
      got: verbatim(fixed ?? "a corpus beside it"),
      hint: `zhbert mlm-head ${args["model"]} --resume`,
    });
  }
  return resumeMlmHead(args["model"], { ...given(options, CHANGEABLE), ...environment });
}

async function train(context: CommandContext, environment: PretrainEnvironment) {
  const { args, options, output, signal } = context;
  const { stop, ...download } = downloadOptions(context);
  const { corpus, encoding } = await openCorpusOf(context);
  if (options["maxSeqLength"] !== undefined) sequenceLength(options["maxSeqLength"]);
  const folder: string = options["output"] ?? "out";
  const shown = { unit: "MB", label: "data" };
  const progress =
    corpus.bytes === undefined
      ? openEndedProgress(output, shown)
      : output.progress({ total: inMegabytes(corpus.bytes), ...shown });
  return trainMlmHead({
    model: args["model"],
    corpus,
    encoding,
    output: folder,
    segmenter: await createSegmenter(options["segmenter"] ?? "jieba"),
    ...given(options, Object.fromEntries(OTHERS.map((name) => [name, name]))),
    ...given(options, { ...CHANGEABLE, learningRate: "lr", heldOutShare: "heldOut" }),
    download,
    onModel: (head, notes) => {
      stop();
      for (const note of notes) output.note(note);
      output.note(startOf(head, args["model"], options["fromExisting"] === true));
      if (options["output"] === undefined) output.note(`the run's folder is ${folder} (-o names another)`);
      if (options["steps"] === undefined) output.note(`${defaults.steps} updates (--steps says how many)`);
    },
    onData: (bytes, instances) => progress.update(inMegabytes(bytes), { instances: String(instances) }),
    ...environment,
    onStart: (start) => {
      progress.stop();
      environment.onStart?.(start);
    },
    signal,
  }).finally(() => {
    stop();
    progress.stop();
  });
}

/** Which head the training begins with, and why. */
function startOf(head: MlmHeadInspection, model: string, fromExisting: boolean): string {
  const begin = fromExisting ? "training goes on from it" : "a new one is trained in its place";
  if (head.state === "missing") return `${model} has no MLM head (${head.evidence.join("; ")}): a new one is trained`;
  if (head.state === "untrained")
    return `${model} has an MLM head that was never trained (${head.evidence.join("; ")}): ${begin}`;
  return `${model} has a trained MLM head: ${begin}${fromExisting ? "" : " (--from-existing goes on from it)"}`;
}
