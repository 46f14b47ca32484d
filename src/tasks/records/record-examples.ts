/** Records with known columns as the examples of a task. */
import { DataError, verbatim } from "../../errors.ts";
import { strip } from "../../util/python-space.ts";
import type { ExamplesByTask, TaskName } from "../datasets/dataset.ts";
import type { Answer } from "../examples.ts";
import { DroppedEntities } from "../ner/dropped-entities.ts";
import type { SpansApart } from "../ner/tag-schemes.ts";
import type { TextUnits } from "../ner/text-units.ts";
import { AnswerFinder } from "../qa/answer-places.ts";
import { PlacedAnswers } from "../qa/placed-answers.ts";
import { QuestionIds } from "../qa/question-ids.ts";
import type { ColumnRole } from "./column-names.ts";
import type { ColumnPlaces } from "./columns.ts";
import type { DataNote } from "./data-note.ts";
import { listOf, looksLikeList } from "./list-cells.ts";
import { taggedExample } from "./record-tags.ts";
import type { Records } from "./records.ts";

/** What is seen of all records together. */
class Findings {
  readonly questionIds = new QuestionIds();
  readonly placedAnswers = new PlacedAnswers();
  readonly droppedEntities = new DroppedEntities();
}

/** What to do where a field holds something else. */
const HINTS: Readonly<Partial<Record<ColumnRole, string>>> = {
  score:
    "scores are numbers, such as 0.8: correct it, or name their column with --score-column; words are labels of classify and match",
  tags: "give each unit its tag, O where it belongs to nothing; text without tokens is cut into characters",
  entities: "places count characters from 0, and the end is after the last one: correct it, or leave the entity out",
  answers: 'give a text, a list of texts, or a list of { "text": "...", "answer_start": 12 }',
};

/** A record, by what its columns mean. */
class RecordReader {
  readonly findings: Findings;
  readonly #records: Records;
  readonly #places: ColumnPlaces;
  readonly #row: number;

  constructor(records: Records, places: ColumnPlaces, row: number, findings: Findings) {
    this.#records = records;
    this.#places = places;
    this.#row = row;
    this.findings = findings;
  }

  /** The value of a column; undefined where it is not there, or null. */
  value(role: ColumnRole): unknown {
    const place = this.#places[role];
    return place === undefined ? undefined : (this.#records.rows[this.#row]?.[place] ?? undefined);
  }

  /** A text; empty where it is missing. */
  text(role: ColumnRole): string {
    const value = this.value(role);
    if (value === undefined || typeof value === "string") return value ?? "";
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    throw this.error(role, "a text", value);
  }

  /** A label's or id's name: texts without white space around them, numbers and truth values as they are written. */
  name(role: ColumnRole): string | undefined {
    const name = strip(this.text(role));
    return name === "" ? undefined : name;
  }

  /** A number; undefined where it is missing. */
  number(role: ColumnRole): number | undefined {
    const text = this.name(role);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (Number.isFinite(number)) return number;
    throw this.error(role, "a number", text);
  }

  /** The labels whose columns hold 1. */
  labelsOfColumns(): string[] {
    return (this.#places.labelColumns ?? []).flatMap((place) => {
      const cell = strip(String(this.#records.rows[this.#row]?.[place] ?? ""));
      const name = this.#records.columns[place] as string;
      if (/^(1|true)$/i.test(cell)) return [name];
      if (/^(0|false|)$/i.test(cell)) return [];
      const hint =
        "columns of labels hold 1 where the label is given; one column with the names of all is --label-column NAME";
      throw new DataError({ where: `${this.where}: ${name}`, expected: "0 or 1", got: cell, hint });
    });
  }

  get hasLabelColumns(): boolean {
    return this.#places.labelColumns !== undefined;
  }

  get where(): string {
    return this.#records.where(this.#row);
  }

  error(
    role: ColumnRole,
    expected: string,
    got: unknown,
    hint = HINTS[role] ?? "correct it, or leave the record out",
  ): DataError {
    const place = this.#places[role];
    const column = place === undefined ? role : this.#records.columns[place];
    return new DataError({ where: `${this.where}: ${column}`, expected, got, hint });
  }

  dropped(place: TextUnits, entities: SpansApart["dropped"]): void {
    this.findings.droppedEntities.add(this.where, place, entities);
  }
}

type Readers = { readonly [Task in TaskName]: (record: RecordReader) => ExamplesByTask[Task] };

const readers: Readers = {
  classify: (record) => ({ ...idOf(record), ...textsOf(record), ...optional("label", record.name("label")) }),
  match: (record) => readers.classify(record),
  multilabel: (record) => ({ ...idOf(record), ...textsOf(record), ...optional("labels", labelsOf(record)) }),
  regress: (record) => ({ ...idOf(record), ...textsOf(record), ...optional("score", record.number("score")) }),
  embed: (record) => ({
    ...idOf(record),
    ...textsOf(record),
    ...optional("negative", record.name("negative")),
    ...optional("score", record.number("score")),
  }),
  ner: (record) => ({ ...idOf(record), ...taggedExample(record) }),
  qa: questionOf,
  choice: choiceOf,
};

/**
 * The examples in records.
 * @throws {DataError} at values that are not what the column should hold; it names the line and the column.
 */
export function examplesOfRecords<Task extends TaskName>(
  task: Task,
  records: Records,
  places: ColumnPlaces,
): ExamplesByTask[Task][] {
  return [...readRecordExamples(task, records, places).examples];
}

/** The same with what people should know of them: answers that are elsewhere, entities that were left out, ids that stand twice. */
export function readRecordExamples<Task extends TaskName>(
  task: Task,
  records: Records,
  places: ColumnPlaces,
): { readonly examples: readonly ExamplesByTask[Task][]; readonly notes: readonly DataNote[] } {
  const read = readers[task];
  const findings = new Findings();
  const examples = records.rows.map((_, row) => read(new RecordReader(records, places, row, findings)));
  const { placedAnswers, questionIds, droppedEntities } = findings;
  return { examples, notes: [...placedAnswers.notes(), ...questionIds.notes(), ...droppedEntities.notes("warning")] };
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value };
}

function idOf(record: RecordReader) {
  return optional("id", record.name("id"));
}

function textsOf(record: RecordReader) {
  const pair = record.value("textPair") === undefined ? undefined : record.text("textPair");
  return { text: record.text("text"), ...optional("textPair", pair) };
}

/** A list of JSON, or names parted by the marks that people use. */
function labelsOf(record: RecordReader): string[] | undefined {
  if (record.hasLabelColumns) return record.labelsOfColumns();
  const value = record.value("label");
  if (value === undefined) return undefined;
  const list = listOf(value);
  if (list?.every((item) => typeof item === "string" || typeof item === "number")) return list.map(String);
  if (list !== undefined || looksLikeList(value))
    throw record.error("label", "a list of labels", value, 'write ["a", "b"], or a,b');
  return record
    .text("label")
    .split(/[|,;，；、\s]+/)
    .filter((label) => label !== "");
}

function questionOf(record: RecordReader): ExamplesByTask["qa"] {
  const id = record.name("id") ?? record.where;
  const context = record.text("context");
  const { placedAnswers, questionIds } = record.findings;
  const finder = new AnswerFinder(context);
  const answers = answersOf(record)?.map((answer) => placedAnswers.place(answer, id, finder));
  questionIds.add(id, record.where, answers !== undefined);
  return { id, context, question: record.text("question"), ...optional("answers", answers) };
}

/** A text, a list of texts, SQuAD's `{ text: [...], answer_start: [...] }`, or a list of `{ text, answer_start }`. */
function answersOf(record: RecordReader): Answer[] | undefined {
  const value = record.value("answers");
  if (value === undefined) return undefined;
  const single = answerText(value);
  if (single !== undefined && !looksLikeList(single)) {
    return single === "" ? [] : [answerOf(single, record.number("answerStart"))];
  }
  const list = listOf(value) ?? columnsOfAnswers(value);
  if (list === undefined) throw record.error("answers", "a text, or a list of answers", value);
  return list.map((item) => {
    const alone = answerText(item);
    if (alone !== undefined) return answerOf(alone, undefined);
    const { text: given, answer_start: start, start: other } = (item ?? {}) as Record<string, unknown>;
    const text = answerText(given);
    if (text === undefined) throw record.error("answers", "an answer with a text", item);
    const at = start ?? other;
    return answerOf(text, typeof at === "number" ? at : undefined);
  });
}

/** The text of an answer: years and amounts may be numbers of JSON. */
function answerText(value: unknown): string | undefined {
  return typeof value === "number" ? String(value) : typeof value === "string" ? value : undefined;
}

function columnsOfAnswers(value: unknown): unknown[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { text, answer_start: starts } = value as { text?: unknown; answer_start?: unknown };
  if (!Array.isArray(text)) return undefined;
  return text.map((one, i) => ({ text: one, answer_start: Array.isArray(starts) ? starts[i] : undefined }));
}

function answerOf(text: string, start: number | undefined): Answer {
  return { text, ...optional("start", start) };
}

/** The answer is the choice itself, its number from 0, or its letter. */
function choiceOf(record: RecordReader): ExamplesByTask["choice"] {
  const choices = listOf(record.value("choices"));
  if (choices === undefined || choices.length < 2 || !choices.every((choice) => typeof choice === "string")) {
    throw record.error("choices", "a list of at least two texts", record.value("choices") ?? verbatim("nothing"));
  }
  const answer = record.name("label") ?? record.name("answers");
  const label = answer === undefined ? undefined : placeOfAnswer(answer, choices);
  if (label === -1)
    throw record.error(
      record.value("label") === undefined ? "answers" : "label",
      "one of the choices",
      answer,
      "say the right one by its text, its number from 0 or its letter",
    );
  const context = record.value("context");
  return {
    ...idOf(record),
    context: Array.isArray(context) ? context.join("\n") : record.text("context"),
    question: record.text("question"),
    choices,
    ...optional("label", label),
  };
}

function placeOfAnswer(answer: string, choices: readonly string[]): number {
  const exact = choices.indexOf(answer);
  if (exact >= 0) return exact;
  const number = /^\d+$/.test(answer)
    ? Number(answer)
    : answer.length === 1
      ? answer.toUpperCase().charCodeAt(0) - 65
      : -1;
  return number >= 0 && number < choices.length ? number : -1;
}
