/** The values that a pickle is read to, and what a format says of them. */
import type { CheckpointError } from "../errors.ts";

/** A dict, or an OrderedDict with the attributes that BUILD gave it. */
export class PickleDict {
  readonly entries = new Map<unknown, unknown>();
  attributes: unknown;
}

/** A list, tuple or set. */
export type PickleList = unknown[];

/** A global of the list as a value: a type that is only named, or something to be called. */
export class PickleGlobal {
  constructor(
    /** Module and name: `torch.FloatStorage`. */
    readonly name: string,
  ) {}
}

/** The error for what a call was given: file and byte are filled in. @param hint - where the file is not damaged. */
export type PickleFailure = (expected: string, got: string, hint?: string) => CheckpointError;

/** What a format admits. */
export interface PickleRules {
  /** By module and name, with a dot between; what calling it gives, or null for a global that is only named. */
  readonly globals: ReadonlyMap<string, ((args: PickleList, failure: PickleFailure) => unknown) | null>;
  /** Gives an object that such a call made its state; false when it takes none. */
  build?(target: unknown, state: unknown, failure: PickleFailure): boolean;
  /** The object that lies outside of the pickle under this id. */
  persistent?(id: unknown, failure: PickleFailure): unknown;
}

/** Items of a list that a message shows. */
const MAX_SHOWN = 8;

/** A value as messages show it; nothing nested is walked, since values may hold themselves. */
export function formatValue(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (value instanceof PickleDict) return "a dict";
  if (value instanceof PickleGlobal) return value.name;
  if (Array.isArray(value)) {
    const isFlat = value.length <= MAX_SHOWN && value.every((item) => typeof item === "number");
    return isFlat ? `[${value.join(", ")}]` : `a list of ${value.length}`;
  }
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
