/**
 * The layouts in which reading comprehension is published: SQuAD's, which most data sets took over with changes, and CMRC
 * 2018's own. Answers are checked against their passage; what the data has wrong is repaired, counted and listed.
 */
import { DataError } from "../../errors.ts";
import type { Answer, QuestionExample } from "../examples.ts";
import { AnswerFinder } from "../qa/answer-places.ts";
import { type AnswerRepair, PlacedAnswers } from "../qa/placed-answers.ts";
import { QuestionIds } from "../qa/question-ids.ts";
import { parseJson } from "../records/parse-json.ts";
import type { DatasetFile, ReadExamples } from "./dataset.ts";

/** How the layouts of data sets differ. */
export interface QuestionFileOptions {
  /** Whether answers may be YES and NO, which stand in no passage (CJRC). */
  readonly yesNo?: boolean;
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
  const reader = new QuestionReader(options, spellingOf(text));
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
  readonly #spell: Spelling;
  readonly #examples: QuestionExample[] = [];
  readonly #placed = new PlacedAnswers();
  readonly #ids = new QuestionIds();

  constructor(options: QuestionFileOptions, spell: Spelling) {
    this.#options = options;
    this.#spell = spell;
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
    const notes = [...this.#placed.notes(), ...this.#ids.notes()];
    return { examples: this.#examples, repairs: this.#placed.repairs, ...(notes.length > 0 ? { notes } : {}) };
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
      statedAnswer(answer, `${where}.answers[${i}]`, this.#spell),
    );
    const isImpossible = isTrue(fields["is_impossible"]);
    if (given.some(({ text }) => HIDDEN_ANSWER.test(text))) return {};
    if (given.every(({ text }) => text === "")) return given.length > 0 || isImpossible ? { answers: [] } : {};
    // An annotator who says yes or no points at no place.
    const isPlaced = ({ text }: Answer) => !(this.#options.yesNo && YES_NO.has(text));
    const answers = given.map((answer) =>
      isPlaced(answer) ? this.#placed.place(answer, id, finder) : { text: answer.text },
    );
    const first = this.#options.yesNo ? YES_NO.get(answers[0]?.text ?? "") : undefined;
    return first === undefined ? { answers } : { answers, yesNo: first };
  }
}

/** What stands for the answers of a test whose answers are kept secret (CMRC 2018). */
const HIDDEN_ANSWER = /^FAKE_ANSWER_\d+$/;
const YES_NO: ReadonlyMap<string, "yes" | "no"> = new Map([
  ["YES", "yes"],
  ["NO", "no"],
]);

function statedAnswer(json: unknown, where: string, spell: Spelling): Answer {
  if (typeof json === "string" || typeof json === "number") return { text: answerText(json, where, spell) };
  const { text, answer_start: start } = objectOf(json, where);
  const isPlace = typeof start === "number" && Number.isInteger(start);
  if (start !== undefined && start !== null && !isPlace) {
    throw new DataError({ where: `${where}.answer_start`, expected: "a whole number", got: start });
  }
  return { text: answerText(text, `${where}.text`, spell), ...(isPlace && start >= 0 ? { start } : {}) };
}

function answerText(json: unknown, where: string, spell: Spelling): string {
  return typeof json === "number" ? spell(json) : stringOf(json, where);
}

/** How a file writes a number of JSON, which its value no longer tells. */
type Spelling = (value: number) => string;

/**
 * Some answers of CMRC's own layout are numbers, which a spreadsheet made of dates and figures: 39764.0. Its SQuAD layout and
 * its evaluation spell them as Python does, with the decimal point; a year that is written without one has none.
 */
function spellingOf(file: string): Spelling {
  let decimals: ReadonlySet<string> | undefined;
  return (value) => {
    decimals ??= new Set(Array.from(file.matchAll(WHOLE_DECIMAL), ([, whole]) => whole as string));
    return decimals.has(String(value)) ? value.toFixed(1) : String(value);
  };
}

const WHOLE_DECIMAL = /[[:,]\s*(-?\d+)\.0+(?=\s*[\],}])/gu;

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
