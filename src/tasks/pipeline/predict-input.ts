/** What people give to be predicted (texts, pairs, objects with the names of their own) as examples of a task, without labels. */
import { ArgumentError } from "../../errors.ts";
import type { ExamplesByTask, TaskName } from "../datasets/dataset.ts";
import { type ColumnPlaces, findColumns } from "../records/columns.ts";
import { examplesOfRecords } from "../records/record-examples.ts";
import type { Records } from "../records/records.ts";

/** What is predicted from; a label beside it does not count. */
const INPUT_ROLES = ["id", "text", "textPair", "context", "question", "choices", "tokens"] as const;

/**
 * The example of an input: a text, a pair of texts, or an object with fields such as text, textPair, question, context, choices
 * under the names that people use (`text_pair`, `sentence1`, `passage`).
 * @param where - names the input in messages: `line 12`.
 * @throws {ArgumentError} when it is none of these. @throws {DataError} when a field is missing or no text.
 */
export function exampleOfInput<Task extends TaskName>(task: Task, input: unknown, where: string): ExamplesByTask[Task] {
  const fields = fieldsOf(input, where);
  const records: Records = {
    format: "jsonl",
    columns: Object.keys(fields),
    hasHeader: true,
    rows: [Object.values(fields)],
    where: () => where,
  };
  const { places } = findColumns(task, records, where);
  const kept: ColumnPlaces = Object.fromEntries(
    INPUT_ROLES.flatMap((role) => (places[role] === undefined ? [] : [[role, places[role]]])),
  );
  return examplesOfRecords(task, records, kept)[0] as ExamplesByTask[Task];
}

function fieldsOf(input: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof input === "string") return { text: input };
  if (Array.isArray(input)) {
    const [text, textPair, ...others] = input as unknown[];
    if (typeof text === "string" && typeof textPair === "string" && others.length === 0) return { text, textPair };
  } else if (typeof input === "object" && input !== null) return input as Readonly<Record<string, unknown>>;
  throw new ArgumentError({
    where,
    expected: "a text, a pair of texts, or an object with named fields",
    got: input,
    hint: 'such as { "text": "..." }, { "text": "...", "textPair": "..." } or { "question": "...", "context": "..." }',
  });
}
