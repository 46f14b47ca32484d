/** What loading found, for people: the parts of a model that are missing and what to do, and the report as a table. */

/** A part of a model for which weights are missing. */
export interface MissingPart {
  readonly part: string;
  /** Of its parameters without a weight. */
  readonly missing: readonly string[];
  /** What cannot be done without, and what to do. */
  readonly warning: string;
}

/** The parts by the beginning of their parameters' names; the encoder has bert.embeddings and bert.encoder. */
const PARTS: readonly (readonly [part: string, prefix: string, advice: string])[] = [
  ["encoder", "bert.e", "the file is damaged or of another model, or config.json is: take both from the same folder"],
  [
    "pooler",
    "bert.pooler.",
    "next sentence prediction and classification need one: fine-tuning trains a new one, embeddings can do without (--pooling mean)",
  ],
  ["MLM head", "cls.predictions.", "fill-mask and pre-training need one: `zhbert mlm-head MODEL corpus.txt` trains it"],
  [
    "NSP head",
    "cls.seq_relationship.",
    "next sentence prediction needs one: pre-training with pairs of sentences trains it; nothing else uses it",
  ],
  ["classifier", "classifier.", "the model is not fine-tuned for classification: fine-tune it first"],
  ["question answering head", "qa_outputs.", "the model is not fine-tuned for question answering: fine-tune it first"],
];

/**
 * The parts of a model that a checkpoint does not have, or not wholly, each with a warning.
 * @param missing - the parameters without a weight (`WeightsReport.missing`).
 */
export function missingParts(missing: readonly string[]): MissingPart[] {
  return PARTS.flatMap(([part, prefix, advice]) => {
    const names = missing.filter((name) => name.startsWith(prefix));
    if (names.length === 0) return [];
    return [{ part, missing: names, warning: `no weights for the ${part} (${shortList(names)}): ${advice}` }];
  });
}

/** What became of a checkpoint's tensors. */
interface LoadingReport {
  readonly loaded: readonly string[];
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly reshaped: readonly string[];
}

/** Heads of the table that `loadingRows` fills. */
export const LOADING_HEAD = ["tensors", "number", "which"] as const;

/**
 * The report of a load as rows of a table: what, how many, which.
 * @param ignored - names with reasons, as `NamedWeights.ignored`.
 */
export function loadingRows(report: LoadingReport, ignored: readonly string[]): [string, number, string][] {
  const rows: [string, number, string][] = [["loaded", report.loaded.length, ""]];
  if (report.reshaped.length > 0) rows.push(["reshaped", report.reshaped.length, shortList(report.reshaped)]);
  for (const { part, missing } of missingParts(report.missing)) {
    rows.push([`missing: ${part}`, missing.length, shortList(missing)]);
  }
  if (report.unexpected.length > 0) rows.push(["unexpected", report.unexpected.length, shortList(report.unexpected)]);
  for (const [reason, names] of byReason(ignored)) rows.push([`ignored: ${reason}`, names.length, shortList(names)]);
  return rows;
}

function byReason(ignored: readonly string[]): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const entry of ignored) {
    const colon = entry.lastIndexOf(": ");
    const reason = entry.slice(colon + 2);
    const names = reasons.get(reason) ?? [];
    names.push(entry.slice(0, colon));
    reasons.set(reason, names);
  }
  return reasons;
}

const SHOWN = 2;

function shortList(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return names.slice(0, SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
