/** Anyone's own file as the examples of a task: records by their columns, tagged lines and words, and questions in SQuAD's layout. */

import type { ExamplesByTask, ReadExamples, TaskName } from "../datasets/dataset.ts";
import { readQuestionFile } from "../datasets/question-file.ts";
import { type ColumnChoices, findColumns } from "./columns.ts";
import { readRecordExamples } from "./record-examples.ts";
import { type RecordOptions, readRecords, recordFormat } from "./records.ts";
import { looksLikeTaggedColumns, readSegmented, readTaggedColumns } from "./tagged-columns.ts";
import { looksLikeTaggedWords, readTaggedWords, withoutTags } from "./tagged-words.ts";

type Read<Task extends TaskName> = ReadExamples<ExamplesByTask[Task]>;

/** How a file of one's own is read. */
export interface UserFileOptions extends Pick<RecordOptions, "format" | "header"> {
  readonly columns?: ColumnChoices;
}

/**
 * The examples of a file.
 * @param path - its name, which may tell the layout; for messages.
 * @throws {DataError} at what cannot be read, with its line; at a missing column, with those that are there.
 */
export async function readUserExamples<Task extends TaskName>(
  task: Task,
  path: string,
  text: string,
  options: UserFileOptions = {},
): Promise<Read<Task>> {
  const format = options.format ?? recordFormat(path, text);
  if (task === "qa" && format === "json" && /"(paragraphs|qas|context_text)"\s*:/.test(text)) {
    return readQuestionFile({ path, text }) as ReadExamples<unknown> as Read<Task>;
  }
  const isGuess = options.format === undefined && format === "tsv";
  if (task === "ner" && (format === "tagged-words" || (isGuess && looksLikeTaggedWords(text)))) {
    return { examples: readTaggedWords(text, path) } as ReadExamples<unknown> as Read<Task>;
  }
  if (task === "ner" && (format === "conll" || (isGuess && looksLikeTaggedColumns(text)))) {
    return { examples: readTaggedColumns(text, { path }) } as ReadExamples<unknown> as Read<Task>;
  }
  if (task === "ner" && format === "words") {
    const words = looksLikeTaggedWords(text) ? withoutTags(text, path) : text;
    return { examples: readSegmented(words, path) } as ReadExamples<unknown> as Read<Task>;
  }
  const columns = options.columns ?? {};
  const names = Object.values(columns).flat();
  const header = options.header === undefined ? {} : { header: options.header };
  const records = await readRecords(path, text, { format, names, ...header });
  const { places, notes } = findColumns(task, records, path, columns);
  const read = readRecordExamples(task, records, places);
  return { examples: read.examples, notes: [...notes, ...read.notes] };
}
