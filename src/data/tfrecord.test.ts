import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { ArgumentError, DataError } from "../errors.ts";
import { ExampleSchema } from "./_example_pb.ts";
import type { PretrainingInstance } from "./instance.ts";
import { decodeExample, encodeExample, frameRecord, readRecords, readTfrecord } from "./tfrecord.ts";

const shape = { maxSeqLength: 10, maxPredictionsPerSeq: 3 };

const instance: PretrainingInstance = {
  inputIds: Int32Array.of(2, 4, 70, 3, 21127, 4, 3),
  tokenTypeIds: Uint8Array.of(0, 0, 0, 0, 1, 1, 1),
  wordStarts: new Uint8Array(7).fill(1),
  maskedLmPositions: Int32Array.of(1, 5),
  maskedLmIds: Int32Array.of(300, 12),
  nextSentenceLabel: 1,
};

async function* chunksOf(bytes: Uint8Array, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const concatenate = (parts: readonly Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

describe("TFRecord framing", () => {
  const datas = [Uint8Array.of(1, 2, 3), new Uint8Array(0), new TextEncoder().encode("一段文字")];
  const file = concatenate(datas.map(frameRecord));

  test("gives back the records whatever the chunks", async () => {
    for (let size = 1; size <= file.length; size++) {
      expect(await collect(readRecords(chunksOf(file, size), "x"))).toEqual(datas);
    }
  });

  test("has the checksum that TensorFlow gives to the length 415", () => {
    expect([...frameRecord(new Uint8Array(415)).subarray(0, 12)]).toEqual([
      ...[0x9f, 0x01, 0, 0, 0, 0, 0, 0],
      ...[0x54, 0xc3, 0x1c, 0xa3],
    ]);
  });

  test("truncated, flipped and absurd files are DataErrors", async () => {
    const boundaries = new Set([0, 19, 35, file.length]);
    for (let length = 1; length < file.length; length++) {
      if (boundaries.has(length)) continue;
      await expect(collect(readRecords(chunksOf(file.subarray(0, length)), "x")), `${length}`).rejects.toThrow(
        DataError,
      );
    }
    for (let bit = 0; bit < 8 * file.length; bit++) {
      const flipped = file.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await expect(collect(readRecords(chunksOf(flipped), "x")), `bit ${bit}`).rejects.toThrow(DataError);
    }
    const huge = frameRecord(new Uint8Array(1));
    const header = frameRecord(Uint8Array.of(255, 255, 255, 255, 255, 255, 0, 0)).slice(12, 24);
    huge.set(header);
    await expect(collect(readRecords(chunksOf(huge), "x.tfrecord"))).rejects.toThrow(
      "x.tfrecord at byte 0: expected a record of at most 16777216 bytes, got 281474976710655",
    );
  });
});

describe("an Example", () => {
  test("is padded as Google's, and read without padding", () => {
    const bytes = encodeExample(instance, shape);
    expect(decodeExample(bytes, "x")).toEqual(instance);
    const feature = fromBinary(ExampleSchema, bytes).features?.feature ?? {};
    expect(Object.keys(feature).sort()).toEqual([
      "input_ids",
      "input_mask",
      "masked_lm_ids",
      "masked_lm_positions",
      "masked_lm_weights",
      "next_sentence_labels",
      "segment_ids",
    ]);
    expect(feature["input_mask"]?.kind.value?.value).toEqual([1n, 1n, 1n, 1n, 1n, 1n, 1n, 0n, 0n, 0n]);
    expect(feature["masked_lm_weights"]?.kind.value?.value).toEqual([1, 1, 0]);
    expect(feature["next_sentence_labels"]?.kind.value?.value).toEqual([1n]);
    expect(() => encodeExample(instance, { ...shape, maxSeqLength: 6 })).toThrow(ArgumentError);
  });

  test("with other features is a DataError that names the feature", () => {
    const change = (name: string, value: bigint[] | undefined) => {
      const example = fromBinary(ExampleSchema, encodeExample(instance, shape));
      const features = example.features?.feature ?? {};
      if (value === undefined) delete features[name];
      else
        features[name] = create(ExampleSchema, {
          features: { feature: { x: { kind: { case: "int64List", value: { value } } } } },
        }).features!.feature["x"]!;
      return () => decodeExample(toBinary(ExampleSchema, example), "x record 3");
    };
    const ten = (value: bigint) => new Array<bigint>(10).fill(value);
    expect(change("input_ids", undefined)).toThrow("x record 3: input_ids: expected a list of integers, got nothing");
    expect(change("input_ids", ten(-1n))).toThrow("integers from 0 to 2^31 - 1");
    expect(change("input_ids", ten(1n << 33n))).toThrow("integers from 0 to 2^31 - 1");
    expect(change("input_mask", [0n, ...ten(1n).slice(1)])).toThrow("ones, then zeros");
    expect(change("input_mask", [1n])).toThrow("expected 10 values, got 1");
    expect(change("segment_ids", ten(2n))).toThrow(DataError);
    expect(change("masked_lm_positions", [1n, 7n, 0n])).toThrow("ascending positions below 7");
    expect(change("masked_lm_positions", [5n, 1n, 0n])).toThrow("ascending positions below 7");
    expect(change("masked_lm_weights", [1n, 1n, 0n])).toThrow("a list of floats");
    expect(change("next_sentence_labels", [])).toThrow("0 or 1");
  });

  test("of random bytes never gives more than a DataError (seeded)", () => {
    const original = encodeExample(instance, shape);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(original.length),
        (changes, length) => {
          const bytes = original.slice();
          for (const [at, value] of changes) bytes[at] = value;
          for (const candidate of [bytes, bytes.subarray(0, length)]) {
            try {
              decodeExample(candidate, "x");
            } catch (error) {
              expect(error).toBeInstanceOf(DataError);
            }
          }
        },
      ),
      { seed: 5, numRuns: 1000 },
    );
  });
});

describeShared("reference/data/tfrecord", "Google's own TFRecord files", (folder) => {
  const expected = (name: string) =>
    gunzipSync(readFileSync(join(folder, "..", "instances", `${name}.jsonl.gz`)))
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));

  for (const [name, files, maxSeqLength, maxPredictionsPerSeq] of [
    ["c05", 1, 32, 20],
    ["c06", 3, 32, 5],
  ] as const) {
    test(`${name}: read as the instances they were made from, and written equal`, async () => {
      const read: PretrainingInstance[][] = [];
      for (let i = 0; i < files; i++) {
        const path = join(folder, `${name}-${i}.tfrecord`);
        read.push(await collect(readTfrecord(createReadStream(path), path)));
        const own = read[i]?.map((one) => frameRecord(encodeExample(one, { maxSeqLength, maxPredictionsPerSeq })));
        // Compared parsed: the order of the feature map is not fixed. Sizes must be equal all the same.
        expect(own?.reduce((sum, { length }) => sum + length, 0)).toBe(readFileSync(path).length);
        expect(await collect(readTfrecord(chunksOf(concatenate(own ?? [])), path))).toEqual(read[i]);
      }
      const instances = expected(name);
      expect(read.flat()).toHaveLength(instances.length);
      instances.forEach((instance, i) => {
        const one = read[i % files]?.[Math.floor(i / files)] as PretrainingInstance;
        expect([...one.inputIds]).toEqual(instance.input_ids);
        expect([...one.tokenTypeIds]).toEqual(instance.segment_ids);
        expect([...one.maskedLmPositions]).toEqual(instance.masked_lm_positions);
        expect([...one.maskedLmIds]).toEqual(instance.masked_lm_ids);
        expect(one.nextSentenceLabel).toBe(instance.next_sentence_label);
      });
    });
  }
});
