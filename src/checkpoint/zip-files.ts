/** The files of a zip download as a model's files: stored entries are parts of the archive, deflated ones are inflated when opened. */
import { crc32 } from "../util/crc32.ts";
import { type ByteSource, bytesSource, damaged, type ModelFiles, noSuchFile } from "./source.ts";
import { readZip, storedEntry, type ZipEntry } from "./zip.ts";

/** A deflated entry of an archive. */
export interface DeflatedEntry {
  /** Named in errors. */
  readonly name: string;
  /** Bytes that it must have when inflated. */
  readonly size: number;
  readonly compressed: ByteSource;
  /** Of the inflated bytes. */
  readonly crc32: number;
}

/** Puts the inflated bytes of an entry where they can be read by range: memory, or a temporary file. */
export type Inflate = (entry: DeflatedEntry) => Promise<ByteSource>;

/** The length that a typed array may have in every engine. */
const MAX_MEMORY_BYTES = 2 ** 31 - 1;
/** Bytes of an archive given to the inflater at a time; inflated by the factor 1032 at most, still little. */
const CHUNK_BYTES = 64 * 1024;

/**
 * The files of a zip archive, with the paths that it gives them; what macOS adds (`__MACOSX`) is left out.
 * @param inflate - called once for each deflated entry that is opened.
 * @throws {CheckpointError} when the archive is damaged or hostile.
 */
export function zipFiles(source: ByteSource, inflate: Inflate = inflateToMemory): ModelFiles {
  const entries = new Map<string, ZipEntry>();
  for (const entry of readZip(source)) if (!entry.path.startsWith("__MACOSX/")) entries.set(entry.path, entry);
  const paths = [...entries.keys()];
  const opened = new Map<string, Promise<ByteSource>>();
  const openEntry = async (entry: ZipEntry): Promise<ByteSource> => {
    const compressed = storedEntry(source, entry);
    if (entry.method === "stored") return compressed;
    return inflate({ name: compressed.name, size: entry.size, compressed, crc32: entry.crc32 });
  };
  return {
    name: source.name,
    paths,
    async open(path) {
      const entry = entries.get(path);
      if (entry === undefined) throw noSuchFile(source.name, path, paths);
      const source_ = opened.get(path) ?? openEntry(entry);
      opened.set(path, source_);
      return source_;
    },
  };
}

/**
 * Inflates an entry to memory, by the web's own DecompressionStream.
 * @throws {CheckpointError} when the bytes are damaged, or more or fewer than the archive says.
 */
export async function inflateToMemory(entry: DeflatedEntry): Promise<ByteSource> {
  if (entry.size > MAX_MEMORY_BYTES) {
    throw damaged(entry.name, 0, `at most ${MAX_MEMORY_BYTES} bytes, to inflate to memory`, `${entry.size}`);
  }
  const bytes = new Uint8Array(entry.size);
  let at = 0;
  for await (const chunk of inflatedChunks(entry)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytesSource(entry.name, bytes);
}

/**
 * The inflated bytes of an entry, never more than it declares; length and checksum are checked at the end.
 * @throws {CheckpointError} when the bytes are damaged, or more or fewer than the archive says.
 */
export async function* inflatedChunks(entry: DeflatedEntry): AsyncGenerator<Uint8Array> {
  const { name, size, compressed } = entry;
  const reader = deflated(compressed).pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  let length = 0;
  let checksum = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
      if (length > size) throw damaged(name, size, `the end after ${size} bytes`, "more");
      checksum = crc32(part.value, checksum);
      yield part.value;
    }
  } catch (cause) {
    if (cause instanceof TypeError || !(cause instanceof Error) || "errno" in cause) {
      throw damaged(name, length, "bytes compressed with deflate", (cause as Error).message, cause);
    }
    throw cause;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  if (length !== size) throw damaged(name, length, `${size} bytes`, "the end of the file");
  if (checksum !== entry.crc32) {
    throw damaged(name, 0, `the CRC-32 ${entry.crc32.toString(16)}`, checksum.toString(16));
  }
}

function deflated(source: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      const end = Math.min(source.size, at + CHUNK_BYTES);
      if (end > at) controller.enqueue(source.slice(at, end) as Uint8Array<ArrayBuffer>);
      at = end;
      if (at === source.size) controller.close();
    },
  });
}
