import { expect, test } from "vitest";
import { bytesSource } from "../checkpoint/source.ts";
import { DataError } from "../errors.ts";
import type { PretrainingInstance } from "./instance.ts";
import { openParquet, type ParquetRow } from "./parquet.ts";
import { createInstanceParquet, instanceColumns, instanceOfRow } from "./parquet-instances.ts";

const instances = Array.from({ length: 5000 }, (_, i): PretrainingInstance => {
  const length = 5 + (i % 9);
  return {
    inputIds: Int32Array.from({ length }, (_, k) => (i * 31 + k * 7) % 21128),
    tokenTypeIds: new Uint8Array(length).fill(1, 3 + (i % 2)),
    wordStarts: Uint8Array.from({ length }, (_, k) => (k === 0 || (i + k) % 3 > 0 ? 1 : 0)),
    maskedLmPositions: i % 4 === 0 ? new Int32Array(0) : Int32Array.of(1, 3),
    maskedLmIds: i % 4 === 0 ? new Int32Array(0) : Int32Array.of(i, 0),
    nextSentenceLabel: i % 2 === 0 ? 0 : 1,
  };
});

async function write(rows: readonly PretrainingInstance[]): Promise<Uint8Array> {
  const file = await createInstanceParquet();
  const parts = [...rows.map((row) => file.add(row)), file.finish()];
  return Uint8Array.from(Buffer.concat(parts));
}

async function read(bytes: Uint8Array): Promise<ParquetRow[]> {
  const file = await openParquet(bytesSource("a.parquet", bytes));
  const rows: ParquetRow[] = [];
  for await (const row of file.rows(instanceColumns(file.columns))) rows.push(row);
  expect(rows).toHaveLength(file.rowCount);
  return rows;
}

test("instances in several row groups are read back as they were", async () => {
  const rows = await read(await write(instances));
  expect(rows.map((row, i) => instanceOfRow(row, `row ${i}`))).toEqual(
    instances.map((instance) => ({ instance, hasWords: true })),
  );
});

test("a file without rows is one", async () => {
  expect(await read(await write([]))).toEqual([]);
});

test("a file cut anywhere is an error that names it", async () => {
  const bytes = await write(instances.slice(0, 40));
  for (let length = 0; length < bytes.length; length += 13) {
    await expect(read(bytes.subarray(0, length)), `${length}`).rejects.toThrow(/^a\.parquet: expected/);
  }
});

test("a file with one byte changed is an error or other data, and never takes much memory", async () => {
  const bytes = await write(instances.slice(0, 40));
  let errors = 0;
  for (let at = 0; at < bytes.length; at += 3) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ (at % 2 === 0 ? 0x80 : 0x15);
    const result = await read(changed).then(
      (rows) => rows.length,
      (error: unknown) => error,
    );
    if (typeof result === "number") expect(result).toBe(40);
    else expect(result, `byte ${at}`).toBeInstanceOf(DataError);
    if (typeof result !== "number") errors += 1;
  }
  expect(errors).toBeGreaterThan(50);
});

test("columns of other programs: padding goes, labels and references are taken, 64-bit integers too", () => {
  const row = {
    input_ids: [101n, 7n, 103n, 102n, 0n],
    attention_mask: [1n, 1n, 1n, 1n, 0n],
    labels: [-100, -100, 9, -100, -100],
    chinese_ref: [2, 3, 500],
  };
  const { instance, hasWords } = instanceOfRow(row, "row 0");
  expect(hasWords).toBe(true);
  expect(instance).toEqual({
    inputIds: Int32Array.of(101, 7, 103, 102),
    tokenTypeIds: new Uint8Array(4),
    wordStarts: Uint8Array.of(1, 1, 0, 0),
    maskedLmPositions: Int32Array.of(2),
    maskedLmIds: Int32Array.of(9),
    nextSentenceLabel: 0,
  });
  const masked = { input_ids: [1, 2, 3], masked_lm_positions: [1], masked_lm_ids: [5], next_sentence_labels: [1] };
  expect(instanceOfRow(masked, "row 0").instance).toMatchObject({
    maskedLmPositions: Int32Array.of(1),
    maskedLmIds: Int32Array.of(5),
    nextSentenceLabel: 1,
  });
});

test.each([
  ["no ids", { text: "雪" }, "input_ids"],
  ["a negative id", { input_ids: [-1] }, "integers from 0"],
  ["a mask with a hole", { input_ids: [1, 2, 3], attention_mask: [1, 0, 1] }, "ones before zeros"],
  ["types of another length", { input_ids: [1, 2], token_type_ids: [0] }, "token_type_ids"],
  ["a label of 3", { input_ids: [1], next_sentence_label: 3 }, "next_sentence_label"],
  ["a negative label", { input_ids: [1], labels: [-1] }, "labels"],
])("%s is an error that names row and column", (_, row, expected) => {
  expect(() => instanceOfRow(row, "a.parquet row 3")).toThrow(DataError);
  expect(() => instanceOfRow(row, "a.parquet row 3")).toThrow(expected);
});
