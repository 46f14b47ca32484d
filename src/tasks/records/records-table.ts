/** CSV and TSV: quoted fields with separators and newlines in them, rows of one length, and whether the first row is a header. */
import { DataError, verbatim } from "../../errors.ts";
import { isBlank, strip } from "../../util/python-space.ts";
import { isColumnName } from "./column-names.ts";
import type { RecordOptions, Records } from "./records.ts";

interface Row {
  readonly fields: readonly string[];
  /** Of the file, from 1. */
  readonly line: number;
}

/**
 * The rows of a CSV or TSV file; empty lines are left out.
 * @throws {DataError} at rows of unlike length and at quotes that do not close, with the line.
 */
export async function readTable(
  path: string,
  text: string,
  format: "csv" | "tsv",
  options: Pick<RecordOptions, "header" | "names">,
): Promise<Records> {
  const rows = format === "csv" ? await quotedRows(path, text, separatorOf(text)) : await tabbedRows(path, text);
  checkWidths(path, rows, format);
  const [first] = rows;
  const hasHeader = first !== undefined && (options.header ?? isHeader(rows, options.names ?? []));
  const columns = hasHeader ? first.fields.map(strip) : (first?.fields.map((_, i) => `${i + 1}`) ?? []);
  const records = hasHeader ? rows.slice(1) : rows;
  return {
    format,
    columns,
    hasHeader,
    rows: records.map(({ fields }) => fields),
    where: (row) => `${path} line ${records[row]?.line ?? 0}`,
  };
}

/** Lines that show whether tabs part the fields. */
const TAB_LINES = 20;

/** Spreadsheets of some countries part fields by semicolons, and many a .csv holds tabs, and commas in its texts. */
function separatorOf(text: string): string {
  const [first = "", ...others] = text.split(/\r?\n/u, TAB_LINES).filter((one) => !isBlank(one));
  const tabs = (line: string) => line.split("\t").length - 1;
  if (tabs(first) > 0 && others.every((line) => tabs(line) === tabs(first))) return "\t";
  const line = text.slice(0, (text.indexOf("\n") + 1 || text.length + 1) - 1);
  if (line.includes(",")) return ",";
  return ["\t", ";"].find((separator) => line.includes(separator)) ?? ",";
}

/**
 * Most TSV files know no quotes: a quote is a quote. Only where such rows are of unlike length and quoted ones are not, as
 * spreadsheets write them, quotes part fields.
 */
async function tabbedRows(path: string, text: string): Promise<Row[]> {
  const plain = linesOf(text).map(({ text: line, line: number }) => ({ fields: line.split("\t"), line: number }));
  if (isEven(plain) || !text.includes('"')) return plain;
  try {
    const quoted = await quotedRows(path, text, "\t");
    return isEven(quoted) ? quoted : plain;
  } catch {
    return plain;
  }
}

/** The lines of a text that are not blank, with their numbers. */
export function linesOf(text: string): { readonly text: string; readonly line: number }[] {
  const lines: { text: string; line: number }[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (!isBlank(line)) lines.push({ text: line.endsWith("\r") ? line.slice(0, -1) : line, line: i + 1 });
  }
  return lines;
}

function isEven(rows: readonly Row[]): boolean {
  return rows.every(({ fields }) => fields.length === rows[0]?.fields.length);
}

/** Files that were put together from several end some lines by CR LF and others by LF; the parser knows one kind for all. */
function withEvenLineEnds(text: string): string {
  return /\r\n/.test(text) && /(?<!\r)\n/.test(text) ? text.replaceAll("\r\n", "\n") : text;
}

async function quotedRows(path: string, text: string, separator: string): Promise<Row[]> {
  const { default: papaparse } = await import("papaparse");
  const { data, errors } = papaparse.parse<string[]>(withEvenLineEnds(text), { delimiter: separator });
  const lines: number[] = [];
  let line = 1;
  for (const fields of data) {
    lines.push(line);
    line += 1 + fields.reduce((sum, field) => sum + newlines(field), 0);
  }
  const [error] = errors.filter(({ type }) => type === "Quotes");
  if (error !== undefined) {
    throw new DataError({
      where: `${path} line ${lines[error.row ?? 0] ?? 1}`,
      expected: "quotes that close at the field's end",
      got: verbatim(error.code === "MissingQuotes" ? "a quote that never closes" : "text after the closing quote"),
      hint: 'a quote within a quoted field is written twice (""); if quotes mean nothing in this file, part the fields by tabs',
    });
  }
  const rows = data.map((fields, i) => ({ fields, line: lines[i] ?? 0 }));
  return rows.filter(({ fields }) => fields.length > 1 || !isBlank(fields[0] ?? ""));
}

function newlines(field: string): number {
  let count = 0;
  for (let i = field.indexOf("\n"); i >= 0; i = field.indexOf("\n", i + 1)) count += 1;
  return count;
}

function checkWidths(path: string, rows: readonly Row[], format: "csv" | "tsv"): void {
  const width = rows[0]?.fields.length ?? 0;
  const uneven = rows.filter(({ fields }) => fields.length !== width);
  const [first] = uneven;
  if (first === undefined) return;
  const more = uneven.length === 1 ? "" : `; so are ${uneven.length - 1} more rows`;
  throw new DataError({
    where: `${path} line ${first.line}`,
    expected: `${width} fields as in the first row`,
    got: verbatim(
      `${first.fields.length}: ${JSON.stringify(first.fields.join(format === "csv" ? "," : "\t").slice(0, 60))}${more}`,
    ),
    hint:
      format === "csv" ? 'put a text with commas in quotes: "a, b"' : "take tabs out of the texts, or give JSON lines",
  });
}

/** What columns are called in programs, and no Chinese text is. */
const IDENTIFIER = /^[A-Za-z_][\w.-]*$/;
const HAN = /\p{Script=Han}/u;

/** Whether some cell of the first row is a name for a column, or is no number over a column of numbers; or all are names that stand nowhere else, one over a column of Chinese. */
function isHeader(rows: readonly Row[], names: readonly string[]): boolean {
  const first = rows[0]?.fields.map(strip) ?? [];
  if (first.some((cell) => isColumnName(cell) || (names.includes(cell) && !/^\d+$/.test(cell)))) return true;
  const others = rows.slice(1, 200);
  const isNumber = (cell: string | undefined): boolean => cell !== undefined && /^\s*-?\d+(\.\d+)?\s*$/.test(cell);
  if (others.length < 2) return false;
  const column = (i: number): string[] => others.map(({ fields }) => strip(fields[i] ?? ""));
  if (first.some((cell, i) => cell !== "" && !isNumber(cell) && column(i).every(isNumber))) return true;
  const areNames = first.length > 1 && first.every((cell, i) => IDENTIFIER.test(cell) && !column(i).includes(cell));
  return areNames && first.some((_, i) => column(i).every((cell) => HAN.test(cell)));
}
