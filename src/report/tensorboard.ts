/**
 * Measurements as the records of TensorBoard's event files.
 *
 * A file begins with a record that names its version. A record that says where a session starts makes a TensorBoard that
 * is looking forget what it read from that step on. Source: TensorFlow's events_writer.cc and event.proto.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { frameRecord } from "../data/tfrecord.ts";
import { DataError, verbatim } from "../errors.ts";
import { type Event, EventSchema, SessionLog_SessionStatus } from "./_event_pb.ts";

/** A value of a curve's name, at some step. */
export interface Scalar {
  /** `train/loss`. */
  readonly tag: string;
  readonly value: number;
}

/** A line of metrics.jsonl: numbers by name, or those of an evaluation. */
export interface MeasuredLine {
  readonly step: number;
  readonly evaluation?: unknown;
}

const FILE_VERSION = "brain.Event:2";

/** The names that curves of BERT go by, where they are not our own in another spelling. */
const TAG_NAMES: Readonly<Record<string, string>> = {
  mlmAccuracy: "masked_lm_accuracy",
  nspAccuracy: "next_sentence_accuracy",
  gradientNorm: "grad_norm",
};

/**
 * The scalars of a line of metrics.jsonl: `train/...`, of an evaluation `eval/...`.
 * What is no finite number is left out, and next sentences where there are none.
 */
export function scalarsOf(line: MeasuredLine): Scalar[] {
  const { step: _, evaluation, ...training } = line;
  const [group, values] = evaluation === undefined ? ["train", training] : ["eval", evaluation as object];
  const pairs = Object.entries(values ?? {}) as [string, unknown][];
  const hasPairs = pairs.some(([name, value]) => name === "nspLoss" && Number(value) > 0);
  return pairs.flatMap(([name, value]) => {
    if (typeof value !== "number" || !Number.isFinite(value)) return [];
    if (name.startsWith("nsp") && !hasPairs) return [];
    return [{ tag: `${group}/${TAG_NAMES[name] ?? snakeCase(name)}`, value }];
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The first record of a file. @param wallTime - seconds since 1970. */
export function versionRecord(wallTime: number): Uint8Array {
  return record({ wallTime, what: { case: "fileVersion", value: FILE_VERSION } });
}

/** Says that what follows begins at a step, in place of anything known from there on. */
export function sessionStartRecord(wallTime: number, step: number): Uint8Array {
  const status = SessionLog_SessionStatus.START;
  return record({ wallTime, step: BigInt(step), what: { case: "sessionLog", value: { status } } });
}

/** The scalars of one step. */
export function scalarsRecord(wallTime: number, step: number, scalars: readonly Scalar[]): Uint8Array {
  const value = scalars.map(({ tag, value: simpleValue }) => ({
    tag,
    value: { case: "simpleValue" as const, value: simpleValue },
  }));
  return record({ wallTime, step: BigInt(step), what: { case: "summary", value: { value } } });
}

/** The step of a record's data. @throws {DataError} when it is no Event. */
export function stepOfEvent(data: Uint8Array): number {
  try {
    return Number(fromBinary(EventSchema, data).step);
  } catch (cause) {
    throw new DataError({ where: "event file", expected: "an Event", got: verbatim("other bytes"), cause });
  }
}

type EventFields = Exclude<Parameters<typeof create<typeof EventSchema>>[1], Event | undefined>;

function record(fields: EventFields): Uint8Array {
  return frameRecord(toBinary(EventSchema, create(EventSchema, fields)));
}
