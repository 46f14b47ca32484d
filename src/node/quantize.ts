/** `zhbert quantize`: a model's weights as integers, with what that costs measured before anything is written. */
import { join } from "node:path";
import type { RangeMethod } from "../compress/activation-range.ts";
import {
  expectFloats,
  QUANTIZATION_MODES,
  type QuantizationMode,
  type QuantizedModel,
  quantizeModel,
  studyModel,
} from "../compress/quantize-model.ts";
import type { LayerSensitivity } from "../compress/sensitivity.ts";
import { DataError, verbatim } from "../errors.ts";
import { comparedModel, compareModels, type LayerDifference } from "../inference/compare-models.ts";
import { convertModel } from "../inference/convert-model.ts";
import type { LoadedModel } from "../inference/load-model.ts";
import { encodeRows, rowOptions, type TextOrPair, type TokenRow } from "../inference/token-rows.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { taskModel } from "../tasks/pipeline/pipeline.ts";
import { expectKnownLabels } from "../tasks/task-batches.ts";
import { given } from "../util/given.ts";
import { Random } from "../util/random.ts";
import { loadPretrained } from "./bert-model.ts";
import type { DownloadOptions } from "./hub.ts";
import { type EngineChoice, openRuntime } from "./runtimes.ts";
import { identities, type WrittenFile, writeFolder } from "./write-folder.ts";

/** What is going on: calibration, each layer by itself in one of the modes, measurements. */
export type QuantizeStage = "calibrate" | QuantizationMode | "measure";

/** Labelled examples of the model's task: what they are, as `loadTaskData` gives them. */
export type LabelledExamples = (task: string) => Promise<readonly object[]>;

/** How a model is quantised and where its files go. */
export interface QuantizeOptions extends EngineChoice {
  /** Calibration texts; a quarter is held out to measure on. */
  readonly texts: Iterable<TextOrPair> | AsyncIterable<TextOrPair>;
  /** Where the texts are from, for messages. */
  readonly textsName?: string;
  /** static when left out. */
  readonly mode?: QuantizationMode;
  /** mse when left out. */
  readonly method?: RangeMethod;
  /** Layers stay in float, the most sensitive first, until hidden states have this cosine to float32's; 0.999. */
  readonly targetCosine?: number;
  /** The most of the linear layers' weights that may stay in float, in 0 .. 1; 0.25. */
  readonly maxFloatShare?: number;
  /** 7-bit weights, for engines without VNNI that add products up in 16 bits; false. */
  readonly reduceRange?: boolean;
  /** Of all texts so many are drawn at random; 256. */
  readonly maxTexts?: number;
  /** Tokens of a calibration text; what the model's task or its positions allow, at most 128, when left out. */
  readonly maxSeqLength?: number;
  /** Of a fine-tuned model: the examples that each form is measured on. */
  readonly examples?: LabelledExamples;
  readonly overwrite?: boolean;
  readonly download?: DownloadOptions;
  readonly signal?: AbortSignal;
  readonly onNote?: (text: string) => void;
  readonly onProgress?: (stage: QuantizeStage, done: number, total: number) => void;
}

/** A form of the model and what it costs. */
export interface QuantizedForm {
  readonly form: "float32" | QuantizationMode;
  /** Of all tensors. */
  readonly bytes: number;
  /** To the float model on the held-out texts: the last layer's hidden states, all tokens as one vector. */
  readonly cosine: number;
  /** The same of each head's output that the model has. */
  readonly heads: Readonly<Record<string, number>>;
  /** Linear layers that stay in float. */
  readonly kept: readonly string[];
  /** The task's metric on the examples, in its own unit. */
  readonly metric?: number;
}

/** What was written, and what each form costs. */
export interface QuantizeResult {
  readonly mode: QuantizationMode;
  readonly forms: readonly QuantizedForm[];
  /** Each linear layer quantised by itself, in the mode that was written. */
  readonly layers: readonly LayerSensitivity[];
  readonly texts: { readonly calibration: number; readonly heldOut: number };
  /** The name of the metric, and the number of examples. */
  readonly measured?: { readonly metric: string; readonly examples: number };
  readonly files: readonly WrittenFile[];
}

/** From so few texts on nothing could be held out that tells something. */
const MIN_TEXTS = 8;
/** Below, ranges depend on which texts there are. */
const FEW_TEXTS = 64;
const DEFAULT_TEXTS = 256;
const DEFAULT_LENGTH = 128;
/** Every fourth text is held out. */
const HELD_OUT_EVERY = 4;

/**
 * Quantises a model to 8 bits in both modes, measures them against the float model, and writes one.
 * @param name - a folder, weights file, zip, or a model's name on the hub. @param folder - for the new files.
 * @throws {ConfigError} when the model is quantised already. @throws {DataError} when there are too few texts.
 * @throws {FileError} when files are in the way. @throws {InterruptedError} or what the signal says, when aborted.
 */
export async function quantize(name: string, folder: string, options: QuantizeOptions): Promise<QuantizeResult> {
  const { mode = "static", signal, download, onNote = () => undefined } = options;
  const loaded = await loadPretrained(name, { ...download });
  for (const note of loaded.notes) onNote(note);
  expectFloats(loaded);
  const { calibration, heldOut } = await splitTexts(options, onNote);
  const { runtime, release } = await openRuntime(options, { mode: "inference", config: loaded.config, onNote });
  try {
    // What is wrong with the examples is told before anything is computed.
    const meter = await Meter.create(loaded, { ...options, name, runtime, heldOut });
    const rows = rowsOf(loaded, calibration, options);
    const stage = (of: QuantizeStage) => ({
      runtime,
      ...given({ signal }),
      onProgress: (done: number, total: number) => options.onProgress?.(of, done, total),
    });
    const study = await studyModel(loaded, rows, stage("calibrate"));
    const { method = "mse", targetCosine = 0.999, maxFloatShare = 0.25, reduceRange = false } = options;
    const keep = { targetCosine, maxShare: maxFloatShare };
    const models = new Map<QuantizationMode, QuantizedModel>();
    for (const each of QUANTIZATION_MODES) {
      models.set(each, await quantizeModel(study, { mode: each, method, keep, reduceRange }, stage(each)));
    }
    const forms = await measureForms(meter, study.bytes, models, stage("measure").onProgress);
    const chosen = models.get(mode) as QuantizedModel;
    const files = await write(name, folder, chosen.model, options);
    return {
      mode,
      forms,
      layers: chosen.layers,
      texts: { calibration: rows.length, heldOut: heldOut.length },
      ...given({ measured: meter.measured }),
      files,
    };
  } finally {
    await release();
  }
}

/** Texts drawn evenly from all, the same at each call, and a quarter of them held out. */
async function splitTexts({ texts, textsName = "texts", maxTexts = DEFAULT_TEXTS }: QuantizeOptions, onNote: Note) {
  const random = new Random(0);
  const drawn: TextOrPair[] = [];
  let seen = 0;
  for await (const text of texts) {
    if (typeof text === "string" && text.trim() === "") continue;
    seen += 1;
    if (drawn.length < maxTexts) drawn.push(text);
    else {
      const place = random.integer(seen);
      if (place < maxTexts) drawn[place] = text;
    }
  }
  if (drawn.length < MIN_TEXTS) {
    throw new DataError({
      where: textsName,
      expected: `${MIN_TEXTS} texts or more, one a line, to calibrate and to measure on`,
      got: verbatim(drawn.length === 0 ? "none" : String(drawn.length)),
      hint: "give some hundred texts like those that the model will read; labels are not needed",
    });
  }
  if (drawn.length < FEW_TEXTS) {
    onNote(
      `${drawn.length} texts are few: scales are steadier from ${FEW_TEXTS} on, of all kinds that the model will read`,
    );
  }
  const isHeldOut = (_: TextOrPair, at: number) => at % HELD_OUT_EVERY === HELD_OUT_EVERY - 1;
  return { calibration: drawn.filter((text, at) => !isHeldOut(text, at)), heldOut: drawn.filter(isHeldOut) };
}

type Note = (text: string) => void;

function rowsOf({ config, tokenizer, taskJson }: LoadedModel, texts: readonly TextOrPair[], options: QuantizeOptions) {
  const { maxSeqLength: ofTask } = (taskJson ?? {}) as { maxSeqLength?: unknown };
  const most = Math.min(
    config.maxPositionEmbeddings,
    typeof ofTask === "number" ? ofTask : DEFAULT_LENGTH,
    DEFAULT_LENGTH,
  );
  const maxLength = options.maxSeqLength ?? most;
  const rows = rowOptions({ truncate: true, maxLength }, config.maxPositionEmbeddings);
  return texts.map((text) => encodeRows(tokenizer, text, rows).rows[0] as TokenRow);
}

interface MeterParts extends QuantizeOptions {
  readonly name: string;
  readonly runtime: Runtime;
  readonly heldOut: readonly TextOrPair[];
}

/** Measures forms of a model against its float weights. */
class Meter {
  readonly measured: QuantizeResult["measured"];
  readonly #base: LoadedModel;
  readonly #parts: MeterParts;
  readonly #examples: readonly object[] | undefined;

  private constructor(base: LoadedModel, parts: MeterParts, examples: readonly object[] | undefined, metric: string) {
    this.#base = base;
    this.#parts = parts;
    this.#examples = examples;
    this.measured = examples === undefined ? undefined : { metric, examples: examples.length };
  }

  /** @throws {ConfigError} when there are examples, and the model was fine-tuned for nothing. */
  static async create(base: LoadedModel, parts: MeterParts): Promise<Meter> {
    if (parts.examples === undefined) return new Meter(base, parts, undefined, "");
    const { task } = taskModel(base, parts);
    const examples = await parts.examples(task.settings.task);
    expectKnownLabels(task, examples);
    return new Meter(base, parts, examples, task.primaryMetric);
  }

  async differences(model: LoadedModel): Promise<LayerDifference[]> {
    const { runtime, heldOut, signal } = this.#parts;
    const [first, second] = [comparedModel(this.#base, runtime), comparedModel(model, runtime)];
    try {
      return await compareModels(first, second, { texts: heldOut, ...given({ signal }) });
    } finally {
      await Promise.all([first.programs.dispose(), second.programs.dispose()]);
    }
  }

  /** The task's metric; undefined without examples. */
  async metric(loaded: LoadedModel): Promise<number | undefined> {
    if (this.#examples === undefined || this.measured === undefined) return undefined;
    const model = taskModel(loaded, this.#parts);
    const predictions: unknown[] = [];
    try {
      for await (const one of model.predict(this.#examples, given({ signal: this.#parts.signal })))
        predictions.push(one);
    } finally {
      await model.dispose();
    }
    return model.task.evaluate(this.#examples, predictions).metrics[this.measured.metric];
  }

  get base(): LoadedModel {
    return this.#base;
  }
}

async function measureForms(
  meter: Meter,
  floatBytes: number,
  models: ReadonlyMap<QuantizationMode, QuantizedModel>,
  onProgress: (done: number, total: number) => void,
): Promise<QuantizedForm[]> {
  const forms: QuantizedForm[] = [];
  const add = (form: Omit<QuantizedForm, "metric">, metric: number | undefined) => {
    forms.push({ ...form, ...given({ metric }) });
    onProgress(forms.length, models.size + 1);
  };
  const base = { form: "float32", bytes: floatBytes, cosine: 1, heads: {}, kept: [] } as const;
  add(base, await meter.metric(meter.base));
  for (const [form, { model, bytes, kept }] of models) {
    const differences = await meter.differences(model);
    const byHead = differences.filter(({ layer }) => typeof layer === "string");
    const heads = Object.fromEntries(byHead.map(({ layer, cosine }) => [layer, cosine]));
    const last = differences.filter(({ layer }) => typeof layer === "number").at(-1) as LayerDifference;
    add({ form, bytes, cosine: last.cosine, heads, kept }, await meter.metric(model));
  }
  return forms;
}

async function write(
  name: string,
  folder: string,
  model: LoadedModel,
  { overwrite = false, signal }: QuantizeOptions,
): Promise<WrittenFile[]> {
  const { weightFiles, smallFiles } = convertModel(model, { to: "safetensors" });
  const small = [...smallFiles].map(([path, text]) => ({ path, chunks: [new TextEncoder().encode(text)] }));
  const inputs = await identities([name, ...["model.safetensors", "config.json"].map((file) => join(name, file))]);
  return writeFolder(folder, [...weightFiles, ...small], { overwrite, inputs, ...given({ signal }) });
}
