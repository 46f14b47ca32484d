/**
 * Anyone's labelled data as records with named columns: CSV, TSV, JSON and JSON lines. What the columns mean is said in
 * columns.ts, what becomes of them in record-examples.ts.
 */
import { DataError, verbatim } from "../../errors.ts";
import { isBlank } from "../../util/python-space.ts";
import { parseJson } from "./parse-json.ts";
import { readTable } from "./records-table.ts";

/** The layouts of records. */
export const RECORD_FORMATS = ["csv", "tsv", "json", "jsonl", "conll", "words", "tagged-words"] as const;
/**
 * csv, tsv: rows; json: a list of objects, alone or in an object; jsonl: an object a line; conll: a unit and its tag a line; words:
 * sentences with spaces between words; tagged-words: the same with a tag behind each word, 北京/ns.
 */
export type RecordFormat = (typeof RECORD_FORMATS)[number];

/** Rows with named columns. */
export interface Records {
  readonly format: RecordFormat;
  /** The names; "1", "2", ... where there is no header. */
  readonly columns: readonly string[];
  /** Whether the file itself names the columns. */
  readonly hasHeader: boolean;
  /** By row, then by column; undefined where a JSON object lacks the field. */
  readonly rows: readonly (readonly unknown[])[];
  /** Where a row is, for messages: `train.csv line 12`. */
  where(row: number): string;
}

/** How records are read. */
export interface RecordOptions {
  /** Told by the name's ending, or by the text. */
  readonly format?: RecordFormat;
  /** Whether the first row of csv and tsv names the columns; told by the names that people use. */
  readonly header?: boolean;
  /** Names by which columns will be asked for. */
  readonly names?: readonly string[];
}

/** The layout of a file by the ending of its name, or by how its text begins. */
export function recordFormat(path: string, text: string): RecordFormat {
  const ending = /\.(csv|tsv|jsonl|json|conll|conllu|conllx|bio|bioes|pos|wordpos|seg)(\.(gz|xz|zst))?$/i
    .exec(path)?.[1]
    ?.toLowerCase();
  if (ending === "json") return isJsonLines(text) ? "jsonl" : "json";
  if (ending?.endsWith("pos")) return "tagged-words";
  if (ending === "seg") return "words";
  if (ending?.startsWith("conll") || ending?.startsWith("bio")) return "conll";
  if (ending !== undefined) return ending as RecordFormat;
  const start = text.trimStart();
  if (start.startsWith("{") || start.startsWith("[{") || start.startsWith("[["))
    return isJsonLines(text) ? "jsonl" : "json";
  return looksLikeTags(text) ? "conll" : "tsv";
}

/** CLUE names its files of JSON lines .json: their first line is a whole object, and another follows. */
function isJsonLines(text: string): boolean {
  const start = text.trim();
  const end = start.indexOf("\n");
  const line = (end < 0 ? start : start.slice(0, end)).trim();
  if (!line.startsWith("{") || !line.endsWith("}")) return false;
  const isWhole = /^\{\s*"(data|version)"\s*:|"data"\s*:\s*\[\s*[{\]]/;
  return end < 0 ? !isWhole.test(line) : start.slice(end).trimStart().startsWith("{");
}

const TAG_LINE = /^\S+[ \t]+([BIEMSLU]-\S+|O)\s*$/;
/** Some lines may be damaged: the reader of tagged lines says which. */
const TAG_SHARE = 0.5;

function looksLikeTags(text: string): boolean {
  const lines = text
    .slice(0, 4096)
    .split("\n")
    .slice(0, -1)
    .filter((line) => !isBlank(line));
  return lines.length > 1 && lines.filter((line) => TAG_LINE.test(line)).length >= lines.length * TAG_SHARE;
}

/**
 * The records of a file of rows or JSON.
 * @param path - its name, for messages.
 * @throws {DataError} at what is no such file, with its line: rows of unlike length, JSON cut short.
 */
export async function readRecords(path: string, text: string, options: RecordOptions = {}): Promise<Records> {
  const format = options.format ?? recordFormat(path, text);
  switch (format) {
    case "csv":
    case "tsv":
      return readTable(path, text, format, options);
    case "jsonl":
      return objectRecords(path, format, jsonLines(path, text));
    case "json":
      return objectRecords(path, format, jsonObjects(path, text));
    case "conll":
    case "words":
    case "tagged-words":
      throw new DataError({
        where: path,
        expected: "records with columns: csv, tsv, json or jsonl",
        got: verbatim(UNRECORDED[format]),
        hint: "such files are for the task ner; say what it is with --format where that is wrong",
      });
  }
}

const UNRECORDED = {
  conll: "tagged characters, a line each",
  words: "sentences with spaces between words",
  "tagged-words": "words with their tags, 北京/ns",
} as const;

interface PlacedObject {
  readonly value: Readonly<Record<string, unknown>>;
  readonly where: string;
}

function jsonLines(path: string, text: string): PlacedObject[] {
  const objects: PlacedObject[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (isBlank(line)) continue;
    const where = `${path} line ${i + 1}`;
    objects.push({ value: asObject(parseJson(line, path, i + 1), where), where });
  }
  return objects;
}

function jsonObjects(path: string, text: string): PlacedObject[] {
  const json = parseJson(text, path);
  const list = Array.isArray(json) ? json : listIn(json);
  if (list === undefined) {
    const got = verbatim(
      typeof json === "object" && json !== null ? `the fields ${Object.keys(json).slice(0, 8)}` : typeof json,
    );
    const hint = "give a list of objects, or an object with such a list under data";
    throw new DataError({ where: path, expected: "a list of records", got, hint });
  }
  return list.map((value, i) => ({
    value: asObject(value, `${path} record ${i + 1}`),
    where: `${path} record ${i + 1}`,
  }));
}

/** The list under `data`, or the only one in an object. */
function listIn(json: unknown): unknown[] | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const { data } = json as { data?: unknown };
  if (Array.isArray(data)) return data;
  const lists = Object.values(json).filter((value) => Array.isArray(value));
  return lists.length === 1 ? (lists[0] as unknown[]) : undefined;
}

function asObject(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  const hint = 'each record is an object with named fields: { "text": "...", "label": "..." }';
  throw new DataError({ where, expected: "a JSON object", got: value, hint });
}

/** A row has a cell for every column: where each record has fields of its own, these would be millions for each record. */
const MAX_EMPTY_CELLS = 2 ** 24;

function objectRecords(path: string, format: RecordFormat, objects: readonly PlacedObject[]): Records {
  const index = new Map<string, number>();
  let cells = 0;
  for (const { value } of objects) {
    for (const name of Object.keys(value)) {
      cells += 1;
      if (!index.has(name)) index.set(name, index.size);
    }
  }
  const columns = [...index.keys()];
  if (columns.length * objects.length - cells > MAX_EMPTY_CELLS) {
    throw new DataError({
      where: path,
      expected: "records that have their fields in common",
      got: verbatim(`${columns.length} different fields in ${objects.length} records, such as ${columns.at(-1)}`),
      hint: "give what is data as values of fields that all records have, not as their names",
    });
  }
  return {
    format,
    columns,
    hasHeader: true,
    rows: objects.map(({ value }) => columns.map((name) => (Object.hasOwn(value, name) ? value[name] : undefined))),
    where: (row) => objects[row]?.where ?? "",
  };
}
