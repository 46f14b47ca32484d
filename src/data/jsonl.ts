/** An instance as one JSON object a line, readable by people and by any other program; and back. */
import { DataError, verbatim } from "../errors.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import type { PretrainingInstance } from "./instance.ts";

/** The object of a line; without padding. */
export interface InstanceLine {
  readonly tokens: readonly string[];
  readonly inputIds: readonly number[];
  readonly tokenTypeIds: readonly number[];
  readonly maskedLmPositions: readonly number[];
  readonly maskedLmIds: readonly number[];
  readonly nextSentenceLabel: 0 | 1;
}

/** The object of an instance. @throws {VocabularyError} when an id is not in the vocabulary. */
export function instanceLine(instance: PretrainingInstance, vocabulary: Vocabulary): InstanceLine {
  return {
    tokens: Array.from(instance.inputIds, (id) => vocabulary.token(id)),
    inputIds: [...instance.inputIds],
    tokenTypeIds: [...instance.tokenTypeIds],
    maskedLmPositions: [...instance.maskedLmPositions],
    maskedLmIds: [...instance.maskedLmIds],
    nextSentenceLabel: instance.nextSentenceLabel,
  };
}

/**
 * The line of an instance, as UTF-8 with its line end.
 * @param options.words - adds `wordStarts`: 1 where a word begins, 0 where a token continues one.
 * @throws {VocabularyError} when an id is not in the vocabulary.
 */
export function encodeInstanceLine(
  instance: PretrainingInstance,
  vocabulary: Vocabulary,
  { words = false }: { readonly words?: boolean } = {},
): Uint8Array {
  const line = { ...instanceLine(instance, vocabulary), ...(words ? { wordStarts: [...instance.wordStarts] } : {}) };
  return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}

/** An instance of a file that may not say where words begin; all tokens begin one then. */
export interface ReadInstance {
  readonly instance: PretrainingInstance;
  readonly hasWords: boolean;
}

/**
 * The instance of a line; tokens, which the ids say again, are passed over. Ids and positions are not compared with each other.
 * @param where - file and line, for messages.
 * @throws {DataError} when the line is no object with these fields.
 */
export function decodeInstanceLine(line: string, where: string): ReadInstance {
  const json = parseObject(line, where);
  const inputIds = integersOf(json["inputIds"], `${where}: inputIds`);
  const words = json["wordStarts"];
  const label = json["nextSentenceLabel"] ?? 0;
  if (label !== 0 && label !== 1) throw wrong(`${where}: nextSentenceLabel`, "0 or 1", label);
  const instance = {
    inputIds,
    tokenTypeIds: bytesOf(json["tokenTypeIds"], `${where}: tokenTypeIds`),
    wordStarts: words === undefined ? new Uint8Array(inputIds.length).fill(1) : bytesOf(words, `${where}: wordStarts`),
    maskedLmPositions: integersOf(json["maskedLmPositions"], `${where}: maskedLmPositions`),
    maskedLmIds: integersOf(json["maskedLmIds"], `${where}: maskedLmIds`),
    nextSentenceLabel: label,
  } as const;
  return { instance, hasWords: words !== undefined };
}

function parseObject(line: string, where: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw wrong(where, "a JSON object", verbatim("other text"));
  }
  if (typeof json === "object" && json !== null && "inputIds" in json) return json as Record<string, unknown>;
  throw new DataError({
    where,
    expected: "an object with inputIds, tokenTypeIds, maskedLmPositions and maskedLmIds",
    got: verbatim("other JSON"),
    hint: "documents as JSON, a text in a field of each, are read by: zhbert data FILE --input jsonl",
  });
}

/** @throws {DataError} when a value is no list of integers from 0 to 2^31 - 1. */
export function integersOf(value: unknown, where: string): Int32Array {
  if (!Array.isArray(value)) throw wrong(where, "a list of integers", value);
  return Int32Array.from(value as unknown[], (entry) => {
    if (Number.isInteger(entry) && (entry as number) >= 0 && (entry as number) <= 0x7fffffff) return entry as number;
    throw wrong(where, "integers from 0 to 2^31 - 1", entry);
  });
}

/** @throws {DataError} when a value is no list of 0 and 1. */
export function bytesOf(value: unknown, where: string): Uint8Array {
  return Uint8Array.from(integersOf(value, where), (entry) => {
    if (entry <= 1) return entry;
    throw wrong(where, "0 or 1", entry);
  });
}

function wrong(where: string, expected: string, got: unknown): DataError {
  return new DataError({ where, expected, got: got ?? verbatim("nothing") });
}
