/** Damage done to files by a seeded generator: to their bytes as they are, and behind checksums, which are put right again. */
import { memoryFiles } from "../src/checkpoint/source.ts";
import { isTable, readTable, type TableEntry } from "../src/checkpoint/tensorflow/table.ts";
import { writeTable } from "../src/checkpoint/tensorflow/table-writer.ts";
import { isZip } from "../src/checkpoint/zip.ts";
import { zipFiles } from "../src/checkpoint/zip-files.ts";
import { zipChunks } from "../src/checkpoint/zip-writer.ts";
import type { Random } from "../src/util/random.ts";

/** A whole number from 0 up to `limit`, which is not included. */
function below(random: Random, limit: number): number {
  return Math.floor(random.uniform() * limit);
}

/** A place in a file; often near its beginning or end, where formats keep their lengths. */
function place(random: Random, bytes: Uint8Array): number {
  const near = Math.min(bytes.length, 600);
  const kind = below(random, 4);
  if (kind === 0) return below(random, near);
  if (kind === 1) return bytes.length - 1 - below(random, near);
  return below(random, bytes.length);
}

/** Lengths and counts that readers fall over: as bytes, little-endian and big-endian. */
const LENGTHS = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff].flatMap(
  (value) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    return [bytes, bytes.toReversed(), Uint8Array.from([...bytes, 0, 0, 0, 0]), new Uint8Array(8).fill(value & 0xff)];
  },
);

const join = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

function overwrite(bytes: Uint8Array, at: number, patch: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.set(patch.subarray(0, copy.length - at), at);
  return copy;
}

const mutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = place(random, bytes);
    return overwrite(bytes, at, Uint8Array.of(bytes[at]! ^ (1 << below(random, 8))));
  },
  function setByte(bytes, random) {
    return overwrite(bytes, place(random, bytes), Uint8Array.of(below(random, 256)));
  },
  function truncate(bytes, random) {
    return bytes.slice(0, place(random, bytes));
  },
  function insert(bytes, random) {
    const at = place(random, bytes);
    const added = Uint8Array.from({ length: 1 + below(random, 16) }, () => below(random, 256));
    return join(bytes.subarray(0, at), added, bytes.subarray(at));
  },
  function remove(bytes, random) {
    const at = place(random, bytes);
    return join(bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 16)));
  },
  function splice(bytes, random) {
    const from = place(random, bytes);
    const part = bytes.slice(from, from + 1 + below(random, 64));
    const at = place(random, bytes);
    if (below(random, 2) === 0) return overwrite(bytes, at, part);
    return join(bytes.subarray(0, at), part, bytes.subarray(at));
  },
  function setLength(bytes, random) {
    return overwrite(bytes, place(random, bytes), LENGTHS[below(random, LENGTHS.length)]!);
  },
  function fillRun(bytes, random) {
    const run = new Uint8Array(1 + below(random, 12)).fill(below(random, 3) === 0 ? 0 : 0xff);
    return overwrite(bytes, place(random, bytes), run);
  },
  function setDigit(bytes, random) {
    // Texts hold sizes as digits: one more or another digit makes them absurd.
    const digits = [...bytes.keys()].filter((i) => bytes[i]! >= 0x30 && bytes[i]! <= 0x39);
    const at = digits[below(random, digits.length)] ?? 0;
    const added = new TextEncoder().encode(["9", "99999999", "-", "1e99", ".5"][below(random, 5)]);
    return join(bytes.subarray(0, at), added, bytes.subarray(at + below(random, 2)));
  },
];

/** Damages bytes in one to four ways. */
function damageBytes(bytes: Uint8Array, random: Random): Uint8Array {
  let damaged = bytes;
  for (let times = 1 + below(random, 4); times > 0 && damaged.length > 0; times--) {
    damaged = mutations[below(random, mutations.length)]!(damaged, random);
  }
  return damaged;
}

/** A zip archive with one of its entries damaged, and sound checksums. */
async function damageEntry(bytes: Uint8Array, random: Random): Promise<Uint8Array> {
  const archive = zipFiles(await memoryFiles("m", new Map([["zip", bytes]])).open("zip"));
  const small = archive.paths.filter((path) => !/\/data\/|data-0/.test(path));
  const paths = small.length > 0 && below(random, 4) > 0 ? small : archive.paths;
  const target = paths[below(random, paths.length)];
  const inputs = await Promise.all(
    archive.paths.map(async (path) => {
      const source = await archive.open(path);
      const content = source.slice(0, source.size);
      return { path, read: () => (path === target ? damageBytes(content, random) : content) };
    }),
  );
  return join(...zipChunks(inputs));
}

/** A sorted table with one to three entries damaged, and sound checksums. */
async function damageTable(bytes: Uint8Array, random: Random): Promise<Uint8Array> {
  const entries: TableEntry[] = readTable(await memoryFiles("m", new Map([["t", bytes]])).open("t"));
  for (let times = 1 + below(random, 3); times > 0; times--) {
    const at = below(random, entries.length);
    const { key, value } = entries[at]!;
    if (below(random, 6) === 0) entries[at] = { key: damageBytes(join(key, Uint8Array.of(0)), random), value };
    else entries[at] = { key, value: damageBytes(value, random) };
  }
  return join(...writeTable(entries));
}

/** A damaged copy of a sound file. */
export async function damage(bytes: Uint8Array, random: Random): Promise<Uint8Array> {
  const source = await memoryFiles("m", new Map([["file", bytes]])).open("file");
  if (below(random, 2) === 0) {
    if (isZip(bytes)) return damageEntry(bytes, random);
    if (isTable(source)) return damageTable(bytes, random);
  }
  return damageBytes(bytes, random);
}
