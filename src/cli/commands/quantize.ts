/** `zhbert quantize`: a model's weights as 8-bit integers, with what that costs printed before it is used. */
import { RANGE_METHODS } from "../../compress/activation-range.ts";
import { QUANTIZATION_MODES } from "../../compress/quantize-model.ts";
import { UsageError, verbatim } from "../../errors.ts";
import { type QuantizedForm, type QuantizeResult, type QuantizeStage, quantize } from "../../node/quantize.ts";
import { writtenMetric } from "../../report/values.ts";
import { given } from "../../util/given.ts";
import { type CommandContext, defineCommand, type Output, type Progress } from "../command.ts";
import { labelledExamples, loadExamples, noteText, recordOptions } from "../labelled-data.ts";
import { downloadOptions, hubOptions, modelArgument } from "../model.ts";
import { probability, share, wholeNumber } from "../numbers.ts";
import { engineChoice, runtimeOptions } from "../runtime-options.ts";
import { encodingOption, openTexts, pairOf } from "../text-input.ts";

export default defineCommand({
  name: "quantize",
  summary: "write a model with 8-bit integer weights: a quarter of the size, and faster on processors",
  arguments: [modelArgument],
  options: [
    {
      flags: "--calibrate <file>",
      description: "texts like those that the model will read, one a line, `A ||| B` for a pair; some hundred do",
    },
    { flags: "-o, --output <folder>", description: "folder for the new model", default: "quantized" },
    {
      flags: "--mode <name>",
      description: "static: inputs of layers are rounded on scales of the calibration; dynamic: on those of each batch",
      choices: QUANTIZATION_MODES,
      default: "static",
    },
    {
      flags: "--range <method>",
      description: "static: how a scale is chosen: least squared error, all but 0.01 % at each end, or all values",
      choices: RANGE_METHODS,
      default: "mse",
    },
    {
      flags: "--target-cosine <x>",
      description:
        "keep the most sensitive layers in float until hidden states have this cosine to float32's; 0 keeps none",
      default: 0.999,
      parse: probability("--target-cosine"),
    },
    {
      flags: "--max-float <share>",
      description: "the most of the layers' weights that may stay in float",
      default: 0.25,
      parse: share("--max-float"),
    },
    {
      flags: "--reduce-range",
      description: "7-bit weights: for other engines on processors without VNNI, where sums of 8 bits overflow",
    },
    {
      flags: "--max-texts <n>",
      description: "texts that are drawn from the file; a quarter of them is held out to measure on",
      default: 256,
      parse: wholeNumber("--max-texts", 1),
    },
    {
      flags: "--max-seq-length <n>",
      description: "tokens of a calibration text (default: 128, or what the model was fine-tuned with if less)",
      parse: wholeNumber("--max-seq-length", 4),
    },
    { flags: "--data <path>", description: "of a fine-tuned model: labelled examples to measure each form on" },
    { flags: "--split <name>", description: "of a data set's folder: test, dev, ... (default: test, else dev)" },
    {
      flags: "--max-examples <n>",
      description: "measure on the first ones only",
      parse: wholeNumber("--max-examples", 1),
    },
    ...recordOptions,
    { flags: "--overwrite", description: "replace files of the same names" },
    encodingOption,
    ...runtimeOptions,
    ...hubOptions,
  ],
  examples: [
    "zhbert quantize out/ --calibrate texts.txt -o out-int8/ --data dev.tsv",
    "zhbert quantize hfl/rbt3 --calibrate texts.txt -o rbt3-int8/ --mode dynamic",
    "zhbert convert out-int8/ -o web/ --to onnx",
  ],
  run: runQuantize,
});

async function runQuantize(context: CommandContext): Promise<void> {
  const { args, options, output, signal } = context;
  const path: string | undefined = options["calibrate"];
  if (path === undefined) {
    throw new UsageError({
      where: "--calibrate",
      expected: "a file of texts, one a line",
      got: verbatim("nothing"),
      hint: "scales come from texts, and what they cost is measured on them: some hundred like those that the model will read",
    });
  }
  const opened = await openTexts(path, context);
  async function* texts() {
    for await (const line of opened.lines) yield pairOf(line);
  }
  const { stop, ...download } = downloadOptions(context);
  const display = new StageDisplay(output, stop);
  const result = await quantize(args["model"], options["output"], {
    texts: texts(),
    textsName: path,
    mode: options["mode"],
    method: options["range"],
    targetCosine: options["targetCosine"],
    maxFloatShare: options["maxFloat"],
    maxTexts: options["maxTexts"],
    overwrite: options["overwrite"] ?? false,
    reduceRange: options["reduceRange"] ?? false,
    download,
    signal,
    ...engineChoice(context),
    ...given({
      maxSeqLength: options["maxSeqLength"] as number | undefined,
      examples: examplesOf(context),
    }),
    onNote: (text) => output.note(text),
    onProgress: (stage, done, total) => display.update(stage, done, total),
  }).finally(() => display.stop());
  report(result, options["output"], output);
}

function examplesOf(context: CommandContext) {
  const { data, maxExamples } = context.options;
  if (data === undefined) return undefined;
  return async (task: string) => {
    const { loaded, split } = await loadExamples(context, task, data);
    for (const note of loaded.notes) context.output.note(noteText(note));
    return labelledExamples(loaded, split, data, maxExamples);
  };
}

const STAGES: Readonly<Record<QuantizeStage, { readonly label: string; readonly unit: string }>> = {
  calibrate: { label: "calibrating", unit: "batches" },
  static: { label: "each layer, static", unit: "layers" },
  dynamic: { label: "each layer, dynamic", unit: "layers" },
  measure: { label: "measuring", unit: "forms" },
};

/** A bar for each stage. */
class StageDisplay {
  readonly #output: Output;
  #bar: { readonly stage: QuantizeStage; readonly progress: Progress } | undefined;
  readonly #onFirst: () => void;

  /** @param onFirst - ends what is shown before. */
  constructor(output: Output, onFirst: () => void) {
    this.#output = output;
    this.#onFirst = onFirst;
  }

  update(stage: QuantizeStage, done: number, total: number): void {
    if (this.#bar?.stage !== stage) {
      this.stop();
      this.#bar = { stage, progress: this.#output.progress({ total, ...STAGES[stage] }) };
    }
    this.#bar.progress.update(done);
  }

  stop(): void {
    this.#onFirst();
    this.#bar?.progress.stop();
    this.#bar = undefined;
  }
}

function report({ mode, forms, layers, texts, measured, files }: QuantizeResult, folder: string, output: Output): void {
  const [float] = forms;
  for (const form of forms) output.json({ ...form, ...lossOf(form, float), isWritten: form.form === mode });
  output.json({ mode, output: folder, layers, texts, ...measured, files });
  const heads = [...new Set(forms.flatMap((form) => Object.keys(form.heads)))];
  output.table(
    ["form", "MB", "of float", "cosine", ...heads, "in float", ...(measured ? [measured.metric, "loss"] : [])],
    forms.map((form) => [
      form.form,
      (form.bytes / 1e6).toFixed(1),
      `${((100 * form.bytes) / (float?.bytes ?? 1)).toFixed(0)} %`,
      form.form === "float32" ? "1" : form.cosine.toFixed(5),
      ...heads.map((head) => (form.form === "float32" ? "1" : (form.heads[head]?.toFixed(5) ?? ""))),
      form.form === "float32" ? "all" : form.kept.length,
      ...(measured ? [written(measured.metric, form.metric), written(measured.metric, lossOf(form, float).loss)] : []),
    ]),
  );
  const kept = forms.find(({ form }) => form === mode)?.kept ?? [];
  output.print();
  output.print(`cosine to float32 on ${texts.heldOut} held-out texts; calibrated on ${texts.calibration}`);
  if (measured) output.print(`${measured.metric} on ${measured.examples} examples`);
  output.print(`${mode} is written to ${folder}: ${files.map(({ path }) => path).join(", ")}`);
  const worst = [...layers].sort((a, b) => b.error - a.error).slice(0, SHOWN_LAYERS);
  output.print(`\nmost sensitive layers (1 - cosine with that layer alone quantised, ${mode})`);
  output.table(
    ["layer", "error", ""],
    worst.map(({ module, error }) => [module, error.toExponential(1), kept.includes(module) ? "kept in float" : ""]),
  );
}

const SHOWN_LAYERS = 5;

/** How far the metric is below the float model's. */
function lossOf({ metric }: QuantizedForm, float: QuantizedForm | undefined): { readonly loss?: number } {
  return metric === undefined || float?.metric === undefined ? {} : { loss: float.metric - metric };
}

function written(metric: string, value: number | undefined): string {
  return value === undefined ? "" : writtenMetric(metric, value).replaceAll("\u00a0", " ");
}
