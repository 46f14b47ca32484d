/** Archives written here and by hand: what is sound reads back, what is hostile is named with its byte. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { deflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { CheckpointError } from "../errors.ts";
import { crc32 } from "../util/crc32.ts";
import { type ByteSource, bytesSource } from "./source.ts";
import { isZip, readZip, storedEntry } from "./zip.ts";
import { inflateToMemory, zipFiles } from "./zip-files.ts";
import { zipChunks } from "./zip-writer.ts";

const text = (letters: string) => new TextEncoder().encode(letters);

interface Part {
  readonly path: string;
  readonly data: Uint8Array;
  /** Fields of the headers that lie. */
  readonly size?: number;
  readonly crc?: number;
  readonly flags?: number;
  readonly method?: number;
  readonly localName?: string;
  readonly offset?: number;
}

/** An archive as Info-ZIP makes it: deflated entries, no padding. */
function archive(parts: readonly Part[], comment = ""): Uint8Array {
  const local: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const { path, data, flags = 0, method = 8 } = part;
    const packed = method === 8 ? deflateRawSync(data) : Buffer.from(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(flags, 2);
    fields.writeUInt16LE(method, 4);
    fields.writeUInt32LE(part.crc ?? crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(part.size ?? data.length, 18);
    const name = Buffer.from(path, path.includes("\u00ff") ? "latin1" : "utf8");
    fields.writeUInt16LE(name.length, 22);
    const head = Buffer.concat([Buffer.from("PK\x03\x04"), fields, Buffer.from(part.localName ?? name)]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(part.offset ?? offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), fields, tail, name]));
    local.push(head, packed);
    offset += head.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return new Uint8Array(Buffer.concat([...local, ...directory, end, Buffer.from(comment)]));
}

const read = (bytes: Uint8Array) => readZip(bytesSource("a.zip", bytes));
const bytesOf = (source: ByteSource) => source.slice(0, source.size);

test("what is written reads back, aligned to 64 bytes, with its checksums", () => {
  const inputs = ["m/data.pkl", "m/data/0", "m/\u6a21\u578b", "m/empty"].map((path, i) => {
    return { path, read: () => Uint8Array.from({ length: [5, 4096, 63, 0][i]! }, (_, k) => k * 7 + i) };
  });
  const bytes = new Uint8Array(Buffer.concat([...zipChunks(inputs)]));
  expect(isZip(bytes)).toBe(true);
  const source = bytesSource("a.zip", bytes);
  const entries = readZip(source);
  expect(entries.map(({ path }) => path)).toEqual(inputs.map(({ path }) => path));
  for (const [i, entry] of entries.entries()) {
    const data = inputs[i]!.read();
    expect(entry.dataOffset % 64).toBe(0);
    expect(bytesOf(storedEntry(source, entry))).toEqual(data);
    expect(entry.crc32).toBe(crc32(data));
  }
});

test("an archive is written as it is taken: an entry is read when the one before has gone", () => {
  const log: string[] = [];
  const input = (path: string) => ({
    path,
    read: () => {
      log.push(path);
      return new Uint8Array(3);
    },
  });
  for (const chunk of zipChunks([input("a"), input("b")])) log.push(`${chunk.length}`);
  expect(log.slice(0, 5)).toEqual(["a", "64", "3", "b", expect.any(String)]);
});

test("offsets beyond 4 GiB are written and read (zip64)", { timeout: 120_000 }, () => {
  const gibibyte = new Uint8Array(2 ** 30);
  const small = text("after four gibibytes");
  const inputs = [0, 1, 2, 3, 4].map((i) => ({ path: `${i}`, read: () => (i < 4 ? gibibyte : small) }));
  const chunks: { begin: number; bytes: Uint8Array }[] = [];
  let size = 0;
  for (const bytes of zipChunks(inputs)) {
    chunks.push({ begin: size, bytes });
    size += bytes.length;
  }
  const source: ByteSource = {
    name: "large.zip",
    size,
    slice: (begin, end) => {
      const touched = chunks.filter((chunk) => chunk.begin < end && chunk.begin + chunk.bytes.length > begin);
      const parts = touched.map((c) => c.bytes.subarray(Math.max(0, begin - c.begin), Math.max(0, end - c.begin)));
      return new Uint8Array(Buffer.concat(parts));
    },
  };
  const last = readZip(source)[4]!;
  expect(last.dataOffset).toBeGreaterThan(2 ** 32);
  expect(bytesOf(storedEntry(source, last))).toEqual(small);
});

test("a download with a folder, deflated and stored files and what macOS adds", async () => {
  const config = text('{"hidden_size": 32}'.repeat(50));
  const bytes = archive(
    [
      { path: "bert/", data: new Uint8Array(0), method: 0 },
      { path: "bert/config.json", data: config },
      { path: "bert/vocab.txt", data: text("[PAD]\n"), method: 0 },
      { path: "__MACOSX/bert/._vocab.txt", data: text("x") },
    ],
    "a comment with PK\x05\x06 in it",
  );
  const files = zipFiles(bytesSource("a.zip", bytes));
  expect(files.paths).toEqual(["bert/config.json", "bert/vocab.txt"]);
  expect(bytesOf(await files.open("bert/config.json"))).toEqual(config);
  expect(await files.open("bert/config.json")).toBe(await files.open("bert/config.json"));
  expect(bytesOf(await files.open("bert/vocab.txt"))).toEqual(text("[PAD]\n"));
  await expect(files.open("bert/vocab")).rejects.toThrow("expected a file bert/vocab");
});

test("an archive with bytes after each entry's header is inflated where the caller wants", async () => {
  const files = zipFiles(bytesSource("a.zip", archive([{ path: "a", data: text("abc") }])), async (entry) => {
    expect([entry.name, entry.size, entry.crc32]).toEqual(["a.zip: a", 3, crc32(text("abc"))]);
    return bytesSource("elsewhere", new Uint8Array(1));
  });
  expect((await files.open("a")).name).toBe("elsewhere");
});

const part = (path: string, more: Partial<Part> = {}): Part => ({ path, data: text("harmless"), ...more });

test.each<[string, readonly Part[], string]>([
  ["a path to a folder above", [part("../../etc/passwd")], "expected paths that stay in their folder"],
  ["a path above in the middle", [part("a/../../b")], 'got "a/../../b"'],
  ["an absolute path", [part("/etc/passwd")], 'got "/etc/passwd"'],
  ["a backslash", [part("a\\..\\b")], "expected paths that stay"],
  ["a drive", [part("C:evil")], "expected paths that stay"],
  ["an escape sequence", [part("a\u001b[2J")], "expected paths that stay"],
  ["a NUL", [part("model.bin\0.txt")], "expected paths that stay"],
  ["a name twice", [part("a"), part("a")], 'expected each name once, got "a" twice'],
  ["an encrypted entry", [part("a", { flags: 1 })], 'expected "a" in clear'],
  ["an unknown method", [part("a", { method: 12 })], "got method 12"],
  ["another name in the local header", [part("abc", { localName: "abd" })], 'expected the name "abc"'],
  ["an entry outside the file", [part("a", { offset: 0x7fffffff })], 'expected "a" before byte'],
  ["a stored entry of another size", [part("a", { method: 0, size: 4 })], "which is stored"],
  ["a bomb", [part("a", { size: 0xf0000000 })], "at most 200 times"],
])("refuses %s", (_, parts, message) => {
  expect(() => read(archive(parts))).toThrow(CheckpointError);
  expect(() => read(archive(parts))).toThrow(message);
});

test("refuses two entries that share their bytes", () => {
  const bytes = archive([part("a"), part("a", { offset: 0 })]);
  expect(() => read(bytes)).toThrow('"a" after "a", which ends at');
});

test("refuses an archive cut at any byte", () => {
  const bytes = archive([part("a"), part("b", { method: 0 })]);
  for (let length = 0; length < bytes.length; length++) {
    expect(() => read(bytes.subarray(0, length))).toThrow(CheckpointError);
  }
});

test("survives every changed byte: an entry list or a CheckpointError", () => {
  const bytes = archive([part("a"), part("b", { method: 0 })]);
  for (let at = 0; at < bytes.length; at++) {
    for (const value of [0, 0x7f, 0xff, bytes[at]! ^ 1]) {
      const changed = bytes.slice();
      changed[at] = value;
      try {
        for (const entry of read(changed)) expect(entry.dataOffset + entry.compressedSize).toBeLessThan(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
      }
    }
  }
});

test("names that Chinese Windows wrote without UTF-8 are read", () => {
  const bytes = archive([part("\u00c4\u00a3\u00d0\u00cd\u00ff")]);
  // "Model" in GB 18030 is C4A3 D0CD; the last byte, 0xff, is none of its characters.
  expect(read(bytes)[0]!.path.startsWith("\u6a21\u578b")).toBe(true);
});

test.each<[string, Partial<Part>, string]>([
  ["more bytes than declared", { size: 4 }, "expected the end after 4 bytes, got more"],
  ["fewer bytes than declared", { size: 9 }, "expected 9 bytes, got the end of the file"],
  ["another checksum", { crc: 1 }, "expected the CRC-32 1"],
])("inflating stops at %s", async (_, lie, message) => {
  const files = zipFiles(bytesSource("a.zip", archive([part("a", lie)])));
  await expect(files.open("a")).rejects.toThrow(CheckpointError);
  await expect(files.open("a")).rejects.toThrow(message);
});

test.each([
  ["bytes that are not deflated", Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
  ["a cut stream", new Uint8Array(deflateRawSync(Buffer.from("harmless text".repeat(9))).subarray(0, 9))],
  ["nothing", new Uint8Array(0)],
])("inflating %s is a CheckpointError", async (_, bytes) => {
  const entry = { name: "a", size: 117, compressed: bytesSource("a", bytes), crc32: 0 };
  await expect(inflateToMemory(entry)).rejects.toThrow(CheckpointError);
});

test("more than memory can hold is not tried", async () => {
  const entry = { name: "a", size: 2 ** 40, compressed: bytesSource("a", new Uint8Array(9)), crc32: 0 };
  await expect(inflateToMemory(entry)).rejects.toThrow("to inflate to memory");
});

describeShared("reference/bert-tiny/tf/chinese_wwm_L-5_H-32_A-4.zip", "a download as published", (path) => {
  test("its files are those of the folder", async () => {
    const files = zipFiles(bytesSource("chinese_wwm.zip", new Uint8Array(readFileSync(path))));
    expect(files.paths).toHaveLength(5);
    const vocabulary = await files.open("chinese_wwm_L-5_H-32_A-4/vocab.txt");
    expect(bytesOf(vocabulary)).toEqual(new Uint8Array(readFileSync(`${dirname(path)}/vocab.txt`)));
    for (const name of files.paths) expect((await files.open(name)).size).toBeGreaterThan(100);
  });
});
