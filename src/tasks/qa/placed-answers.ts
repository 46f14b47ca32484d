/** Answers at their places in the passage: what the data has wrong is repaired, counted and listed. */
import type { Answer } from "../examples.ts";
import type { DataNote } from "../records/data-note.ts";
import type { AnswerFinder, PlaceKind } from "./answer-places.ts";

/** An answer whose place is not where the data says. */
export interface AnswerRepair {
  /** The question. */
  readonly id: string;
  readonly text: string;
  /** As the data says. */
  readonly stated: number | undefined;
  readonly place: PlaceKind;
  /** UTF-16 offset of the place taken; undefined where the text is not in the passage. */
  readonly start: number | undefined;
}

const MAX_LISTED = 5;

/** The answers of a file, as they are placed one by one. */
export class PlacedAnswers {
  /** In the order of the file. */
  readonly repairs: AnswerRepair[] = [];
  #count = 0;

  /** @param id - of the question. @param finder - of its passage. */
  place({ text, start: stated }: Answer, id: string, finder: AnswerFinder): Answer {
    // Found nothing: it points at no place.
    if (text === "") return { text };
    this.#count += 1;
    const { kind, start } = finder.find(text, stated);
    if (kind !== "as stated") this.repairs.push({ id, text, stated, place: kind, start });
    return start === undefined ? { text } : { text, start };
  }

  /** One for each way in which answers were elsewhere. */
  notes(): DataNote[] {
    return NOTED.flatMap(([place, level, words]): DataNote[] => {
      const found = this.repairs.filter((repair) => repair.place === place);
      if (found.length === 0) return [];
      const ids = [...new Set(found.map(({ id }) => id))];
      const listed = `${ids.slice(0, MAX_LISTED).join(", ")}${ids.length > MAX_LISTED ? ", ..." : ""}`;
      const message = `${found.length} of ${this.#count} answers ${words} (${listed})`;
      return [{ kind: `answers ${place}`, level, message, measured: { answers: found.length, of: this.#count } }];
    });
  }
}

const NOTED: readonly (readonly [PlaceKind, DataNote["level"], string])[] = [
  ["in UTF-16 units", "info", "say their place in UTF-16 units, the others in code points"],
  ["moved", "info", "are not where the data says; the nearest occurrence was taken"],
  ["searched", "info", "come without a place; their first occurrence was taken"],
  ["absent", "warning", "are not in their passage; they count in evaluation, and nothing is learned from them"],
];
