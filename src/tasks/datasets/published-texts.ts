/** Published files of texts and labels: tables with or without a header, and JSON lines, as different copies have them. */
import { DataError, verbatim } from "../../errors.ts";
import { strip } from "../../util/python-space.ts";
import { type ColumnRole, columnKey, isColumnName } from "../records/column-names.ts";
import { type ColumnPlaces, findColumns } from "../records/columns.ts";
import { examplesOfRecords } from "../records/record-examples.ts";
import { type Records, readRecords, recordFormat } from "../records/records.ts";
import { linesOf } from "../records/records-table.ts";
import type { DatasetFile, ExamplesByTask, ReadExamples } from "./dataset.ts";

/** How the files of a data set are read. */
export interface PublishedTexts {
  /** The columns of tables without a header; the last may be missing, as in tests without labels. */
  readonly order: readonly ColumnRole[];
  /** The labels that there are; records of others are left out and counted. */
  readonly labels?: readonly string[];
  /** What labels are called here, where files spell them otherwise. */
  readonly spellings?: Readonly<Record<string, string>>;
}

/**
 * The examples of a published file; what does not fit its layout is left out and counted, as copies have such lines.
 * @throws {DataError} when nothing in the file fits, or JSON is damaged.
 */
export async function readPublished<Task extends "classify" | "match" | "regress">(
  task: Task,
  file: DatasetFile,
  { order, labels, spellings = {} }: PublishedTexts,
): Promise<ReadExamples<ExamplesByTask[Task]>> {
  const skipped: Record<string, number> = {};
  const skip = (reason: string): false => {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
    return false;
  };
  const isTable = recordFormat(file.path, file.text) === "tsv";
  const records = isTable ? tabbed(file, order, skip) : await readRecords(file.path, file.text);
  const places = records.hasHeader ? findColumns(task, records, file.path).places : placesOf(order, records);
  const spelled = examplesOfRecords(task, records, places).map((example) => {
    const { label } = example as { label?: string };
    return label === undefined || !Object.hasOwn(spellings, label) ? example : { ...example, label: spellings[label] };
  });
  const unknown = new Map<string, number>();
  const examples = spelled.filter((example) => {
    const { label } = example as { label?: string };
    if (label === undefined || labels === undefined || labels.includes(label)) return true;
    unknown.set(label, (unknown.get(label) ?? 0) + 1);
    return false;
  });
  Object.assign(skipped, ofUnknownLabels(unknown));
  if (examples.length === 0) throw nothingFits(file, order, labels);
  return { examples, skipped };
}

/** A few labels are told one by one; of a wrong column there are as many as lines. */
const MAX_LISTED = 5;

/** How many records each label had that is none of the data set's. */
function ofUnknownLabels(counts: ReadonlyMap<string, number>): Record<string, number> {
  const named = (label: string) => JSON.stringify(label.slice(0, 30));
  const entries = [...counts];
  if (counts.size <= MAX_LISTED) {
    return Object.fromEntries(entries.map(([label, times]) => [`the label ${named(label)}`, times]));
  }
  const shown = entries.slice(0, MAX_LISTED).map(([label]) => named(label));
  const reason = `labels that the data set does not have: ${shown.join(", ")} and ${counts.size - MAX_LISTED} more`;
  return { [reason]: entries.reduce((sum, [, times]) => sum + times, 0) };
}

/** The rows of a table whose quotes are text. */
function tabbed(file: DatasetFile, order: readonly ColumnRole[], skip: (reason: string) => false): Records {
  const all = linesOf(file.text).map(({ text, line }) => ({ fields: text.split("\t"), line }));
  const first = all[0]?.fields.map(strip) ?? [];
  const hasHeader = first.some((cell) => isColumnName(cell)) && first.every((cell) => /^[\w\s-]*$/.test(cell));
  const widths = hasHeader ? [first.length] : [order.length, order.length - 1];
  const body = hasHeader ? all.slice(1) : all;
  const width = widths.find((count) => body.filter(({ fields }) => fields.length === count).length > body.length / 2);
  const rows = body.filter(({ fields }) => fields.length === width || skip(`${fields.length} fields in a line`));
  return {
    format: "tsv",
    columns: hasHeader ? first.map(columnKey) : order.slice(0, width),
    hasHeader,
    rows: rows.map(({ fields }) => fields),
    where: (row) => `${file.path} line ${rows[row]?.line ?? 0}`,
  };
}

/** In tests without labels the label's column is missing, wherever it stands. */
function placesOf(order: readonly ColumnRole[], { columns }: Records): ColumnPlaces {
  const there = columns.length === order.length ? order : order.filter((role) => role !== "label" && role !== "score");
  return Object.fromEntries(there.map((role, place) => [role, place]));
}

function nothingFits(
  file: DatasetFile,
  order: readonly ColumnRole[],
  labels: readonly string[] | undefined,
): DataError {
  const ofLabels = labels === undefined ? "" : `, labels ${labels.slice(0, 16).join(" ")}`;
  return new DataError({
    where: file.path,
    expected: `lines of ${order.join(", tab, ")}${ofLabels}`,
    got: verbatim(JSON.stringify(file.text.slice(0, 60))),
    hint: "the file has another layout: read it as your own data, with the task's name and --text-column, --label-column",
  });
}
