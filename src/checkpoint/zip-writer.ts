/**
 * Zip archives of stored entries, written as a stream: an entry is read when its turn comes and forgotten afterwards.
 * The data of each begin at a multiple of 64 bytes, as torch writes them, so that a memory map gives aligned views.
 * Source: PKWARE's APPNOTE 6.3.10; padding field as caffe2/serialize/inline_container.cc of PyTorch.
 */
import { crc32 } from "../util/crc32.ts";

/** A file to be put into an archive. */
export interface ZipInput {
  readonly path: string;
  /** Its bytes; asked for once, when the archive has come to it. */
  read(): Uint8Array;
}

const ALIGNMENT = 64;
/** "FB": the field with which torch pads headers; other readers skip what they do not know. */
const PADDING_FIELD = 0x4246;
const ZIP64_FIELD = 0x0001;
/** Where 32 bits end, or 16; the value itself says "look in the zip64 record". */
const LIMIT_32 = 0xffffffff;
const LIMIT_16 = 0xffff;
/** Zip 4.5 has zip64; the lowest version that reads all of this. */
const VERSION = 45;
const UTF8_FLAG = 0x0800;
/** 1 January 1980, the first day of zip: the same files give the same bytes. */
const DATE = 0x0021;

interface Written {
  readonly name: Uint8Array;
  readonly size: number;
  readonly crc32: number;
  readonly offset: number;
}

/** The chunks of an archive. */
export function* zipChunks(inputs: Iterable<ZipInput>): Generator<Uint8Array> {
  const written: Written[] = [];
  let offset = 0;
  for (const input of inputs) {
    const bytes = input.read();
    const entry = { name: new TextEncoder().encode(input.path), size: bytes.length, crc32: crc32(bytes), offset };
    const header = localHeader(entry);
    yield header;
    yield bytes;
    written.push(entry);
    offset += header.length + bytes.length;
  }
  const directory = written.map(directoryHeader);
  yield* directory;
  yield endRecords(
    written.length,
    directory.reduce((sum, { length }) => sum + length, 0),
    offset,
  );
}

/** Little-endian numbers one after the other, each with its width in bytes. */
function fields(...values: readonly (readonly [width: 2 | 4 | 8, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of values) {
    if (width === 2) view.setUint16(at, value, true);
    else if (width === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += width;
  }
  return bytes;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function localHeader({ name, size, crc32, offset }: Written): Uint8Array {
  const wide = size >= LIMIT_32;
  const sizes = wide ? fields([2, ZIP64_FIELD], [2, 16], [8, size], [8, size]) : new Uint8Array(0);
  const before = offset + 30 + name.length + sizes.length + 4;
  const padding = new Uint8Array((ALIGNMENT - (before % ALIGNMENT)) % ALIGNMENT);
  const shown = wide ? LIMIT_32 : size;
  return join(
    fields(
      [4, 0x04034b50],
      [2, VERSION],
      [2, UTF8_FLAG],
      [2, 0],
      [2, 0],
      [2, DATE],
      [4, crc32],
      [4, shown],
      [4, shown],
    ),
    fields([2, name.length], [2, sizes.length + 4 + padding.length]),
    name,
    sizes,
    fields([2, PADDING_FIELD], [2, padding.length]),
    padding,
  );
}

function directoryHeader({ name, size, crc32, offset }: Written): Uint8Array {
  const wide = [...(size >= LIMIT_32 ? [size, size] : []), ...(offset >= LIMIT_32 ? [offset] : [])];
  const extra =
    wide.length === 0
      ? new Uint8Array(0)
      : fields([2, ZIP64_FIELD], [2, 8 * wide.length], ...wide.map((value) => [8, value] as const));
  const shown = Math.min(size, LIMIT_32);
  return join(
    fields([4, 0x02014b50], [2, VERSION], [2, VERSION], [2, UTF8_FLAG], [2, 0], [2, 0], [2, DATE], [4, crc32]),
    fields([4, shown], [4, shown], [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0]),
    fields([4, Math.min(offset, LIMIT_32)]),
    name,
    extra,
  );
}

function endRecords(entries: number, size: number, begin: number): Uint8Array {
  const wide = entries >= LIMIT_16 || size >= LIMIT_32 || begin >= LIMIT_32;
  const count = Math.min(entries, LIMIT_16);
  const end = join(
    fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count]),
    fields([4, Math.min(size, LIMIT_32)], [4, Math.min(begin, LIMIT_32)], [2, 0]),
  );
  if (!wide) return end;
  return join(
    fields([4, 0x06064b50], [8, 44], [2, VERSION], [2, VERSION], [4, 0], [4, 0], [8, entries], [8, entries]),
    fields([8, size], [8, begin]),
    fields([4, 0x07064b50], [4, 0], [8, begin + size], [4, 1]),
    end,
  );
}
