/** Instances as a Parquet file, with the columns that Transformers' models take; and the instances of such columns. */
import type { SchemaElement } from "hyparquet";
import { DataError, verbatim } from "../errors.ts";
import { IGNORED_LABEL, type PretrainingInstance } from "./instance.ts";
import { bytesOf, integersOf, type ReadInstance } from "./jsonl.ts";
import type { ParquetRow } from "./parquet.ts";

/** Rows that are packed together; 128 tokens each make some 10 MB of values. */
const GROUP_ROWS = 4096;

/** Columns of lists of integers, in their order in the file. */
const LIST_COLUMNS = ["input_ids", "token_type_ids", "attention_mask", "labels", "word_starts"] as const;
const LABEL_COLUMN = "next_sentence_label";

/** Collects instances and gives the bytes of a Parquet file, a row group at a time; Snappy packs them. */
export interface InstanceParquet {
  /** @returns bytes of the file that are finished; empty until a row group is full. */
  add(instance: PretrainingInstance): Uint8Array;
  /** @returns the last bytes. */
  finish(): Uint8Array;
}

/** Begins a Parquet file; the library that writes it is loaded now. */
export async function createInstanceParquet(): Promise<InstanceParquet> {
  const { ByteWriter, ParquetWriter } = await import("hyparquet-writer");
  const writer = new ByteWriter();
  const file = new ParquetWriter({ writer, schema: schema(), createdBy: "zhbert" });
  let rows: PretrainingInstance[] = [];
  const taken = (): Uint8Array => {
    const bytes = writer.getBytes().slice();
    // The offset goes on counting; the buffer begins anew.
    writer.index = 0;
    return bytes;
  };
  const writeGroup = (): void => {
    if (rows.length > 0) file.write({ columnData: columnsOf(rows), rowGroupSize: GROUP_ROWS });
    rows = [];
  };
  return {
    add: (instance) => {
      rows.push(instance);
      if (rows.length < GROUP_ROWS) return new Uint8Array(0);
      writeGroup();
      return taken();
    },
    finish: () => {
      writeGroup();
      file.finish();
      return taken();
    },
  };
}

function schema(): SchemaElement[] {
  return [
    { name: "schema", num_children: LIST_COLUMNS.length + 1 },
    ...LIST_COLUMNS.flatMap((name): SchemaElement[] => [
      { name, repetition_type: "REQUIRED", num_children: 1, converted_type: "LIST" },
      { name: "list", repetition_type: "REPEATED", num_children: 1 },
      { name: "element", type: "INT32", repetition_type: "REQUIRED" },
    ]),
    { name: LABEL_COLUMN, type: "INT32", repetition_type: "REQUIRED" },
  ];
}

function columnsOf(rows: readonly PretrainingInstance[]) {
  const lists: Record<(typeof LIST_COLUMNS)[number], (row: PretrainingInstance) => number[]> = {
    input_ids: ({ inputIds }) => [...inputIds],
    token_type_ids: ({ tokenTypeIds }) => [...tokenTypeIds],
    attention_mask: ({ inputIds }) => new Array(inputIds.length).fill(1),
    labels: labelsOf,
    word_starts: ({ wordStarts }) => [...wordStarts],
  };
  return [
    ...LIST_COLUMNS.map((name) => ({ name, data: rows.map(lists[name]) })),
    { name: LABEL_COLUMN, data: Int32Array.from(rows, ({ nextSentenceLabel }) => nextSentenceLabel) },
  ];
}

/** The original ids where one is to be predicted, elsewhere PyTorch's ignore_index. */
function labelsOf({ inputIds, maskedLmPositions, maskedLmIds }: PretrainingInstance): number[] {
  const labels = new Array<number>(inputIds.length).fill(IGNORED_LABEL);
  maskedLmPositions.forEach((position, i) => {
    labels[position] = maskedLmIds[i] as number;
  });
  return labels;
}

/** Columns that a row's instance is made of, where they are there; the first of a list of names is ours. */
const READ_COLUMNS = [
  ...LIST_COLUMNS,
  LABEL_COLUMN,
  "next_sentence_labels",
  "chinese_ref",
  "masked_lm_positions",
  "masked_lm_ids",
] as const;

/** Those columns of a file that its instances are made of. */
export function instanceColumns(columns: readonly string[]): string[] {
  return READ_COLUMNS.filter((name) => columns.includes(name));
}

/**
 * The instance of a row of Hugging Face's columns: input_ids, and where they are there token_type_ids, attention_mask, labels (-100
 * where nothing is predicted) or masked_lm_positions and masked_lm_ids, next_sentence_label, word_starts or chinese_ref.
 * Padding, where the attention mask is 0, is left out.
 * @param where - file and row, for messages.
 * @throws {DataError} when a column holds other values, or the columns contradict each other.
 */
export function instanceOfRow(row: ParquetRow, where: string): ReadInstance {
  const at = (name: string) => `${where}: ${name}`;
  const padded = integersOf(numbers(row["input_ids"]), at("input_ids"));
  const length = unpaddedLength(row["attention_mask"], padded.length, at("attention_mask"));
  const list = (name: string, value: unknown): unknown[] => {
    if (!Array.isArray(value) || value.length < length || value.length > padded.length) {
      throw wrong(at(name), `a list of ${padded.length} values`, value);
    }
    return value.slice(0, length);
  };
  const optional = (name: string): unknown[] | undefined =>
    row[name] === undefined || row[name] === null ? undefined : list(name, numbers(row[name]));
  const types = optional("token_type_ids");
  const inputIds = padded.slice(0, length);
  const label = numbers(row[LABEL_COLUMN] ?? row["next_sentence_labels"] ?? 0);
  const nextSentenceLabel = Array.isArray(label) ? label[0] : label;
  if (nextSentenceLabel !== 0 && nextSentenceLabel !== 1) throw wrong(at(LABEL_COLUMN), "0 or 1", label);
  const words = wordsOf(row, optional("word_starts"), length, at);
  const instance = {
    inputIds,
    tokenTypeIds: types === undefined ? new Uint8Array(length) : bytesOf(types, at("token_type_ids")),
    wordStarts: words ?? new Uint8Array(length).fill(1),
    ...predictionsOf(row, optional("labels"), at),
    nextSentenceLabel: nextSentenceLabel as 0 | 1,
  };
  return { instance, hasWords: words !== undefined };
}

/** Integers of 64 bits are BigInts; what is no integer stays for those who say so. */
function numbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Int32Array || value instanceof Float64Array || value instanceof BigInt64Array) {
    return Array.from<number | bigint, number>(value, Number);
  }
  if (!Array.isArray(value)) return value;
  return value.map((entry: unknown) => (typeof entry === "bigint" ? Number(entry) : entry));
}

function unpaddedLength(mask: unknown, length: number, where: string): number {
  if (mask === undefined || mask === null) return length;
  const bits = bytesOf(numbers(mask), where);
  const zero = bits.indexOf(0);
  const ones = zero < 0 ? bits.length : zero;
  if (bits.length !== length || bits.subarray(ones).includes(1)) {
    throw wrong(where, `${length} values, ones before zeros`, mask);
  }
  return ones;
}

function wordsOf(
  row: ParquetRow,
  starts: unknown[] | undefined,
  length: number,
  at: (name: string) => string,
): Uint8Array | undefined {
  if (starts !== undefined) return bytesOf(starts, at("word_starts"));
  if (row["chinese_ref"] === undefined || row["chinese_ref"] === null) return undefined;
  const words = new Uint8Array(length).fill(1);
  for (const position of integersOf(numbers(row["chinese_ref"]), at("chinese_ref"))) {
    // Positions behind the end are of tokens that were cut off.
    if (position < length) words[position] = 0;
  }
  return words;
}

function predictionsOf(row: ParquetRow, labels: unknown[] | undefined, at: (name: string) => string) {
  if (row["masked_lm_positions"] !== undefined) {
    return {
      maskedLmPositions: integersOf(numbers(row["masked_lm_positions"]), at("masked_lm_positions")),
      maskedLmIds: integersOf(numbers(row["masked_lm_ids"]), at("masked_lm_ids")),
    };
  }
  const positions = (labels ?? []).flatMap((label, i) => (label === IGNORED_LABEL ? [] : [i]));
  return {
    maskedLmPositions: Int32Array.from(positions),
    maskedLmIds: integersOf(
      positions.map((position) => labels?.[position]),
      at("labels"),
    ),
  };
}

function wrong(where: string, expected: string, got: unknown): DataError {
  return new DataError({ where, expected, got: got ?? verbatim("nothing") });
}
