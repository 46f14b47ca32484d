/**
 * The layouts in which reading comprehension is published: SQuAD's, which most data sets took over with changes, and CMRC
 * 2018's own. Answers are checked against their passage; what the data has wrong is repaired, counted and listed.
 */
import { DataError } from "../../errors.ts";
import type { Answer, QuestionExample } from "../examples.ts";
import { AnswerFinder, type PlaceKind } from "../qa/answer-places.ts";
import { QuestionIds } from "../qa/question-ids.ts";
import type { DataNote } from "../records/data-note.ts";
import { parseJson } from "../records/parse-json.ts";
import type { DatasetFile, ReadExamples } from "./dataset.ts";

/** How the layouts of data sets differ. */
export interface QuestionFileOptions {
  /** Whether answers may be YES and NO, which stand in no passage (CJRC). */
  readonly yesNo?: boolean;
}

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

/** The questions of a file, and what is wrong with it. */
export interface QuestionFile extends ReadExamples<QuestionExample> {
  readonly examples: readonly QuestionExample[];
  /** Answers that are elsewhere than the data says, in the order of the file. */
  readonly repairs: readonly AnswerRepair[];
}

/**
 * The questions of a file in one of the layouts.
 * @throws {DataError} when it is no JSON (with line and column) or has another layout (with the path of the value), or two
 * questions with answers have one id.
 * Source: Rajpurkar et al. 2016 and 2018 (SQuAD); squad-style-data and data of ymcui/cmrc2018.
 */
export function readQuestionFile({ path, text }: DatasetFile, options: QuestionFileOptions = {}): QuestionFile {
  const reader = new QuestionReader(options);
  const json = parseJson(text, path);
  if (Array.isArray(json)) {
    json.forEach((passage, i) => {
      reader.nativePassage(passage, `${path}: [${i}]`);
    });
  } else {
    const where = `${path}: data`;
    listOf(objectOf(json, path)["data"], where).forEach((article, i) => {
      reader.article(article, `${where}[${i}]`);
    });
  }
  return reader.finish();
}

type JsonObject = Readonly<Record<string, unknown>>;

class QuestionReader {
  readonly #options: QuestionFileOptions;
  readonly #examples: QuestionExample[] = [];
  readonly #repairs: AnswerRepair[] = [];
  readonly #ids = new QuestionIds();
  #answers = 0;

  constructor(options: QuestionFileOptions) {
    this.#options = options;
  }

  article(json: unknown, where: string): void {
    const paragraphs = listOf(objectOf(json, where)["paragraphs"], `${where}.paragraphs`);
    paragraphs.forEach((paragraph, i) => {
      const at = `${where}.paragraphs[${i}]`;
      const { context, qas } = objectOf(paragraph, at);
      this.#passage(stringOf(context, `${at}.context`), listOf(qas, `${at}.qas`), `${at}.qas`);
    });
  }

  /** CMRC 2018's own layout: answers are texts without a place. */
  nativePassage(json: unknown, where: string): void {
    const { context_text, qas } = objectOf(json, where);
    this.#passage(stringOf(context_text, `${where}.context_text`), listOf(qas, `${where}.qas`), `${where}.qas`);
  }

  finish(): QuestionFile {
    const notes = [...placeNotes(this.#repairs, this.#answers), ...this.#ids.notes()];
    return { examples: this.#examples, repairs: this.#repairs, ...(notes.length > 0 ? { notes } : {}) };
  }

  #passage(context: string, questions: readonly unknown[], where: string): void {
    const finder = new AnswerFinder(context);
    questions.forEach((json, i) => {
      const at = `${where}[${i}]`;
      const fields = objectOf(json, at);
      const id = idOf(fields, at);
      const question = stringOf(fields["question"] ?? fields["query_text"], `${at}.question`);
      const answers = this.#answersOf(fields, id, finder, at);
      this.#ids.add(id, at, answers.answers !== undefined);
      this.#examples.push({ id, context, question, ...answers });
    });
  }

  #answersOf(fields: JsonObject, id: string, finder: AnswerFinder, where: string): Partial<QuestionExample> {
    if (fields["answers"] === undefined) return {};
    const given = listOf(fields["answers"], `${where}.answers`).map((answer, i) =>
      statedAnswer(answer, `${where}.answers[${i}]`),
    );
    const isImpossible = isTrue(fields["is_impossible"]);
    if (given.some(({ text }) => HIDDEN_ANSWER.test(text))) return {};
    if (given.every(({ text }) => text === "")) return given.length > 0 || isImpossible ? { answers: [] } : {};
    const answers = given.map((answer) => this.#placed(answer, id, finder));
    const first = this.#options.yesNo ? YES_NO.get(answers[0]?.text ?? "") : undefined;
    return first === undefined ? { answers } : { answers, yesNo: first };
  }

  #placed({ text, start: stated }: Answer, id: string, finder: AnswerFinder): Answer {
    // An annotator who says yes or no, or found nothing, points at no place.
    if (text === "" || (this.#options.yesNo && YES_NO.has(text))) return { text };
    this.#answers += 1;
    const { kind, start } = finder.find(text, stated);
    if (kind !== "as stated") this.#repairs.push({ id, text, stated, place: kind, start });
    return start === undefined ? { text } : { text, start };
  }
}

/** What stands for the answers of a test whose answers are kept secret (CMRC 2018). */
const HIDDEN_ANSWER = /^FAKE_ANSWER_\d+$/;
const YES_NO: ReadonlyMap<string, "yes" | "no"> = new Map([
  ["YES", "yes"],
  ["NO", "no"],
]);

function statedAnswer(json: unknown, where: string): Answer {
  if (typeof json === "string" || typeof json === "number") return { text: answerText(json, where) };
  const { text, answer_start: start } = objectOf(json, where);
  const isPlace = typeof start === "number" && Number.isInteger(start);
  if (start !== undefined && start !== null && !isPlace) {
    throw new DataError({ where: `${where}.answer_start`, expected: "a whole number", got: start });
  }
  return { text: answerText(text, `${where}.text`), ...(isPlace && start >= 0 ? { start } : {}) };
}

/**
 * Some answers of CMRC's own layout are numbers, which a spreadsheet made of dates and figures: 39764.0. Its SQuAD layout and
 * its evaluation spell them as Python does, with the decimal point.
 */
function answerText(json: unknown, where: string): string {
  if (typeof json === "number") return Number.isInteger(json) ? json.toFixed(1) : String(json);
  return stringOf(json, where);
}

const MAX_LISTED = 5;

/** One note for each way in which answers were elsewhere; a layout that says no places is none. */
function placeNotes(repairs: readonly AnswerRepair[], answers: number): DataNote[] {
  const notes: DataNote[] = [];
  const add = (place: PlaceKind, level: DataNote["level"], text: string) => {
    const found = repairs.filter((repair) => repair.place === place);
    if (found.length === 0) return;
    const ids = [...new Set(found.map(({ id }) => id))];
    const listed = `${ids.slice(0, MAX_LISTED).join(", ")}${ids.length > MAX_LISTED ? ", ..." : ""}`;
    const message = `${found.length} of ${answers} answers ${text} (${listed})`;
    notes.push({ kind: `answers ${place}`, level, message, measured: { answers: found.length, of: answers } });
  };
  add("in UTF-16 units", "info", "say their place in UTF-16 units, the others in code points");
  add("moved", "info", "are not where the data says; the nearest occurrence was taken");
  add("searched", "info", "come without a place; their first occurrence was taken");
  add("absent", "warning", "are not in their passage; they count in evaluation, and nothing is learned from them");
  return notes;
}

function idOf(fields: JsonObject, where: string): string {
  const id = fields["id"] ?? fields["query_id"];
  return typeof id === "number" ? String(id) : stringOf(id, `${where}.id`);
}

/** CJRC writes truth as a string. */
function isTrue(value: unknown): boolean {
  return value === true || value === "true";
}

function objectOf(json: unknown, where: string): JsonObject {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as JsonObject;
  throw unlike(where, "an object", json);
}

function listOf(json: unknown, where: string): readonly unknown[] {
  if (Array.isArray(json)) return json;
  throw unlike(where, "a list", json);
}

function stringOf(json: unknown, where: string): string {
  if (typeof json === "string") return json;
  throw unlike(where, "a text", json);
}

function unlike(where: string, expected: string, got: unknown): DataError {
  const hint =
    "the layout is SQuAD's: data > paragraphs > context and qas > question, id, answers > text, answer_start";
  return new DataError({ where, expected, got: got === undefined ? undefined : got, hint });
}
