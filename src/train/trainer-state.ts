/** What stands in a checkpoint beside weights and moments, so that a resumed run equals an uninterrupted one bit for bit. */
import { CheckpointError, TrainingError, verbatim } from "../errors.ts";
import { type BestSoFar, parseBest } from "./best.ts";
import { type BudgetState, parseBudgetState } from "./time-budget.ts";

const FORMAT = "zhbert-trainer-state";
const VERSION = 1;

/** What runs the graphs; another one rounds otherwise. */
export interface EngineIdentity {
  readonly name: string;
  readonly version: string;
  readonly precision: string;
  readonly threads: number;
}

/** The content of trainer-state.json. */
export interface TrainerState {
  /** Updates done; the next one has this number, counted from 0. */
  readonly step: number;
  readonly epoch: number;
  /** Micro-batches trained on; the next one has this number, counted from 0. */
  readonly microBatches: number;
  /** Of these, those of the phase, over all its epochs. */
  readonly dataPosition: number;
  readonly seed: number;
  /** How randomness follows from the seed: every stream is named by numbers, so none has a state of its own. */
  readonly randomState: {
    readonly generator: string;
    readonly dropoutStream: readonly [seed: number, microBatch: number];
  };
  readonly engine: EngineIdentity;
  /** Digest of the training data. */
  readonly dataIdentity: string;
  /** The run's options, with which it goes on. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Sums since the last logged line. */
  readonly window: Readonly<Record<string, number>>;
  /** Of a run by hours: the time that went by. */
  readonly budget?: BudgetState;
  /** What evaluations have shown, if there were any. */
  readonly best?: BestSoFar;
  /** Whether the evaluation after the last update was broken off, so that a resumed run begins with it. */
  readonly isEvaluationDue?: boolean;
}

/** The text of trainer-state.json. */
export function formatTrainerState(state: TrainerState): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ...state }, undefined, 2)}\n`;
}

/**
 * Reads trainer-state.json.
 * @param where - the file's name, for messages.
 * @throws {CheckpointError} when the text is not a state of this version.
 */
export function parseTrainerState(text: string, where: string): TrainerState {
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong(where, "JSON", (cause as Error).message);
  }
  if (json?.["format"] !== FORMAT || json["version"] !== VERSION) {
    throw wrong(where, `format ${FORMAT}, version ${VERSION}`, `${json?.["format"]}, ${json?.["version"]}`);
  }
  const count = (key: string) => countAt(json, key, where);
  return {
    step: count("step"),
    epoch: count("epoch"),
    // Runs of earlier versions have one phase.
    microBatches: count(json["microBatches"] === undefined ? "dataPosition" : "microBatches"),
    dataPosition: count("dataPosition"),
    seed: count("seed"),
    randomState: objectAt(json, "randomState", where) as unknown as TrainerState["randomState"],
    engine: engineAt(json, where),
    dataIdentity: stringAt(json, "dataIdentity", where),
    options: objectAt(json, "options", where),
    window: windowAt(json, where),
    ...(json["isEvaluationDue"] === true ? { isEvaluationDue: true } : {}),
    ...(json["best"] === undefined ? {} : { best: parseBest(json["best"], `${where}: best`) }),
    ...(json["budget"] === undefined ? {} : { budget: parseBudgetState(json["budget"], `${where}: budget`) }),
  };
}

/** What makes a resumed run compute as it began. */
const HINTS: Readonly<Record<keyof EngineIdentity, (engine: EngineIdentity) => string>> = {
  name: ({ name }) => `Resume without --runtime, or with --runtime ${name}`,
  version: ({ name, version }) => `Install ${name} ${version}, which the run began with`,
  precision: ({ precision }) => `Resume without --precision on a processor that computes in ${precision}`,
  threads: ({ threads }) => `Resume on a machine with as many processors, or with --threads ${threads}`,
};

/**
 * Refuses to resume where the result could not equal an uninterrupted run.
 * @throws {TrainingError} that names what differs.
 */
export function checkResumable(state: TrainerState, engine: EngineIdentity, dataIdentity: string): void {
  const fields = ["name", "version", "precision", "threads"] as const;
  for (const field of fields) {
    if (state.engine[field] === engine[field]) continue;
    throw new TrainingError({
      where: `resume: engine ${field}`,
      expected: `${state.engine[field]}, as the run began`,
      got: verbatim(String(engine[field])),
      hint: `${HINTS[field](state.engine)}, or start a new run from its weights with --init.`,
    });
  }
  if (state.dataIdentity !== dataIdentity) {
    throw new TrainingError({
      where: "resume: data",
      expected: `the data that the run began with (${state.dataIdentity})`,
      got: verbatim(dataIdentity),
      hint: "Give the folder of the same data with --data, or start a new run from these weights with --init.",
    });
  }
}

type Json = Readonly<Record<string, unknown>>;

function countAt(json: Json, key: string, where: string): number {
  const value = json[key];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(`${where}: ${key}`, "an integer of 0 or more", JSON.stringify(value));
}

function stringAt(json: Json, key: string, where: string): string {
  const value = json[key];
  if (typeof value === "string") return value;
  throw wrong(`${where}: ${key}`, "a text", JSON.stringify(value));
}

function objectAt(json: Json, key: string, where: string): Record<string, unknown> {
  const value = json[key];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(`${where}: ${key}`, "an object", JSON.stringify(value));
}

function engineAt(json: Json, where: string): EngineIdentity {
  const engine = objectAt(json, "engine", where);
  return {
    name: stringAt(engine, "name", `${where}: engine`),
    version: stringAt(engine, "version", `${where}: engine`),
    precision: stringAt(engine, "precision", `${where}: engine`),
    threads: countAt(engine, "threads", `${where}: engine`),
  };
}

function windowAt(json: Json, where: string): Record<string, number> {
  const window = objectAt(json, "window", where);
  for (const [key, value] of Object.entries(window)) {
    if (typeof value !== "number") throw wrong(`${where}: window: ${key}`, "a number", JSON.stringify(value));
  }
  return window as Record<string, number>;
}

function wrong(where: string, expected: string, got: string | undefined): CheckpointError {
  const hint = "The checkpoint is damaged; remove its folder to resume from the one before it.";
  return new CheckpointError({ where, expected, got: verbatim(got ?? "nothing"), hint });
}
