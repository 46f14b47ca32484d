/** `zhbert plan`: what a pre-training job takes on this machine, in memory and days, before it is begun. */
import { availableParallelism } from "node:os";
import { UsageError, verbatim } from "../../errors.ts";
import { resolveConfig } from "../../node/model-files.ts";
import { type PlannedJob, type PlannedPhase, planTraining } from "../../node/plan-training.ts";
import { loadVocabulary } from "../../node/vocabulary-file.ts";
import type { Choice } from "../../report/training-plan.ts";
import { OPTIMIZERS } from "../../train/optimizers.ts";
import { several } from "../../util/several.ts";
import { type CommandContext, defineCommand, type Output } from "../command.ts";
import { noteLoad } from "../machine-load.ts";
import { byteCount, share, tokenCount, wholeNumber } from "../numbers.ts";
import { presetOption, printPresets, readPreset, withPlanPreset } from "../preset-options.ts";
import { openEngine, runtimeOptions } from "../runtime-options.ts";

/** BERT's own: a million updates of 256 sequences. */
const DEFAULTS = { updates: 1_000_000, sequences: 256, seqLength: 128, secondSeqLength: 512 };

export default defineCommand({
  name: "plan",
  summary: "plan a pre-training job: memory, time and the best batch on this machine, measured in seconds",
  options: [
    presetOption,
    { flags: "--config <name|path>", description: "tiny, rbt3, base, large, or a config.json", default: "base" },
    {
      flags: "--vocab-size <n>",
      description: "entries of the vocabulary, for a size by name (default: the package's own)",
      parse: wholeNumber("--vocab-size", 1),
    },
    {
      flags: "--tokens <n>",
      description: "tokens of all updates, such as 5.4B or 300M",
      parse: tokenCount("--tokens"),
    },
    {
      flags: "--steps <n>",
      description: `updates (default: ${DEFAULTS.updates}, as BERT)`,
      parse: wholeNumber("--steps", 1),
    },
    {
      flags: "--batch-size <n>",
      description: "sequences for one update, whatever part of them is computed at once",
      default: DEFAULTS.sequences,
      parse: wholeNumber("--batch-size", 1),
    },
    {
      flags: "--seq-length <n>",
      description: "tokens in a sequence",
      default: DEFAULTS.seqLength,
      parse: wholeNumber("--seq-length", 8),
    },
    {
      flags: "--max-predictions-per-seq <n>",
      description: "masked tokens in a sequence (default: 15 % of its length)",
      parse: wholeNumber("--max-predictions-per-seq", 1),
    },
    {
      flags: "--phase2-share <share>",
      description: "share of the updates in a second phase; BERT's is 0.1",
      parse: share("--phase2-share"),
    },
    {
      flags: "--phase2-seq-length <n>",
      description: "tokens in a sequence of the second phase",
      default: DEFAULTS.secondSeqLength,
      parse: wholeNumber("--phase2-seq-length", 8),
    },
    { flags: "--no-nsp", description: "without next sentence prediction" },
    {
      flags: "--optimizer <name>",
      description: "whose update is measured",
      default: "adamw-bert",
      choices: OPTIMIZERS,
    },
    ...runtimeOptions,
    {
      flags: "--memory <size>",
      description: "memory of the process, such as 24GB (default: the machine's)",
      parse: byteCount("--memory"),
    },
  ],
  examples: [
    "zhbert plan --config base --tokens 5.4B",
    "zhbert plan --config tiny --steps 20000 --batch-size 64 --memory 4GB",
    "zhbert plan --config base --phase2-share 0.1 --json",
    "zhbert plan --preset bert-wwm",
  ],
  async run(context) {
    if (readPreset(context) === "list") return printPresets(context.output);
    const { options, output, hours, second } = withPlanPreset(context);
    const config = await resolveConfig(options["config"], options["vocabSize"] ?? (await loadVocabulary()).size);
    const { tokens, steps, phase2Share, maxPredictionsPerSeq, memory } = options;
    if (tokens !== undefined && steps !== undefined) {
      throw new UsageError({ where: "--tokens", expected: "no --steps beside it", got: verbatim(`--steps ${steps}`) });
    }
    noteLoad(output, options["threads"] ?? availableParallelism());
    const { runtime, release } = await openEngine(context, "training", config);
    const job = await planTraining({
      config,
      runtime,
      sequencesPerUpdate: options["batchSize"],
      seqLength: options["seqLength"],
      amount:
        tokens !== undefined ? { tokens } : hours === undefined ? { updates: steps ?? DEFAULTS.updates } : { hours },
      nextSentence: options["nsp"],
      optimizer: options["optimizer"],
      ...(phase2Share > 0 ? { second: { seqLength: options["phase2SeqLength"], share: phase2Share, ...second } } : {}),
      ...(maxPredictionsPerSeq === undefined ? {} : { maxPredictions: maxPredictionsPerSeq }),
      ...(memory === undefined ? {} : { memoryBytes: memory }),
    }).finally(release);
    const { name, version, precision, threads } = runtime;
    output.json({ config: options["config"], engine: { name, version, precision, threads }, ...job });
    output.print(`${options["config"]}: ${(job.parameters / 1e6).toFixed(1)} M parameters`);
    if (job.machinePeak === undefined || job.seconds === undefined) return printNoFit(output, job);
    output.print(
      `${name} ${version}, ${precision}, ${several(threads, "thread")}: ${gigaflops(job.machinePeak)} GFLOP/s in matrix products, ` +
        `${gigabytes(job.memoryBytes)} GB of memory`,
    );
    for (const phase of job.phases) printPhase(output, phase, job);
    printBest(output, job.phases, job.machinePeak);
    output.print(`\nin all ${duration(job.seconds)}, evaluations and checkpoints not counted`);
    output.print(`  ${commandOf(job.phases, options, hours)}`);
  },
});

/** Micro-batches in powers of two besides the best, so that the table stays short. */
function shownChoices({ choices, best }: PlannedPhase): Choice[][] {
  const sizes = [...new Set(choices.map(({ batchSize }) => batchSize))];
  const shown = sizes.filter((size) => Number.isInteger(Math.log2(size)) || size === best.batchSize);
  return shown.map((size) => choices.filter(({ batchSize }) => batchSize === size));
}

function printPhase(output: Output, phase: PlannedPhase, { memoryBytes }: PlannedJob): void {
  output.print(`\nsequences of ${phase.seqLength}: ${grouped(phase.updates)} updates, ${grouped(phase.tokens)} tokens`);
  const cells = (choice: Choice) => [
    `${gigabytes(choice.memory.total)}${choice.memory.total > memoryBytes ? " too much" : ""}`,
    grouped(Math.round(choice.tokensPerSecond)),
  ];
  output.table(
    ["batch", "accumulated", "GB", "tokens/s", "--recompute: GB", "tokens/s", ""],
    shownChoices(phase).map((pair) => [
      pair[0]?.batchSize ?? 0,
      pair[0]?.gradientAccumulationSteps ?? 0,
      ...pair.flatMap(cells),
      pair.some((choice) => choice === phase.best) ? `best${phase.best.recompute ? ", --recompute" : ""}` : "",
    ]),
  );
}

function printNoFit(output: Output, { memoryBytes, leastMemoryBytes, alternatives }: PlannedJob): void {
  output.print(
    `does not fit into ${gigabytes(memoryBytes)} GB: the least is ${gigabytes(leastMemoryBytes)} GB ` +
      "(sequence by sequence, --recompute)",
  );
  for (const { what, memoryBytes: needed } of alternatives) {
    output.print(`  ${what} would fit: from ${gigabytes(needed)} GB`);
  }
  if (alternatives.length === 0) output.print("  no built-in size and no shorter length fits either");
}

function printBest(output: Output, phases: readonly PlannedPhase[], machinePeak: number): void {
  output.print();
  output.table(
    ["sequences of", "s/update", "GFLOP/s", "of the peak", "GB", "time"],
    phases.map(({ seqLength, best, seconds }) => [
      seqLength,
      grouped(Number(best.secondsPerUpdate.toPrecision(3))),
      gigaflops(best.productFlopsPerSecond),
      `${Math.round((100 * best.productFlopsPerSecond) / machinePeak)} %`,
      gigabytes(best.memory.total),
      duration(seconds),
    ]),
  );
}

/** The command line that trains so. */
function commandOf(
  phases: readonly PlannedPhase[],
  options: CommandContext["options"],
  hours: number | undefined,
): string {
  const { preset } = options;
  const [first, second] = phases;
  const batches = (prefix: string, { updates, best: { batchSize, gradientAccumulationSteps } }: PlannedPhase) => [
    ...(hours === undefined ? [`--${prefix}steps ${updates}`] : [`--hours ${hours}`]),
    `--${prefix}batch-size ${batchSize}`,
    // A second phase would take over what the first one has.
    ...(gradientAccumulationSteps > 1 || prefix !== ""
      ? [`--${prefix}gradient-accumulation-steps ${gradientAccumulationSteps}`]
      : []),
  ];
  return [
    `zhbert pretrain data/ ${preset === undefined ? "" : `--preset ${preset} `}--config ${options["config"]}`,
    ...(first === undefined ? [] : batches("", first)),
    ...(second === undefined ? [] : [`--phase2-data data-${second.seqLength}/`, ...batches("phase2-", second)]),
    ...(first?.best.recompute ? ["--recompute"] : []),
    ...["runtime", "precision", "threads"].flatMap((name) =>
      options[name] === undefined ? [] : [`--${name} ${options[name]}`],
    ),
    ...(options["optimizer"] === "adamw-bert" || preset !== undefined ? [] : [`--optimizer ${options["optimizer"]}`]),
  ].join(" ");
}

/** Days with one decimal from two days on, else hours or minutes. */
function duration(seconds: number): string {
  if (seconds >= 2 * 86400) return `${(seconds / 86400).toFixed(1)} days`;
  if (seconds >= 7200) return `${(seconds / 3600).toFixed(1)} hours`;
  return `${Math.max(1, Math.round(seconds / 60))} min`;
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1);
}

function gigaflops(flops: number): number {
  return Math.round(flops / 1e9);
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
