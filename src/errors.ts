/**
 * Every error class of zhbert and the one builder of their messages.
 *
 * A message reads `<where>: expected <what>, got <value>`; the hint says what to do next. The CLI prints both.
 */

/** Stable codes by which a program can tell errors apart. */
export type ErrorCode =
  | "ERR_SHAPE"
  | "ERR_ARGUMENT"
  | "ERR_CONFIG"
  | "ERR_VOCABULARY"
  | "ERR_CORPUS"
  | "ERR_DATA"
  | "ERR_CHECKPOINT"
  | "ERR_GRAPH"
  | "ERR_RUNTIME"
  | "ERR_TRAINING"
  | "ERR_FILE"
  | "ERR_USAGE"
  | "ERR_INTERRUPTED";

/** What an error says: where it arose, what was expected, what was found, and what to do next. */
export interface ErrorDetail {
  readonly where: string;
  readonly expected: string;
  readonly got: unknown;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The base of every error that zhbert throws on purpose; anything else is a defect. */
export class ZhbertError extends Error {
  override readonly name: string = "ZhbertError";
  readonly code: ErrorCode;
  /** What to do next; empty where there is nothing useful to say. */
  readonly hint: string;

  constructor(code: ErrorCode, detail: ErrorDetail) {
    super(
      `${detail.where}: expected ${detail.expected}, got ${describe(detail.got)}`,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    );
    this.code = code;
    this.hint = detail.hint ?? "";
  }
}

/** Shapes or dtypes that do not fit together; thrown when a graph is built. */
export class ShapeError extends ZhbertError {
  override readonly name = "ShapeError";
  constructor(detail: ErrorDetail) {
    super("ERR_SHAPE", detail);
  }
}

/** A wrong argument to a function of the library. */
export class ArgumentError extends ZhbertError {
  override readonly name = "ArgumentError";
  constructor(detail: ErrorDetail) {
    super("ERR_ARGUMENT", detail);
  }
}

/** A config.json that cannot be, or that contradicts the weights or the vocabulary. */
export class ConfigError extends ZhbertError {
  override readonly name = "ConfigError";
  constructor(detail: ErrorDetail) {
    super("ERR_CONFIG", detail);
  }
}

/** A missing, malformed or foreign vocabulary or tokenizer file. */
export class VocabularyError extends ZhbertError {
  override readonly name = "VocabularyError";
  constructor(detail: ErrorDetail) {
    super("ERR_VOCABULARY", detail);
  }
}

/** Text that cannot be used as a corpus: empty, not UTF-8, a line without end. */
export class CorpusError extends ZhbertError {
  override readonly name = "CorpusError";
  constructor(detail: ErrorDetail) {
    super("ERR_CORPUS", detail);
  }
}

/** Pre-training data that is damaged or made for another vocabulary or length. */
export class DataError extends ZhbertError {
  override readonly name = "DataError";
  constructor(detail: ErrorDetail) {
    super("ERR_DATA", detail);
  }
}

/** A checkpoint file that is malformed, truncated, hostile or not the expected model. */
export class CheckpointError extends ZhbertError {
  override readonly name = "CheckpointError";
  constructor(detail: ErrorDetail) {
    super("ERR_CHECKPOINT", detail);
  }
}

/** A symbolic graph that cannot be differentiated or lowered. */
export class GraphError extends ZhbertError {
  override readonly name = "GraphError";
  constructor(detail: ErrorDetail) {
    super("ERR_GRAPH", detail);
  }
}

/** The engine refused a graph or failed while running it. */
export class RuntimeError extends ZhbertError {
  override readonly name = "RuntimeError";
  constructor(detail: ErrorDetail) {
    super("ERR_RUNTIME", detail);
  }
}

/** Training that cannot go on: a loss that is not a number, a resumed state that does not fit. */
export class TrainingError extends ZhbertError {
  override readonly name = "TrainingError";
  constructor(detail: ErrorDetail) {
    super("ERR_TRAINING", detail);
  }
}

/** A file that cannot be read or written (missing, no space, no permission, locked). */
export class FileError extends ZhbertError {
  override readonly name = "FileError";
  constructor(detail: ErrorDetail) {
    super("ERR_FILE", detail);
  }
}

/** Wrong use of the command line; exit code 2. */
export class UsageError extends ZhbertError {
  override readonly name = "UsageError";
  constructor(detail: ErrorDetail) {
    super("ERR_USAGE", detail);
  }
}

/** The user stopped the work (Ctrl-C); what was saved is in the hint. */
export class InterruptedError extends ZhbertError {
  override readonly name = "InterruptedError";
  constructor(detail: ErrorDetail) {
    super("ERR_INTERRUPTED", detail);
  }
}

/** A value marked to be printed as it is, without quotes: `got: verbatim("float32[13, 7]")`. */
export function verbatim(text: string): { readonly verbatim: string } {
  return { verbatim: text };
}

const MAX_SHOWN_CHARACTERS = 120;

/** A value as a message shows it: strings quoted and cut, numbers as they are, objects as JSON. */
function describe(value: unknown): string {
  if (typeof value === "object" && value !== null && "verbatim" in value) return String(value.verbatim);
  if (typeof value === "string") return shorten(JSON.stringify(value));
  if (typeof value === "bigint") return `${value}`;
  if (value instanceof Error) return value.message;
  if (typeof value === "object" && value !== null) return shorten(JSON.stringify(value) ?? String(value));
  return String(value);
}

function shorten(text: string): string {
  return text.length <= MAX_SHOWN_CHARACTERS ? text : `${text.slice(0, MAX_SHOWN_CHARACTERS)}…`;
}

/**
 * The candidate nearest to a mistyped name, or undefined when none is near (over a third of its letters are wrong).
 * Source: Damerau 1964, each letter in one change at most: insert, delete, replace, or swap with the next.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number) => rows[i]?.[j] as number;
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? at(i - 2, j - 2) + 1 : replaced;
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped));
    }
  }
  return at(a.length, b.length);
}
