/** An instance as one JSON object a line, readable by people and by any other program. */
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

/** The line of an instance, as UTF-8 with its line end. @throws {VocabularyError} when an id is not in the vocabulary. */
export function encodeInstanceLine(instance: PretrainingInstance, vocabulary: Vocabulary): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(instanceLine(instance, vocabulary))}\n`);
}
