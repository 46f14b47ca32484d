/** `--preset`: a published recipe fills the options that are not given, and says what it is and what is otherwise. */
import { UsageError, verbatim } from "../errors.ts";
import { type FilledPretraining, LABELS, published } from "../node/fill-preset.ts";
import type { Choice } from "../report/training-plan.ts";
import { findPreset, type Preset, type PresetData, presets, type Sourced } from "../train/presets.ts";
import type { CommandContext, CommandOption, Output } from "./command.ts";

/** The option, for every command that knows recipes. */
export const presetOption: CommandOption = {
  flags: "--preset <name>",
  description: "a published recipe, such as bert-wwm, fills what is not given; list: shows them all",
};

/** The option that says which data of a recipe are meant. */
export const phaseOption: CommandOption = {
  flags: "--phase <n>",
  description: "with --preset: make the data of its phase 1 or 2",
  choices: ["1", "2"],
};

/** The recipe that is asked for, or `list`. @throws {ArgumentError} that names the nearest one. */
export function readPreset({ options }: Pick<CommandContext, "options">): Preset | "list" | undefined {
  const name = options["preset"] as string | undefined;
  return name === undefined || name === "list" ? name : findPreset(name);
}

/** All recipes as a table, or as JSON with the source of each value. */
export function printPresets(output: Output): void {
  for (const preset of presets) output.json(preset);
  output.table(
    ["preset", "size", "from", "masks", "pairs", "length", "optimiser", "peak rate", "updates x sequences", "source"],
    presets.map(({ name, reference, data, secondData, pretrain }) => [
      name,
      text(pretrain.config),
      text(pretrain.init) || "random",
      text(data.masking),
      text(data.sentenceTask),
      [data.maxSeqLength, ...(secondData ? [secondData.maxSeqLength] : [])].map(text).join(", "),
      text(pretrain.optimizer),
      [pretrain.learningRate, pretrain.second?.learningRate]
        .flatMap((rate) => (rate === undefined ? [] : [rate[0].toExponential()]))
        .filter((rate, i, rates) => rates.indexOf(rate) === i)
        .join(", "),
      [pretrain, ...(pretrain.second ? [pretrain.second] : [])]
        .map((phase) => `${amountOf(phase)} x ${text(phase.sequences)}`)
        .join(" + "),
      reference,
    ]),
  );
  output.print(
    "what each value's source is: --preset list --json; how long one takes here: zhbert plan --preset <name>",
  );
}

const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 3 });

function amountOf({ steps, hours }: { readonly steps?: Sourced<number>; readonly hours?: Sourced<number> }): string {
  if (steps === undefined) return `${text(hours)} hours`;
  return COMPACT.format(steps[0]);
}

/** The context with what a recipe says of data in the place of what was not given. */
export function withDataPreset(context: CommandContext): CommandContext {
  const preset = readPreset(context);
  const { options, output, isGiven } = context;
  if (preset === undefined || preset === "list") {
    if (options["phase"] === undefined) return context;
    throw new UsageError({ where: "--phase", expected: "--preset beside it", got: verbatim("none") });
  }
  const data = dataOf(preset, options["phase"]);
  const deviations: string[] = [];
  const filled: Record<string, unknown> = {};
  for (const [name, sourced] of Object.entries(data) as [keyof PresetData, Sourced<unknown>][]) {
    const value = name === "maxPredictionsPerSeq" ? predictionsFor(data, context) : sourced[0];
    const said = saidOf(name, context);
    if (said === undefined) filled[name] = value;
    else if (String(said) !== String(sourced[0])) {
      deviations.push(`${LABELS[name] ?? name} ${said} (published: ${text(sourced)})`);
    }
  }
  const model = published(preset.pretrain.init);
  if (model !== undefined && !isGiven("vocab")) {
    deviations.push(`this package's vocabulary: to train from ${model}, give its vocab.txt by --vocab`);
  }
  noteRecipe(output, preset, { ...data }, options["phase"] === "2" ? "data of its second phase" : "data");
  noteList(output, "otherwise than published", deviations);
  noteList(output, "not as its authors had it", preset.differences);
  const isFilled = (name: string) => isGiven(name) || name in filled;
  return { ...context, options: { ...options, ...filled }, isGiven: isFilled };
}

function dataOf(preset: Preset, phase: string | undefined): PresetData {
  if (phase !== "2") return preset.data;
  if (preset.secondData !== undefined) return { ...preset.data, ...preset.secondData };
  throw new UsageError({
    where: "--phase",
    expected: `1, the only phase of ${preset.name}`,
    got: 2,
    hint: `its data have sequences of ${text(preset.data.maxSeqLength)}`,
  });
}

/** What the command line says of an option of data, in whatever way. */
function saidOf(name: keyof PresetData, { options, isGiven }: CommandContext): unknown {
  if (name === "mixing") return "";
  if (name === "masking" && options["doWholeWordMask"] === true) return options["masking"] ?? "whole-word";
  if (name === "sentenceTask" && options["nsp"] === false) return options["sentenceTask"] ?? "none";
  return isGiven(name) ? options[name] : undefined;
}

/** The recipe's, or as many in proportion where another length is given. */
function predictionsFor(data: PresetData, { options, isGiven }: CommandContext, name = "maxSeqLength"): number {
  const [length, predictions] = [
    published(data.maxSeqLength) as number,
    published(data.maxPredictionsPerSeq) as number,
  ];
  return isGiven(name) ? Math.ceil((predictions / length) * options[name]) : predictions;
}

/** The options of a plan, and what they have no name for. */
export interface PlanPreset {
  readonly options: CommandContext["options"];
  readonly output: Output;
  readonly hours?: number;
  readonly second?: { readonly sequencesPerUpdate: number; readonly maxPredictions: number };
}

/** The options of a plan with those of a recipe in the place of what was not given. */
export function withPlanPreset(context: CommandContext): PlanPreset {
  const preset = readPreset(context);
  const { options, output, isGiven } = context;
  if (preset === undefined || preset === "list") return { options, output };
  const { data, secondData, pretrain } = preset;
  const { second } = pretrain;
  const steps = published(pretrain.steps);
  const all = steps === undefined ? undefined : steps + (second?.steps[0] ?? 0);
  const filled: Record<string, unknown> = {
    config: published(pretrain.config),
    optimizer: published(pretrain.optimizer),
    steps: isGiven("tokens") ? undefined : all,
    batchSize: published(pretrain.sequences),
    seqLength: published(data.maxSeqLength),
    maxPredictionsPerSeq: predictionsFor(data, context, "seqLength"),
    nsp: published(data.sentenceTask) !== "none",
    phase2Share: second === undefined || all === undefined ? undefined : second.steps[0] / all,
    phase2SeqLength: published(secondData?.maxSeqLength),
  };
  const added = Object.entries(filled).filter(([name, value]) => value !== undefined && !isGiven(name));
  noteRecipe(output, preset, { ...pretrainValues(preset) }, "training");
  noteList(output, "not as its authors had it", preset.differences);
  const hours = isGiven("steps") || isGiven("tokens") ? undefined : published(pretrain.hours);
  return {
    options: { ...options, ...Object.fromEntries(added) },
    output,
    ...(hours === undefined ? {} : { hours }),
    ...(second === undefined || isGiven("batchSize")
      ? {}
      : {
          second: {
            sequencesPerUpdate: second.sequences[0],
            maxPredictions: predictionsFor(secondData ?? data, context, "phase2SeqLength"),
          },
        }),
  };
}

function pretrainValues({ pretrain: { second: _second, ...first } }: Preset) {
  return first;
}

/** What a run makes of a recipe. */
export function noteRun(
  output: Output,
  preset: Preset,
  {
    choices: { steps, hours, batchSize, gradientAccumulationSteps, secondPhase },
    fitted,
    deviations,
  }: FilledPretraining,
): void {
  const { second } = preset.pretrain;
  noteRecipe(output, preset, { ...pretrainValues(preset) }, "training");
  if (second !== undefined && secondPhase !== undefined) noteSources(output, { ...second }, "second phase: ");
  const way = (choice: Choice | undefined, batches: { batchSize?: number; gradientAccumulationSteps?: number }) =>
    `${grouped(batches.batchSize ?? 0)} at once x ${grouped(batches.gradientAccumulationSteps ?? 1)}` +
    (choice === undefined ? "" : ` (${gigabytes(choice.memory.total)} of ${gigabytes(fitted?.memoryBytes ?? 0)} GB)`);
  const amount = hours === undefined ? `${grouped(steps ?? 0)} updates` : `${hours} hours`;
  output.note(`  here: ${amount}, ${way(fitted?.phases[0], { ...batches(batchSize, gradientAccumulationSteps) })}`);
  if (secondPhase !== undefined) {
    const { batchSize: size, gradientAccumulationSteps: accumulated } = secondPhase;
    output.note(`  then ${grouped(secondPhase.steps)} updates, ${way(fitted?.phases[1], batches(size, accumulated))}`);
  }
  if (fitted?.recompute) output.note("  layers are computed again for their gradients (--recompute)");
  noteList(output, "otherwise than published", deviations);
  noteList(output, "not as its authors had it", preset.differences);
  output.note(`  how long it takes here: zhbert plan --preset ${preset.name}`);
}

function batches(batchSize = 0, gradientAccumulationSteps = 1) {
  return { batchSize, gradientAccumulationSteps };
}

/** What a recipe is, each value beside its source. */
export function noteRecipe(
  output: Output,
  { name, title, reference }: Preset,
  values: Readonly<Record<string, unknown>>,
  part: string,
): void {
  output.note(`preset ${name}: ${title} (${reference}), ${part} as published:`);
  noteSources(output, values, "");
}

function noteSources(output: Output, values: Readonly<Record<string, unknown>>, where: string): void {
  const bySource = new Map<string, string[]>();
  for (const [name, sourced] of Object.entries(values) as [string, Sourced<unknown>][]) {
    const known = bySource.get(sourced[1]) ?? [];
    known.push(`${LABELS[name] ?? name} ${text(sourced)}`);
    bySource.set(sourced[1], known);
  }
  for (const [source, said] of bySource) output.note(`  ${where}${said.join(", ")} [${source}]`);
}

/** A list of sentences under a heading; nothing when it is empty. */
export function noteList(output: Output, heading: string, sentences: readonly string[]): void {
  if (sentences.length === 0) return;
  output.note(`  ${heading}:`);
  for (const sentence of sentences) output.note(`  - ${sentence}`);
}

function text(sourced: Sourced<unknown> | undefined): string {
  const value = sourced?.[0];
  if (typeof value !== "number") return String(value ?? "");
  return value >= 1000 ? grouped(value) : value > 0 && value < 1e-2 ? value.toExponential() : String(value);
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
