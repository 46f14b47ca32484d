import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../checkpoint/source.ts";
import { ArgumentError, DataError } from "../errors.ts";
import { crc32c } from "../util/crc32.ts";
import { originalIds, type PretrainingInstance } from "./instance.ts";
import { MASKINGS, ShardBuilder, ShardReader, type ShardSettings } from "./shards.ts";

const settings: ShardSettings = {
  vocabularyHash: "0123456789abcdef".repeat(4),
  vocabSize: 99,
  maxSeqLength: 24,
  maxPredictionsPerSeq: 4,
  masking: "whole-word",
  nextSentence: true,
  randomSeed: -12345,
  dupeFactor: 5,
};

/** An instance of `length` tokens with `predictions` predictions, its numbers drawn from `seed`. */
function makeInstance(length: number, predictions: number, seed: number): PretrainingInstance {
  const at = (i: number) => (seed * 31 + i * 17) % 97;
  const split = 1 + (seed % length);
  return {
    inputIds: Int32Array.from({ length }, (_, i) => at(i)),
    tokenTypeIds: Uint8Array.from({ length }, (_, i) => (i < split ? 0 : 1)),
    wordStarts: Uint8Array.from({ length }, (_, i) => at(i) & 1),
    maskedLmPositions: Int32Array.from({ length: predictions }, (_, i) => i * 2),
    maskedLmIds: Int32Array.from({ length: predictions }, (_, i) => at(i + 50)),
    nextSentenceLabel: (seed & 1) as 0 | 1,
  };
}

const instances = [makeInstance(24, 4, 1), makeInstance(1, 0, 2), makeInstance(9, 3, 3), makeInstance(17, 1, 4)];

function build(made: readonly PretrainingInstance[] = instances, changed: Partial<ShardSettings> = {}): Uint8Array {
  const builder = new ShardBuilder({ ...settings, ...changed });
  for (const instance of made) builder.add(instance);
  const { chunks, byteLength } = builder.finish();
  const bytes = Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
  expect(bytes.length).toBe(byteLength);
  return bytes;
}

test.each(MASKINGS.map((masking, code) => [masking, code] as const))(
  "masking %s is code %i of the header",
  async (masking, code) => {
    const bytes = build(instances, { masking });
    expect(bytes[10]).toBe(code);
    expect((await ShardReader.open(bytesSource("x.zhbs", bytes))).settings.masking).toBe(masking);
  },
);

/** Opens and reads everything. */
async function readAll(bytes: Uint8Array): Promise<PretrainingInstance[]> {
  const reader = await ShardReader.open(bytesSource("x.zhbs", bytes));
  return collect(reader.instances());
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Writes a new checksum over a changed header, as someone with bad intentions would. */
function sealHeader(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(92, crc32c(bytes.subarray(0, 92)), true);
  return bytes;
}

describe("a shard", () => {
  test("gives back what was written, in order and at random", async () => {
    const bytes = build();
    expect(await readAll(bytes)).toEqual(instances);
    const reader = await ShardReader.open(bytesSource("x.zhbs", bytes));
    expect(reader.settings).toEqual(settings);
    expect([...reader.seqLengths]).toEqual([24, 1, 9, 17]);
    expect([...reader.predictionCounts]).toEqual([4, 0, 3, 1]);
    for (const i of [3, 0, 2, 1]) expect(await reader.instance(i)).toEqual(instances[i]);
    await expect(reader.instance(4)).rejects.toThrow(ArgumentError);
    await expect(reader.instance(-1)).rejects.toThrow(ArgumentError);
  });

  test("holds an empty list, and ids of large vocabularies", async () => {
    expect(await readAll(build([]))).toEqual([]);
    const large = { ...makeInstance(5, 1, 1), inputIds: Int32Array.of(1, 65535, 65536, 69999, 0) };
    expect(await readAll(build([large], { vocabSize: 70000 }))).toEqual([large]);
    const small = { ...makeInstance(5, 1, 1), inputIds: Int32Array.of(1, 65534, 32768, 3, 0) };
    expect(await readAll(build([small], { vocabSize: 65535 }))).toEqual([small]);
    expect(build([small], { vocabSize: 65535 }).length).toBeLessThan(build([small], { vocabSize: 65536 }).length);
  });

  test("keeps what undoes the masks", async () => {
    const masked: PretrainingInstance = {
      ...makeInstance(6, 0, 7),
      inputIds: Int32Array.of(2, 4, 4, 30, 31, 3),
      maskedLmPositions: Int32Array.of(1, 2),
      maskedLmIds: Int32Array.of(40, 41),
    };
    const [read] = await readAll(build([masked]));
    expect([...originalIds(read as PretrainingInstance)]).toEqual([2, 40, 41, 30, 31, 3]);
  });

  test("is the same bytes for the same instances", () => {
    expect(build()).toEqual(build());
    expect(build()).not.toEqual(build(instances, { randomSeed: 2 }));
  });

  test("refuses instances and settings that cannot be", () => {
    const good = makeInstance(8, 2, 1);
    const bad: Partial<PretrainingInstance>[] = [
      { inputIds: Int32Array.of(1, 2, 3, 4, 5, 6, 7, 99) },
      { inputIds: Int32Array.of(1, 2, 3, 4, 5, 6, 7, -1) },
      { inputIds: new Int32Array(0) },
      { tokenTypeIds: Uint8Array.of(0, 1, 0, 1, 1, 1, 1, 1) },
      { tokenTypeIds: Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 2) },
      { wordStarts: new Uint8Array(7) },
      { wordStarts: new Uint8Array(8).fill(2) },
      { maskedLmPositions: Int32Array.of(3, 2) },
      { maskedLmPositions: Int32Array.of(3, 8) },
      { maskedLmIds: Int32Array.of(3) },
    ];
    for (const change of bad) expect(() => build([{ ...good, ...change }])).toThrow(ArgumentError);
    expect(() => build([makeInstance(25, 1, 1)])).toThrow("expected 1 to 24 tokens, got 25");
    expect(() => build([], { maxSeqLength: 513 })).toThrow("expected an integer from 1 to 512, got 513");
    expect(() => build([], { vocabularyHash: "x" })).toThrow(ArgumentError);
    expect(() => build([], { vocabSize: 0 })).toThrow(ArgumentError);
  });
});

describe("a damaged shard is a DataError", () => {
  test("truncated at every offset", async () => {
    const bytes = build();
    for (let length = 0; length < bytes.length; length++) {
      await expect(readAll(bytes.subarray(0, length)), `${length} bytes`).rejects.toThrow(DataError);
    }
    await expect(readAll(Uint8Array.of(...bytes, 0))).rejects.toThrow(/x\.zhbs at byte \d+: expected \d+ bytes in all/);
  });

  test("with any one bit flipped", async () => {
    const bytes = build();
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await expect(readAll(flipped), `bit ${bit}`).rejects.toThrow(DataError);
    }
  });

  test("of another type or a newer version, and says so", async () => {
    await expect(readAll(new TextEncoder().encode("这不是数据。".repeat(20)))).rejects.toThrow("got another file type");
    const newer = build();
    newer[8] = 2;
    await expect(readAll(sealHeader(newer))).rejects.toMatchObject({
      message: "x.zhbs at byte 8: expected shard format version 1, got 2",
      hint: "update zhbert",
    });
  });

  test("with absurd counts under a right checksum, before memory is set aside", async () => {
    for (const [at, size, value] of [
      [64, 4, 0xffffffffn],
      [64, 4, 5n],
      [72, 8, 0xffffffffffffffffn],
      [12, 4, 0n],
      [12, 4, 0xffffffffn],
      [16, 2, 0n],
      [16, 2, 0xffffn],
      [18, 2, 513n],
      [18, 2, 3n],
      [10, 1, 9n],
      [20, 4, 0n],
      [24, 8, 0x7fffffffffffffffn],
    ] as const) {
      const bytes = build();
      for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      await expect(readAll(sealHeader(bytes)), `${value} at ${at}`).rejects.toThrow(DataError);
    }
  });

  test("random bytes with all checksums right never give more than a DataError (seeded)", async () => {
    const original = build();
    const indexEnd = 96 + 8 * instances.length;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(original.length - 9), fc.nat(255)), { minLength: 1, maxLength: 12 }),
        async (changes) => {
          const bytes = original.slice();
          for (const [at, value] of changes) bytes[8 + at] = value;
          const view = new DataView(bytes.buffer);
          let offset = indexEnd;
          for (let i = 0; i < instances.length; i++) {
            const at = 96 + 8 * i;
            const [length, predictions] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
            const end = offset + 3 + 2 * length + ((length + 7) >> 3) + 4 * predictions;
            view.setUint32(at + 4, crc32c(bytes.subarray(offset, end)), true);
            offset = end;
          }
          view.setUint32(80, crc32c(bytes.subarray(96, indexEnd)), true);
          const read = await readAll(sealHeader(bytes)).catch((error: unknown) => error);
          if (read instanceof Error) expect(read).toBeInstanceOf(DataError);
          else expect(read).toHaveLength(instances.length);
        },
      ),
      { seed: 20, numRuns: 500 },
    );
  });
});
