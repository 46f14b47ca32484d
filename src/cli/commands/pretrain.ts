/** `zhbert pretrain`: trains a BERT on a data folder, or goes on with a run. */
import { UsageError, verbatim } from "../../errors.ts";
import { exportAverage } from "../../node/export-average.ts";
import { fillPretraining } from "../../node/fill-preset.ts";
import { type PretrainOptions, pretrain, resumePretraining } from "../../node/pretrain.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { noteRun, printPresets, readPreset } from "../preset-options.ts";
import { PretrainingDisplay } from "../pretraining-display.ts";
import { fixedOptions, newRunOf, overridesOf, runOptions } from "../pretraining-options.ts";
import { givenValue, longName, option } from "../run-options.ts";

export default defineCommand({
  name: "pretrain",
  summary: "pre-train a BERT on the data that zhbert data made, or resume",
  arguments: [{ name: "folder", description: "the data folder; with --resume the run's folder", optional: true }],
  options: [
    option("--resume", "go on with the run in <folder> from its last checkpoint, bit for bit"),
    option("--data <folder>", "with --resume: where the data are now", "where they were"),
    option("--export-ema <model>", "write the moving average of the run in <folder> as a model, and end"),
    ...runOptions,
  ],
  examples: [
    "zhbert pretrain data/ --config tiny -o out/ --steps 500 --save-steps 100 --seed 1",
    "zhbert pretrain out/ --resume",
    "zhbert pretrain data/ --overfit-one-batch --steps 200 -o check/",
    "zhbert pretrain data-128/ --steps 900000 --phase2-data data-512/ --phase2-steps 100000 -o out/",
    "zhbert pretrain data-128/ --preset bert-wwm --phase2-data data-512/ -o out/",
    "zhbert pretrain data/ --hours 24 --optimizer adamw --ema 0.999 -o out/",
  ],
  async run(context) {
    if (readPreset(context) === "list") return printPresets(context.output);
    const folder = folderOf(context.args);
    const { exportEma } = context.options;
    if (exportEma !== undefined) {
      await writeAverage(context, folder, exportEma);
      return;
    }
    if (context.options["resume"]) checkResumed(context.options);
    else checkNewRun(context.options);
    const display = new PretrainingDisplay(context.output);
    const environment = display.environment(context);
    const result = await (context.options["resume"]
      ? resumePretraining(folder, { ...overridesOf(context.options), ...environment })
      : pretrain({ ...(await choicesOf(context, folder)), ...environment })
    ).finally(() => display.stop());
    display.end(result);
  },
});

function folderOf({ folder }: CommandContext["args"]): string {
  if (folder !== undefined) return folder;
  throw new UsageError({
    where: "folder",
    expected: "the data folder, or with --resume that of a run",
    got: verbatim("none"),
    hint: "for example: zhbert pretrain data/ -o out/",
  });
}

/** What was given for a new run, with what a recipe says of the rest. */
async function choicesOf(context: CommandContext, data: string): Promise<PretrainOptions> {
  const given = { ...newRunOf(context.options), data };
  const preset = readPreset(context);
  if (preset === undefined || preset === "list") return given;
  const filled = await fillPretraining(preset, given);
  noteRun(context.output, preset, filled);
  return filled.choices;
}

async function writeAverage({ output }: CommandContext, run: string, model: string): Promise<void> {
  const step = await exportAverage(run, model);
  output.json({ model, step });
  output.print(`${model}: the moving average of ${step} updates`);
}

type Options = CommandContext["options"];

/** A resumed run keeps what its result depends on. */
function checkResumed(options: Options): void {
  const wrong = fixedOptions.find((fixed) => givenValue(options, fixed) !== undefined);
  if (wrong === undefined) return;
  throw new UsageError({
    where: `--${longName(wrong)}`,
    expected: "a resumed run to keep its own",
    got: verbatim(String(givenValue(options, wrong))),
    hint: "leave the option out, or start a new run with --init",
  });
}

/** Refuses options that contradict each other. */
function checkNewRun(options: Options): void {
  if (options["data"] !== undefined) {
    throw new UsageError({
      where: "--data",
      expected: "--resume beside it",
      got: verbatim("a new run"),
      hint: "the data folder of a new run is the argument: zhbert pretrain data/",
    });
  }
  const phase2 = Object.keys(options).find((name) => name.startsWith("phase2") && options[name] !== undefined);
  // A recipe says the steps of its own second phase.
  if (phase2 === undefined || options["phase2Steps"] !== undefined || options["preset"] !== undefined) return;
  throw new UsageError({
    where: "a second phase",
    expected: "--phase2-steps",
    got: verbatim("none"),
    hint: "say how many updates the second phase has",
  });
}
