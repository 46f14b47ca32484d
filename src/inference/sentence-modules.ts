/**
 * What a folder of sentence-transformers says of its vectors: modules.json and the config of its Pooling module.
 *
 * Source: sentence-transformers, models/Pooling.py, models/Normalize.py.
 */
import { POOLING_STRATEGIES, type PoolingStrategy } from "./pooling.ts";

/** How a model's vectors are made where nothing else is asked for. */
export interface EmbeddingDefaults {
  /** Several: their vectors side by side, in this order. */
  readonly pooling: PoolingStrategy | readonly PoolingStrategy[];
  /** Whether vectors are scaled to length 1. */
  readonly normalize: boolean;
  /** The file that says so; undefined where no file does. */
  readonly from: string | undefined;
}

/** The defaults where a model's files say nothing. */
export const USUAL_EMBEDDING: EmbeddingDefaults = { pooling: "mean", normalize: false, from: undefined };

/** The small files of a model. */
export interface SmallFiles {
  /** The paths that are there. */
  readonly files: { readonly paths: readonly string[] };
  /** The path of a file by its name. */
  find(names: readonly RegExp[]): string | undefined;
  /** Parsed; never asked for a path that is not there. */
  readJson(path: string): Promise<unknown>;
}

type Fields = Readonly<Record<string, unknown>>;

/** What the modes are called in the file and here, in the order in which sentence-transformers joins them. */
const MODES: readonly (readonly [flag: string, name: string, strategy: PoolingStrategy])[] = [
  ["pooling_mode_cls_token", "cls", "cls"],
  ["pooling_mode_max_tokens", "max", "max"],
  ["pooling_mode_mean_tokens", "mean", "mean"],
  ["pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", "mean-sqrt-len"],
  ["pooling_mode_weightedmean_tokens", "weightedmean", "weighted-mean"],
  ["pooling_mode_lasttoken", "lasttoken", "last-token"],
];

/**
 * Reads the modules of sentence-transformers.
 * @param notes - takes what cannot be done as the files say, so that vectors will differ.
 * @throws {ConfigError} when a file is no JSON.
 */
export async function readEmbeddingDefaults(folder: SmallFiles, notes: string[]): Promise<EmbeddingDefaults> {
  const from = folder.find([/^modules\.json$/]);
  if (from === undefined) return USUAL_EMBEDDING;
  const modules = await folder.readJson(from);
  if (!Array.isArray(modules)) {
    notes.push(`${from} is no list of modules: embed takes the mean of the tokens`);
    return USUAL_EMBEDDING;
  }
  let [pooling, normalize]: [EmbeddingDefaults["pooling"] | undefined, boolean] = [undefined, false];
  for (const module of modules.map(fieldsOf)) {
    const kind = String(module["type"]).split(".").at(-1) ?? "";
    const at = `${from.slice(0, from.lastIndexOf("/") + 1)}${module["path"]}`;
    if (kind === "Transformer") continue;
    if (kind === "Pooling") pooling = await readPooling(folder, `${at}/config.json`, notes);
    else if (kind === "Normalize") normalize = true;
    else notes.push(`${from} names the module ${kind} (${at}), which zhbert lacks: ${DIFFER}`);
  }
  if (pooling === undefined) notes.push(`${from} names no Pooling: embed takes the mean of the tokens`);
  await notePrompt(folder, notes);
  return { pooling: pooling ?? "mean", normalize, from };
}

const [MODULES_FILE, POOLING_FILE, LENGTH_FILE] = [
  "modules.json",
  "1_Pooling/config.json",
  "sentence_bert_config.json",
] as const;
/** The paths of what `sentenceModules` writes. */
export const SENTENCE_FILES = [MODULES_FILE, POOLING_FILE, LENGTH_FILE] as const;

/** What vectors are made by. */
export interface SentenceSettings {
  readonly pooling: PoolingStrategy;
  /** Tokens of a text, [CLS] and [SEP] included; the rest is cut. */
  readonly maxSeqLength: number;
  readonly hiddenSize: number;
}

/**
 * The files, by path, that make a model's folder one of sentence-transformers; none where its Pooling lacks the strategy.
 */
export function sentenceModules({ pooling, maxSeqLength, hiddenSize }: SentenceSettings): Record<string, string> {
  if (!MODES.some(([, , strategy]) => strategy === pooling)) return {};
  const module = (idx: number, kind: string, path: string) => ({
    ...{ idx, name: String(idx), path },
    type: `sentence_transformers.models.${kind}`,
  });
  const flags = MODES.map(([flag, , strategy]) => [flag, strategy === pooling]);
  const text = (json: unknown) => `${JSON.stringify(json, undefined, 2)}\n`;
  return {
    [MODULES_FILE]: text([module(0, "Transformer", ""), module(1, "Pooling", "1_Pooling")]),
    [POOLING_FILE]: text({ word_embedding_dimension: hiddenSize, ...Object.fromEntries(flags) }),
    [LENGTH_FILE]: text({ max_seq_length: maxSeqLength, do_lower_case: false }),
  };
}

/**
 * What the settings of a task say of its vectors, where no module does.
 * @param json - of task.json, from anywhere.
 */
export function embeddingOfTask(json: unknown, from: string): EmbeddingDefaults {
  const { task, pooling } = fieldsOf(json);
  const known = POOLING_STRATEGIES.find((strategy) => strategy === pooling);
  return task === "embed" && known !== undefined ? { pooling: known, normalize: false, from } : USUAL_EMBEDDING;
}

const DIFFER = "vectors will differ from those of sentence-transformers";

async function readPooling(folder: SmallFiles, path: string, notes: string[]): Promise<EmbeddingDefaults["pooling"]> {
  if (!folder.files.paths.includes(path)) {
    notes.push(`${path} is missing: embed takes the mean of the tokens, and ${DIFFER} if another pooling was meant`);
    return "mean";
  }
  const wanted = wantedModes(fieldsOf(await folder.readJson(path)));
  const strategies = MODES.filter(([flag, name]) => wanted.has(flag) || wanted.has(name)).map(([, , to]) => to);
  const unknown = [...wanted].filter((mode) => !MODES.some(([flag, name]) => mode === flag || mode === name));
  if (unknown.length > 0) notes.push(`${path} asks for ${unknown.join(", ")}, which zhbert lacks: ${DIFFER}`);
  if (strategies.length > 1) return strategies;
  if (strategies[0] === undefined) notes.push(`${path} names no pooling that zhbert has: embed takes the mean`);
  return strategies[0] ?? "mean";
}

/** The modes that are on: a flag for each in older files, where the mean is on unless it is off; names in newer ones. */
function wantedModes(fields: Fields): Set<string> {
  const named = fields["pooling_mode"];
  if (named !== undefined) return new Set([named].flat().map(String));
  const flags = { pooling_mode_mean_tokens: true, ...fields };
  return new Set(
    Object.entries(flags)
      .filter(([flag, value]) => flag.startsWith("pooling_mode_") && value === true)
      .map(([flag]) => flag),
  );
}

/** A prompt that stands before each text unless another is asked for. */
async function notePrompt(folder: SmallFiles, notes: string[]): Promise<void> {
  const path = folder.find([/^config_sentence_transformers\.json$/]);
  if (path === undefined) return;
  const { prompts, default_prompt_name: name } = fieldsOf(await folder.readJson(path));
  const prompt = typeof name === "string" ? fieldsOf(prompts)[name] : undefined;
  if (typeof prompt === "string" && prompt !== "") {
    notes.push(`${path} puts a prompt before each text, which zhbert does not: write it into the texts: ${prompt}`);
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
