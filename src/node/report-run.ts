/** Reads what a run's folder shows, for its report; what is damaged or of another version is said, and left out. */
import { readdir, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DATASET_FILE } from "../data/dataset.ts";
import { FileError, verbatim, ZhbertError } from "../errors.ts";
import { parameterShapes } from "../model/initialize.ts";
import type { Fields, RunCheckpoint, RunData, RunSamples } from "../report/run-data.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { elementCount } from "../util/tensor.ts";
import { BertModel } from "./bert-model.ts";
import { readText } from "./files.ts";
import { CONFIG_FILE, readConfig } from "./model-files.ts";
import { checkpointSteps, MODEL_FILE, readMetrics, STATE_FILE } from "./run-folder.ts";

/** How samples are filled. */
export interface SampleOptions {
  readonly runtime: Runtime;
  /** Texts with [MASK]. */
  readonly texts: readonly string[];
  /** A model to compare with; the first checkpoint that is there when left out. */
  readonly before?: string;
}

/** Our own sentences, each about something else; short ones, as a small model knows them. */
export const SAMPLE_TEXTS: readonly string[] = [
  "北京是中国的首[MASK]。",
  "他每天早上六点起[MASK]，然后去学校。",
  "春天来了，公园里的[MASK]都开了。",
  "根据法[MASK]规定，公民享有这项权利。",
  "这家公司去年的销售额增长了百分之[MASK]。",
  "她在大学里学习计算[MASK]科学。",
  "科学家们正在研究这个[MASK][MASK]。",
  "昨天下了一场大[MASK]，路上很滑。",
];

/** Entries shown for a mask. */
const TOP_K = 3;

/**
 * Reads runs for a report; their names are unlike each other.
 * @throws {FileError} when a folder is none of a run.
 */
export async function readRuns(paths: readonly string[]): Promise<RunData[]> {
  const names = paths.map((path) => basename(resolve(path)));
  const isUnique = new Set(names).size === names.length;
  const runs: RunData[] = [];
  for (const [i, path] of paths.entries()) runs.push(await readRun(path, isUnique ? (names[i] as string) : path));
  return runs;
}

async function readRun(path: string, name: string): Promise<RunData> {
  const [metrics, steps] = [await readMetrics(path), await checkpointSteps(path)];
  if (metrics.length === 0 && steps.length === 0) {
    throw new FileError({
      where: path,
      expected: "the folder of a run, with metrics.jsonl or a checkpoint",
      got: verbatim("neither"),
      hint: "name the folder that zhbert pretrain -o wrote",
    });
  }
  const notes: string[] = [];
  const attempt = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ZhbertError)) throw error;
      notes.push(error.message);
      return undefined;
    }
  };
  const checkpoints: RunCheckpoint[] = [];
  for (const step of steps) {
    const bytes = await attempt(() => folderBytes(join(path, `checkpoint-${step}`)));
    checkpoints.push({ name: `checkpoint-${step}`, step, bytes: bytes ?? 0 });
  }
  const last = checkpoints.at(-1)?.name;
  const state = last === undefined ? undefined : await attempt(() => readFields(join(path, last, STATE_FILE)));
  const options = fieldsAt(state, "options");
  const folder = options?.["data"];
  const data =
    typeof folder === "string" ? await attempt(() => readFields(join(path, folder, DATASET_FILE))) : undefined;
  return {
    name,
    path,
    metrics,
    model: await attempt(() => readModel(path)),
    options,
    engine: fieldsAt(state, "engine"),
    data: data && factsOf(data),
    checkpoints,
    notes,
  };
}

/** What of dataset.json is for people: not the list of shards. */
function factsOf(data: Fields): Fields {
  const shards = ["shards", "heldOutShards"].map((key) => (Array.isArray(data[key]) ? data[key].length : 0));
  return {
    settings: fieldsAt(data, "settings"),
    generation: fieldsAt(data, "generation"),
    statistics: fieldsAt(data, "statistics"),
    shards: shards[0],
    heldOutShards: shards[1],
  };
}

async function readModel(path: string): Promise<RunData["model"]> {
  const file = join(path, CONFIG_FILE);
  const config = await readConfig(file);
  const fields = await readFields(file);
  const nextSentence = String(fields["architectures"]).includes("PreTraining");
  const shapes = [...parameterShapes(config, { nextSentence }).values()];
  return { config: fields, parameters: shapes.reduce((sum, shape) => sum + elementCount(shape), 0) };
}

async function readFields(path: string): Promise<Fields> {
  const text = await readText(path);
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw new FileError({ where: path, expected: "a JSON object", got: verbatim("something else") });
}

function fieldsAt(fields: Fields | undefined, key: string): Fields | undefined {
  const value = fields?.[key];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

async function folderBytes(path: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(path)) bytes += (await stat(join(path, name))).size;
  return bytes;
}

/**
 * Fills texts by a run's last model, and by one before it: the first checkpoint that is there, or another model.
 * @returns undefined when the run has no model yet.
 * @throws as `BertModel.fromPretrained`.
 */
export async function fillSamples(
  run: RunData,
  { runtime, texts, before }: SampleOptions,
): Promise<RunSamples | undefined> {
  const last = run.checkpoints.at(-1);
  const hasModel = await stat(join(run.path, MODEL_FILE)).catch(() => undefined);
  if (last === undefined || hasModel === undefined || texts.length === 0) return undefined;
  const first = run.checkpoints[0];
  const models = [{ name: last.name, path: join(run.path, last.name) }];
  if (before !== undefined) models.unshift({ name: before, path: before });
  else if (first !== undefined && first !== last)
    models.unshift({ name: first.name, path: join(run.path, first.name) });
  const filled: RunSamples["texts"][number]["filled"][] = [];
  for (const { path } of models) {
    const model = await BertModel.fromPretrained(path, { runtime });
    const results = await model.fillMask(texts, { topK: TOP_K });
    await model.dispose();
    filled.push(
      results.map(({ masks }) => masks.map((entries) => entries.map(({ token, score }) => ({ token, score })))),
    );
  }
  return {
    models: models.map(({ name }) => name),
    texts: texts.map((text, i) => ({ text, filled: filled.map((one) => one[i] ?? []) })),
  };
}
