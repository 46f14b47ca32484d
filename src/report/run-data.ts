/** What a report knows of a run: measurements, settings, data, checkpoints, and texts that its models filled. */
import type { MeasuredLine } from "./tensorboard.ts";

/** A run as its folder shows it; what is not there is left out of the report. */
export interface RunData {
  /** Unlike the names of other runs in the report. */
  readonly name: string;
  /** Where the folder is, as the user wrote it. */
  readonly path: string;
  /** The lines of metrics.jsonl. */
  readonly metrics: readonly MeasuredLine[];
  /** The fields of config.json, and the number of its parameters. */
  readonly model?: { readonly config: Fields; readonly parameters: number } | undefined;
  /** Of the last checkpoint: its options and engine. */
  readonly options?: Fields | undefined;
  readonly engine?: Fields | undefined;
  /** dataset.json: settings and counts. */
  readonly data?: Fields | undefined;
  readonly checkpoints: readonly RunCheckpoint[];
  readonly samples?: RunSamples | undefined;
  /** Floating-point operations a second of this machine's matrix products, where they were measured. */
  readonly machinePeak?: number | undefined;
  /** What could not be read, for the reader. */
  readonly notes: readonly string[];
}

/** Values by name, as JSON has them. */
export type Fields = Readonly<Record<string, unknown>>;

/** A checkpoint to go on from. */
export interface RunCheckpoint {
  readonly name: string;
  readonly step: number;
  readonly bytes: number;
}

/** Texts with masks, filled by models of the run. */
export interface RunSamples {
  /** The models by name, from the earliest. */
  readonly models: readonly string[];
  readonly texts: readonly {
    readonly text: string;
    /** For each model, for each mask, the best entries. */
    readonly filled: readonly (readonly (readonly { readonly token: string; readonly score: number }[])[])[];
  }[];
}

/** The measurements of training, by step. */
export function trainingLines({ metrics }: Pick<RunData, "metrics">): Measured[] {
  return metrics.filter(({ evaluation }) => evaluation === undefined) as Measured[];
}

/** The evaluations, by step. */
export function evaluations({ metrics }: Pick<RunData, "metrics">): Measured[] {
  return metrics.flatMap(({ step, evaluation }) =>
    typeof evaluation === "object" && evaluation !== null ? [{ ...evaluation, step }] : [],
  );
}

/** A step and what was measured there. */
export type Measured = Fields & { readonly step: number };

/** A number that was measured, or undefined. */
export function numberAt(line: Fields | undefined, name: string): number | undefined {
  const value = line?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
