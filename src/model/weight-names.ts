/**
 * Names of weights: from a checkpoint's own dialect to Transformers' and back, with the layout of each matrix.
 *
 * What a name means is said once, in weight-names/table.ts, which is read in both directions.
 */
import type { LazyTensor, LazyTensors } from "../checkpoint/format.ts";
import { tensorBytes } from "../util/tensor.ts";
import { transposed } from "./transposed.ts";
import { kerasCopy, reasonToIgnore, stripped } from "./weight-names/raw-names.ts";
import { type Dialect, TIED_COPIES, translate } from "./weight-names/table.ts";

export type { Dialect } from "./weight-names/table.ts";

/** A checkpoint's weights under Transformers' names. */
export interface NamedWeights {
  readonly dialect: Dialect;
  /** With the prefix `bert.`; Linear weights [out, in]. What no dialect knows keeps the name that the file gives it. */
  readonly tensors: LazyTensors;
  /** What was left out, with the reason: `global_step: state of training`. */
  readonly ignored: readonly string[];
  /** What a person should know about these weights; empty in ordinary files. */
  readonly notes: readonly string[];
}

/** Those that a checkpoint can be read from; of two that know as many names the first is taken. */
const DIALECTS: readonly Dialect[] = ["huggingface", "pytorch-2019", "tensorflow", "keras", "paddle"];

/**
 * Gives a checkpoint's weights Transformers' names and layouts; the dialect is the one that knows most of the names.
 *
 * Slots of optimisers, buffers and copies of tied weights are left out; a copy that differs from what it should be
 * tied to is kept (the model has no place for it) and noted.
 * @param tensors - under the file's own names. @param where - the file's name, for the notes.
 * @throws {CheckpointError} when a tied copy cannot be read.
 */
export function toHuggingFaceNames(tensors: LazyTensors, where: string): NamedWeights {
  const ignored: string[] = [];
  const candidates = new Map<string, LazyTensor>();
  for (const [raw, tensor] of tensors) {
    const reason = reasonToIgnore(raw);
    if (reason === undefined) candidates.set(raw, tensor);
    else ignored.push(`${raw}: ${reason}`);
  }
  const dialect = detectDialect(candidates.keys());
  const named = new Map<string, LazyTensor>();
  const copies: TiedCopy[] = [];
  const notes: string[] = [];
  for (const [raw, tensor] of candidates) {
    const of = tiedTo(raw, dialect);
    if (of !== undefined) {
      copies.push({ raw, of, tensor });
      continue;
    }
    const target = translated(raw, dialect);
    if (named.has(target?.name ?? raw)) {
      notes.push(`${where}: ${raw} is not used: another tensor of the file is ${target?.name ?? raw} as well`);
      if (named.has(raw)) ignored.push(`${raw}: stored twice`);
      else named.set(raw, tensor);
    } else if (target === undefined) named.set(raw, tensor);
    else named.set(target.name, target.transposed && isMatrix(tensor) ? transposed(tensor) : tensor);
  }
  notes.push(...copies.flatMap((copy) => settleCopy(copy, named, ignored, where)));
  const tasks = [...named.keys()].find((name) => name.endsWith("embeddings.task_type_embeddings.weight"));
  if (tasks !== undefined) {
    notes.push(`${where}: ${tasks} is not used: ERNIE 2.0 and 3.0 add a task's vector to each token, BERT does not`);
  }
  return { dialect, tensors: named, ignored, notes };
}

/** By the number of names that each dialect knows; a file that none knows is taken as Transformers' own. */
function detectDialect(raws: Iterable<string>): Dialect {
  const all = [...raws];
  let best: Dialect = "huggingface";
  let most = 0;
  for (const dialect of DIALECTS) {
    const known = all.filter((raw) => translate(stripped(raw, dialect), dialect, "huggingface") !== undefined).length;
    if (known > most) [best, most] = [dialect, known];
  }
  return best;
}

/** The name in the table, and whether the matrix turns; files of PyTorch may mix the spellings of 2019 with today's. */
function translated(raw: string, dialect: Dialect) {
  const spellings: readonly Dialect[] =
    dialect === "huggingface" || dialect === "pytorch-2019" ? ["huggingface", "pytorch-2019"] : [dialect];
  for (const spelling of spellings) {
    const target = translate(stripped(raw, spelling), spelling, "huggingface");
    if (target !== undefined) return target;
  }
  return undefined;
}

/** A tensor of another rank than the table says is left as it is: the comparison with the config names it. */
function isMatrix({ shape }: LazyTensor): boolean {
  return shape.length === 2;
}

interface TiedCopy {
  readonly raw: string;
  /** Transformers' name of what it is a copy of. */
  readonly of: string;
  readonly tensor: LazyTensor;
}

function tiedTo(raw: string, dialect: Dialect): string | undefined {
  if (dialect === "keras") {
    const original = kerasCopy(raw);
    return original === undefined ? undefined : translate(original, "keras", "huggingface")?.name;
  }
  const name = stripped(raw, dialect);
  const isPytorch = dialect === "pytorch-2019";
  return TIED_COPIES.find(({ copies }) => copies[dialect] === name || (isPytorch && copies.huggingface === name))?.of;
}

/** Leaves a copy out, or puts it in the place of a missing original, or keeps it when it is none. */
function settleCopy({ raw, of, tensor }: TiedCopy, named: Map<string, LazyTensor>, ignored: string[], where: string) {
  const original = named.get(of);
  if (original === undefined) {
    named.set(of, tensor);
    return [`${where}: ${of} is read from its tied copy ${raw}, since it is not stored itself`];
  }
  if (isSame(original, tensor)) {
    ignored.push(`${raw}: tied copy of ${of}`);
    return [];
  }
  named.set(raw, tensor);
  return [
    `${where}: ${raw} differs from ${of}, to which BERT ties it; it is not used, and the scores of masked words are not those that were trained`,
  ];
}

/** Whether two tensors have the same bits; views of the same bytes (shared storage) are not even read. */
function isSame(a: LazyTensor, b: LazyTensor): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
  const [x, y] = [tensorBytes(a.read()), tensorBytes(b.read())];
  if (x.buffer === y.buffer && x.byteOffset === y.byteOffset) return true;
  return haveSameBytes(x, y);
}

/** Compares by words of 4 bytes where both begin at one: 65 MB of embeddings take some 20 ms, not 80. */
function haveSameBytes(x: Uint8Array, y: Uint8Array): boolean {
  const isAligned = (x.byteOffset | y.byteOffset | x.length) % 4 === 0;
  const [a, b] = isAligned ? [asWords(x), asWords(y)] : [x, y];
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function asWords({ buffer, byteOffset, length }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length / 4);
}

/** Keras names a weight by its layer, then by the model's class. */
const KERAS_CLASS = "tf_bert_for_pre_training";

/**
 * Gives weights the names and layouts of a dialect, for writing; names that the table does not have stay as they are.
 *
 * Weights that the dialect stores a second time (a tied decoder) are there under both names as the same object, so that
 * a writer can share their bytes. A safetensors file can share none: leave the copies out, as Transformers 5 does;
 * BertForPreTraining and BertForMaskedLM of 4.46 and 5.23 load the same weights and MLM bias with the copies, with the
 * bias alone and without any. The global_step of TensorFlow's checkpoints is no weight: its writer adds it.
 * @param tensors - under Transformers' names, with the prefix `bert.`.
 * @param options.tiedCopies - whether such copies are there; true.
 */
export function fromHuggingFaceNames(
  tensors: LazyTensors,
  dialect: Dialect,
  { tiedCopies = true }: { readonly tiedCopies?: boolean } = {},
): LazyTensors {
  const renamed = new Map<string, LazyTensor>();
  for (const [name, tensor] of tensors) {
    const target = translate(name, "huggingface", dialect);
    if (target === undefined) {
      renamed.set(name, tensor);
      continue;
    }
    const own = target.transposed && isMatrix(tensor) ? transposed(tensor) : tensor;
    if (dialect === "keras") for (const path of kerasPaths(target.name, tiedCopies)) renamed.set(path, own);
    else renamed.set(target.name, own);
  }
  if (tiedCopies && tensors.has("cls.predictions.bias")) addTiedCopies(renamed, tensors, dialect);
  return renamed;
}

function addTiedCopies(renamed: Map<string, LazyTensor>, tensors: LazyTensors, dialect: Dialect): void {
  for (const { of, copies } of TIED_COPIES) {
    const [copy, original] = [copies[dialect], tensors.get(of)];
    if (copy !== undefined && original !== undefined && !renamed.has(copy)) renamed.set(copy, original);
  }
}

/** The dataset of a weight, and for the embeddings the copy that Keras stores with the MLM head. */
function kerasPaths(name: string, tiedCopies: boolean): string[] {
  const layer = name.slice(0, name.indexOf("/"));
  const layers = tiedCopies && name.startsWith("bert/embeddings/") ? [layer, "mlm___cls"] : [layer];
  return layers.map((first) => `${first}/${KERAS_CLASS}/${name}:0`);
}
