/**
 * The table of contents of a zip archive: where each entry's bytes lie, checked against the file.
 *
 * A reader of our own and not a library: an entry must become a view of the memory map, errors must name the byte, and
 * torch's archives must pass (zip.js finds them ambiguous when it is strict, and tells no data offset before it extracts).
 * Source: PKWARE's APPNOTE 6.3.10.
 */
import { type ByteSource, damaged, partOfSource } from "./source.ts";

/** Where one file of an archive lies. */
export interface ZipEntry {
  /** Relative, `/` between folders; never leaves the folder that it would be unpacked to. */
  readonly path: string;
  /** Bytes when unpacked. */
  readonly size: number;
  /** Bytes in the archive. */
  readonly compressedSize: number;
  readonly method: "stored" | "deflated";
  /** Of its first byte in the archive. */
  readonly dataOffset: number;
  /** Of the unpacked bytes. */
  readonly crc32: number;
}

/** A large torch checkpoint has some ten thousand storages; more entries would only cost memory. */
const MAX_ENTRIES = 200_000;
/** All names and extra fields of so many entries, generously. */
const MAX_DIRECTORY_BYTES = 100_000_000;
/** Weights shrink by less than 2 and graphs by less than 20; what shrinks further and is large when unpacked is a bomb. */
const MAX_RATIO = 200;
/** Up to here an entry may be of any ratio: it cannot do harm. */
const HARMLESS_BYTES = 64 * 1024 * 1024;

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_HEADER = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const END_BYTES = 22;
const ENCRYPTED_FLAGS = 0x0001 | 0x0040 | 0x2000;
const UTF8_FLAG = 0x0800;

/** Whether a file with this beginning is a zip archive. */
export function isZip(head: Uint8Array): boolean {
  return head.length >= 4 && view(head).getUint32(0, true) === LOCAL_HEADER;
}

/**
 * The files of an archive in the order of its directory; folders are left out.
 * @throws {CheckpointError} when the archive is damaged, encrypted, split, would unpack to beyond its folder or
 * to a size out of proportion, or names a file twice.
 */
export function readZip(source: ByteSource): ZipEntry[] {
  const directory = findDirectory(source);
  const bytes = source.slice(directory.begin, directory.end);
  const headers: DirectoryHeader[] = [];
  let at = 0;
  for (let i = 0; i < directory.entries; i++) {
    const header = readHeader(source, bytes, at, directory.begin);
    headers.push(header);
    at = header.end;
  }
  if (at !== bytes.length) {
    const got = `${bytes.length - at} bytes more`;
    throw damaged(source.name, directory.begin + at, `the end of the directory after ${headers.length} entries`, got);
  }
  const entries = placeEntries(source, headers, directory.begin);
  checkNames(source, entries, directory.begin);
  checkSizes(source, entries);
  return entries.filter(({ path }) => !path.endsWith("/"));
}

/** An entry that is stored as it is, as a part of the archive; its checksum is not looked at. */
export function storedEntry(source: ByteSource, entry: ZipEntry): ByteSource {
  const { path, dataOffset, compressedSize } = entry;
  return partOfSource(source, `${source.name}: ${path}`, dataOffset, dataOffset + compressedSize);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

interface Directory {
  readonly begin: number;
  readonly end: number;
  readonly entries: number;
}

/** The directory by the record at the end of the file, in its form of 32 or of 64 bits. */
function findDirectory(source: ByteSource): Directory {
  const endAt = findEnd(source);
  const end = view(source.slice(endAt, endAt + END_BYTES));
  const disks = end.getUint16(4, true) + end.getUint16(6, true);
  let entries = end.getUint16(10, true);
  let size = end.getUint32(12, true);
  let begin = end.getUint32(16, true);
  let limit = endAt;
  const locator = endAt >= 20 ? view(source.slice(endAt - 20, endAt)) : undefined;
  if (locator?.getUint32(0, true) === LOCATOR_64) {
    limit = wide(source, locator, 8, endAt - 20);
    if (limit + 56 > endAt - 20) {
      throw damaged(source.name, endAt - 12, `the offset of the zip64 record before byte ${endAt - 76}`, `${limit}`);
    }
    const record = view(source.slice(limit, limit + 56));
    if (record.getUint32(0, true) !== END_64) throw damaged(source.name, limit, "the zip64 record", "other bytes");
    entries = wide(source, record, 32, limit);
    size = wide(source, record, 40, limit);
    begin = wide(source, record, 48, limit);
  } else if (disks !== 0) {
    throw damaged(source.name, endAt + 4, "an archive in one file", "a part of a split one");
  }
  if (begin + size !== limit) {
    throw damaged(source.name, endAt, `a directory that ends at byte ${limit}`, `${size} bytes at ${begin}`);
  }
  if (entries > MAX_ENTRIES || entries * 46 > size || size > MAX_DIRECTORY_BYTES) {
    const expected = `at most ${MAX_ENTRIES} entries in at most ${MAX_DIRECTORY_BYTES} bytes, of 46 bytes or more each`;
    throw damaged(source.name, endAt, expected, `${entries} entries in ${size} bytes`);
  }
  return { begin, end: limit, entries };
}

/** The record at the end of an archive; only a comment may follow it, of the length that it tells. */
function findEnd(source: ByteSource): number {
  const from = Math.max(0, source.size - END_BYTES - 0xffff);
  const tail = source.slice(from, source.size);
  const record = view(tail);
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (record.getUint32(at, true) !== END) continue;
    if (at + END_BYTES + record.getUint16(at + 20, true) === tail.length) return from + at;
  }
  throw damaged(source.name, source.size, "the record at the end of a zip archive", "the end of the file");
}

/** A number of 64 bits that must be one of JavaScript's integers. */
function wide(source: ByteSource, bytes: DataView, at: number, offset: number): number {
  const value = bytes.getBigUint64(at, true);
  if (value > BigInt(source.size) && value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw damaged(source.name, offset + at, "a size below 2^53", `${value}`);
  }
  return Number(value);
}

interface DirectoryHeader {
  readonly path: string;
  readonly rawName: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc32: number;
  readonly size: number;
  readonly compressedSize: number;
  readonly offset: number;
  /** Of the header in the directory. */
  readonly end: number;
}

function readHeader(source: ByteSource, bytes: Uint8Array, at: number, begin: number): DirectoryHeader {
  const offset = begin + at;
  if (at + 46 > bytes.length) throw damaged(source.name, offset, "46 bytes of an entry", `${bytes.length - at}`);
  const fields = view(bytes.subarray(at, at + 46));
  if (fields.getUint32(0, true) !== DIRECTORY_HEADER) {
    throw damaged(source.name, offset, "an entry of the directory", "other bytes");
  }
  const nameEnd = at + 46 + fields.getUint16(28, true);
  const extraEnd = nameEnd + fields.getUint16(30, true);
  const end = extraEnd + fields.getUint16(32, true);
  if (end > bytes.length) throw damaged(source.name, offset + 28, "lengths within the directory", `an end at ${end}`);
  const flags = fields.getUint16(8, true);
  const rawName = bytes.subarray(at + 46, nameEnd);
  const path = decodeName(source, rawName, flags, offset + 46);
  const sizes = readSizes(source, fields, bytes.subarray(nameEnd, extraEnd), begin + nameEnd);
  if ((flags & ENCRYPTED_FLAGS) !== 0) throw damaged(source.name, offset + 8, `"${path}" in clear`, "an encrypted one");
  const method = fields.getUint16(10, true);
  if (method !== 0 && method !== 8) {
    throw damaged(source.name, offset + 10, `"${path}" stored (0) or deflated (8)`, `method ${method}`);
  }
  return { path, rawName, flags, method, crc32: fields.getUint32(16, true), ...sizes, end };
}

/** Names are UTF-8 where the flag says so or they can be; else those that Chinese Windows writes. */
function decodeName(source: ByteSource, name: Uint8Array, flags: number, offset: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(name);
  } catch (cause) {
    if ((flags & UTF8_FLAG) !== 0) throw damaged(source.name, offset, "a name in UTF-8", "other bytes", cause);
    return new TextDecoder("gb18030").decode(name);
  }
}

/** Sizes and offset, from the extra field of zip64 where the 32 bits are all ones. */
function readSizes(source: ByteSource, fields: DataView, extra: Uint8Array, offset: number) {
  let at = 0;
  let end = 0;
  const extras = view(extra);
  for (let i = 0; i + 4 <= extra.length; i += 4 + extras.getUint16(i + 2, true)) {
    if (extras.getUint16(i, true) !== 1) continue;
    [at, end] = [i + 4, i + 4 + extras.getUint16(i + 2, true)];
    break;
  }
  const read = (field: number) => {
    const value = fields.getUint32(field, true);
    if (value !== 0xffffffff) return value;
    if (at + 8 > Math.min(end, extra.length)) {
      throw damaged(source.name, offset, "a zip64 field with the sizes beyond 4 GiB", undefined);
    }
    at += 8;
    return wide(source, extras, at - 8, offset);
  };
  const size = read(24);
  const compressedSize = read(20);
  return { size, compressedSize, offset: read(42) };
}

/** The data of each entry by its local header: within the file, and none over another. */
function placeEntries(source: ByteSource, headers: readonly DirectoryHeader[], limit: number): ZipEntry[] {
  const entries = headers.map((header) => placeEntry(source, header, limit));
  const spans = entries.map(({ dataOffset, compressedSize, path }, i) => {
    return { begin: headers[i]!.offset, end: dataOffset + compressedSize, path };
  });
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (let i = 1; i < spans.length; i++) {
    const [before, span] = [spans[i - 1]!, spans[i]!];
    if (span.begin < before.end) {
      throw damaged(
        source.name,
        span.begin,
        `"${span.path}" after "${before.path}", which ends at ${before.end}`,
        "both",
      );
    }
  }
  return entries;
}

function placeEntry(source: ByteSource, header: DirectoryHeader, limit: number): ZipEntry {
  const { path, rawName, method, crc32, size, compressedSize, offset } = header;
  if (offset + 30 > limit) throw damaged(source.name, offset, `"${path}" before byte ${limit}`, `${offset}`);
  const local = view(source.slice(offset, offset + 30));
  const nameEnd = offset + 30 + local.getUint16(26, true);
  const dataOffset = nameEnd + local.getUint16(28, true);
  if (local.getUint32(0, true) !== LOCAL_HEADER || local.getUint16(8, true) !== method) {
    throw damaged(source.name, offset, `the header of "${path}"`, "other bytes");
  }
  if (dataOffset + compressedSize > limit) {
    const got = `${compressedSize} bytes at ${dataOffset}`;
    throw damaged(source.name, offset, `the data of "${path}" before byte ${limit}`, got);
  }
  const name = source.slice(offset + 30, nameEnd);
  if (name.length !== rawName.length || !name.every((byte, i) => byte === rawName[i])) {
    throw damaged(source.name, offset + 30, `the name "${path}" as in the directory`, new TextDecoder().decode(name));
  }
  return { path, size, compressedSize, method: method === 0 ? "stored" : "deflated", dataOffset, crc32 };
}

function checkNames(source: ByteSource, entries: readonly ZipEntry[], offset: number): void {
  const seen = new Set<string>();
  for (const { path, size } of entries) {
    const parts = (path.endsWith("/") ? path.slice(0, -1) : path).split("/");
    if (/[\\\p{Cc}]|^[a-zA-Z]:/u.test(path) || parts.some((part) => part === "" || part === "." || part === "..")) {
      throw damaged(source.name, offset, "paths that stay in their folder", JSON.stringify(path));
    }
    if (seen.has(path)) throw damaged(source.name, offset, "each name once", `${JSON.stringify(path)} twice`);
    if (path.endsWith("/") && size !== 0) throw damaged(source.name, offset, `the folder "${path}" empty`, `${size}`);
    seen.add(path);
  }
}

function checkSizes(source: ByteSource, entries: readonly ZipEntry[]): void {
  let total = 0;
  for (const { path, size, compressedSize, method, dataOffset } of entries) {
    total += size;
    if (method === "stored" && size !== compressedSize) {
      throw damaged(source.name, dataOffset, `${size} bytes of "${path}", which is stored`, `${compressedSize}`);
    }
    if (size > HARMLESS_BYTES && size > compressedSize * MAX_RATIO) {
      const expected = `"${path}" at most ${MAX_RATIO} times as long as its ${compressedSize} packed bytes`;
      throw damaged(source.name, dataOffset, expected, `${size}`);
    }
  }
  if (total > HARMLESS_BYTES && total > source.size * MAX_RATIO) {
    throw damaged(source.name, 0, `at most ${MAX_RATIO} times the archive's ${source.size} bytes`, `${total}`);
  }
}
