/** Labelled examples that a command is given: a file or a data set's folder, its columns, and the split that is measured. */
import { statSync } from "node:fs";
import { basename } from "node:path";
import { DataError, verbatim } from "../errors.ts";
import { type AnyTaskData, loadTaskData, type TaskDataOptions } from "../node/task-data.ts";
import { findDataset } from "../tasks/datasets/datasets.ts";
import { splitFiles } from "../tasks/datasets/split-files.ts";
import { columnChoices } from "../tasks/records/columns.ts";
import type { DataNote } from "../tasks/records/data-note.ts";
import { RECORD_FORMATS } from "../tasks/records/records.ts";
import { isLabelled } from "../tasks/records/split-examples.ts";
import { given } from "../util/given.ts";
import type { CommandContext, CommandOption } from "./command.ts";

/** An example of any task. */
export type Example = Readonly<Record<string, unknown>>;

/** How people's own data are read. */
export const recordOptions: readonly CommandOption[] = [
  { flags: "--dataset <name>", description: "read it as this published data set, such as chnsenticorp" },
  { flags: "--text-column <name>", description: "of your own data: the column of texts, by name or number" },
  { flags: "--text-pair-column <name>", description: "the column of second texts" },
  { flags: "--label-column <name>", description: "the column of labels; of multilabel several, with commas between" },
  { flags: "--score-column <name>", description: "the column of scores" },
  { flags: "--id-column <name>", description: "the column of the examples' names" },
  { flags: "--format <name>", description: "of the file (default: by its name)", choices: RECORD_FORMATS },
];

/** What is noticed of data, with what to do about it. */
export function noteText({ message, level, run }: DataNote): string {
  return `${level === "warning" ? "warning: " : ""}${message}${run === undefined ? "" : ` (${run})`}`;
}

/** Whether a path is that of a folder with splits. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The split of a published data set whose file is called like this one. */
function splitOfFile(path: string, dataset: string | undefined): string | undefined {
  const splits = Object.entries(findDataset(dataset ?? "")?.splits ?? {});
  return splits.find(([, { files }]) => splitFiles([basename(path)], files.flat()).length > 0)?.[0];
}

/** The test split of a folder, dev where that has no labels; a file is what it is. What is not measured is not read. */
export async function loadExamples({ options, isGiven }: CommandContext, task: string, data: string) {
  // What is not said is told by the bytes.
  const encoding = isGiven("encoding") ? options["encoding"] : undefined;
  const wanted: string | undefined = options["split"];
  const columns = columnChoices(
    given({
      text: options["textColumn"] as string | undefined,
      textPair: options["textPairColumn"] as string | undefined,
      label: options["labelColumn"] as string | undefined,
      score: options["scoreColumn"] as string | undefined,
      id: options["idColumn"] as string | undefined,
    }),
  );
  const format = options["format"] as TaskDataOptions["format"];
  const dataset = options["dataset"] as string | undefined;
  const shared = { name: task, columns, ...given({ encoding, format, dataset }) };
  if (!isFolder(data)) {
    // A file is read as a data set's file of that split, and compared with its published size.
    const split = wanted ?? splitOfFile(data, dataset) ?? "test";
    return { loaded: await loadTaskData({ ...shared, [split]: data, splits: [split] }), split };
  }
  const splits = wanted === undefined ? ["test", "dev"] : [wanted];
  const loaded = await loadTaskData({ ...shared, folder: data, splits, isOneEnough: true });
  const read = Object.keys(loaded.splits);
  return { loaded, split: read.find((split) => hasLabels(loaded, split)) ?? (read[0] as string) };
}

/** Whether there is something to measure on in a split. */
function hasLabels({ kind, splits }: AnyTaskData, split: string): boolean {
  const examples: AnyTaskData["splits"][string] = splits[split] ?? [];
  return examples.some((example) => isLabelled(kind, example));
}

/** @throws {DataError} when there is none, or none has a label: this is told before anything is computed. */
export function labelledExamples(loaded: AnyTaskData, split: string, data: string, most?: number): readonly Example[] {
  const examples: AnyTaskData["splits"][string] = loaded.splits[split] ?? [];
  if (hasLabels(loaded, split)) {
    const all = examples as readonly unknown[] as readonly Example[];
    return most === undefined ? all : all.slice(0, most);
  }
  throw new DataError({
    where: data,
    expected: examples.length === 0 ? `examples (${split})` : "examples with their labels",
    got: verbatim("none"),
    hint:
      examples.length === 0
        ? "check which file or split is meant"
        : "name their column (--label-column); predict needs no labels",
  });
}
