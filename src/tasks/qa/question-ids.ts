/** The ids of questions: predictions and the scripts that score them know a question by its id alone. */
import { DataError, verbatim } from "../../errors.ts";
import type { DataNote } from "../records/data-note.ts";

/** Ids that a note names. */
const MAX_LISTED = 5;

/** The ids of one file, as they are read. */
export class QuestionIds {
  readonly #first = new Map<string, { readonly where: string; readonly isLabelled: boolean }>();
  readonly #repeated: string[] = [];

  /**
   * @param where - the question's place in its file.
   * @throws {DataError} when a question that has answers shares its id with another one: its score would be the other's.
   */
  add(id: string, where: string, isLabelled: boolean): void {
    const first = this.#first.get(id);
    if (first === undefined) {
      this.#first.set(id, { where, isLabelled });
      return;
    }
    if (isLabelled || first.isLabelled) {
      throw new DataError({
        where,
        expected: "an id of its own for each question with answers",
        got: verbatim(`${JSON.stringify(id)}, which ${first.where} has too`),
        hint: "prediction files and evaluation scripts keep one answer for each id: rename or remove one of the two",
      });
    }
    this.#repeated.push(id);
  }

  /** What people should know: questions without answers are predicted one by one, whatever their ids. */
  notes(): DataNote[] {
    const { length } = this.#repeated;
    if (length === 0) return [];
    const ids = [...new Set(this.#repeated)];
    const listed = `${ids.slice(0, MAX_LISTED).join(", ")}${ids.length > MAX_LISTED ? ", ..." : ""}`;
    const message = `${length} questions have the id of another one (${listed}): predictions by row keep them all, a file of answers by id cannot`;
    return [{ kind: "repeated ids", level: "warning", message, measured: { questions: length } }];
  }
}
