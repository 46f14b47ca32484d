/** The dict of tensors within what a training program saved: alone, or under a key beside epochs and optimisers. */
import { CheckpointError, verbatim } from "../errors.ts";
import { formatValue, PickleDict, type PickleFailure, type PickleList } from "./pickle-values.ts";

/** Keys under which training programs save the state dict. */
const WRAPPERS = ["state_dict", "model_state_dict", "model", "module", "net", "network", "weights"];
/** {"model": {"state_dict": ...}} occurs; deeper nesting does not, and a dict may hold itself. */
const MAX_WRAPPERS = 4;
/** Of entries that a message lists. */
const MAX_NAMES = 10;

/** The tensors by name, and notes on what was around and beside them. */
export interface StateDict<T> {
  readonly tensors: ReadonlyMap<string, T>;
  readonly notes: readonly string[];
}

/**
 * Finds the tensors in a saved object.
 * @param asTensor - a value as a tensor, or undefined when it is none.
 * @param isKnown - whether an entry that is no tensor belongs to the format and needs no note.
 * @throws {CheckpointError} when there are none.
 */
export function findStateDict<T>(
  saved: unknown,
  file: string,
  asTensor: (value: unknown) => T | undefined,
  isKnown: (name: string) => boolean = () => false,
): StateDict<T> {
  const notes: string[] = [];
  const dict = unwrap(saved, file, (value) => asTensor(value) !== undefined, notes);
  const tensors = new Map<string, T>();
  const others: string[] = [];
  for (const [name, value] of dict.entries) {
    const tensor = typeof name === "string" ? asTensor(value) : undefined;
    if (tensor !== undefined) tensors.set(name as string, tensor);
    else if (!isKnown(keyText(name))) others.push(keyText(name));
  }
  if (others.length > 0) notes.push(`left out, not tensors: ${listed(others)}`);
  return { tensors, notes };
}

function unwrap(saved: unknown, file: string, isTensor: (value: unknown) => boolean, notes: string[]): PickleDict {
  let value = saved;
  for (let depth = 0; depth < MAX_WRAPPERS && value instanceof PickleDict; depth++) {
    const { entries } = value;
    const wrapper = WRAPPERS.find((key) => entries.get(key) instanceof PickleDict);
    if (wrapper === undefined) {
      for (const entry of entries.values()) if (isTensor(entry)) return value;
      break;
    }
    notes.push(`the weights were saved under "${wrapper}"`);
    value = entries.get(wrapper);
  }
  const keys = value instanceof PickleDict ? [...value.entries.keys()].map(keyText) : [];
  throw new CheckpointError({
    where: file,
    expected: `a dict of tensors, or one under ${WRAPPERS.join(", ")}`,
    got: verbatim(value instanceof PickleDict ? `a dict of: ${listed(keys) || "nothing"}` : "another object"),
    hint: "Save the weights alone, as `model.state_dict()`.",
  });
}

function keyText(key: unknown): string {
  return typeof key === "string" ? key : `(${formatValue(key)})`;
}

function listed(names: readonly string[]): string {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return `${names.slice(0, MAX_NAMES).join(", ")}${more}`;
}

/** What calling collections.OrderedDict gives. */
export function orderedDict([items]: PickleList, failure: PickleFailure): PickleDict {
  const dict = new PickleDict();
  if (items === undefined) return dict;
  // Python 2 gave the items to the call, as a list of pairs.
  if (!Array.isArray(items)) throw failure("a list of pairs for an OrderedDict", formatValue(items));
  for (const pair of items) {
    if (!Array.isArray(pair) || pair.length !== 2) throw failure("pairs for an OrderedDict", "other values");
    if (dict.entries.has(pair[0])) throw failure("each key once", `${keyText(pair[0])} twice`);
    dict.entries.set(pair[0], pair[1]);
  }
  return dict;
}
