/** Packed files as a stream of what is in them: .gz, .xz and .zst, in memory that does not grow with what comes out. */
import { PassThrough, pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { CorpusError, verbatim, ZhbertError } from "../errors.ts";

type Bytes = AsyncIterable<Uint8Array>;

/** Streams of unpacked bytes, by the ending of the file's name. */
const unpackers: Readonly<Record<string, (packed: Bytes) => Bytes>> = {
  gz: unpackGzip,
  xz: unpackXz,
  zst: unpackZstandard,
};

/** Pieces that zlib hands out. */
const PIECE_BYTES = 1 << 18;
/** Input of the Zstandard decoder at once: even if each 4 bytes of it are a block of equal bytes, 32 MiB come out. */
const ZSTANDARD_INPUT_BYTES = 1 << 10;
/** The largest window that zstd itself unpacks without being told to; a window is memory. */
const MAX_WINDOW_BYTES = 128 << 20;

/** What the error codes of xz-embedded mean to the user. */
const xzProblems: Readonly<Record<string, string>> = {
  4: "a dictionary of more memory than there is",
  5: "another format",
  6: "a kind of compression or checksum that is not supported (such as SHA-256)",
  7: "damaged data",
  8: "an end before the end of the data",
};

/**
 * The bytes in a file, unpacked where its name ends in .gz, .xz or .zst. Parts one after the other in one file are joined.
 * @param packed - the bytes of the file.
 * @throws {CorpusError} when they are damaged, cut short or of another format.
 */
export function unpack(path: string, packed: Bytes): Bytes {
  const ending = /\.(gz|xz|zst)$/i.exec(path)?.[1]?.toLowerCase();
  return ending === undefined ? packed : guarded(path, ending, packed);
}

async function* guarded(path: string, ending: string, packed: Bytes): Bytes & AsyncGenerator<Uint8Array> {
  let readingError: unknown;
  let bytesRead = 0;
  // What goes wrong while reading is no fault of the format.
  async function* reading(): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of packed) {
        bytesRead += bytes.length;
        yield bytes;
      }
    } catch (error) {
      readingError = error;
      throw error;
    }
  }
  try {
    yield* (unpackers[ending] as (packed: Bytes) => Bytes)(reading());
  } catch (error) {
    if (readingError !== undefined) throw readingError;
    if (error instanceof ZhbertError) throw error;
    const code = /error code (\d+)$/.exec((error as Error).message)?.[1] ?? "";
    throw new CorpusError({
      where: path,
      expected: `a whole .${ending} file`,
      got: verbatim(bytesRead === 0 ? "an empty file" : (xzProblems[code] ?? (error as Error).message)),
      hint: "the file is damaged, cut short or of another format: fetch it again, or unpack it with the program that made it",
      cause: error,
    });
  }
}

async function* unpackGzip(packed: Bytes): AsyncGenerator<Uint8Array> {
  const source = Readable.from(packed, { objectMode: false });
  // pipeline hands errors on to the iterator and closes all streams when the reader stops early.
  const output = pipeline(source, createGunzip({ chunkSize: PIECE_BYTES }), new PassThrough(), () => undefined);
  yield* output as Bytes;
}

async function* unpackXz(packed: Bytes): AsyncGenerator<Uint8Array> {
  const { default: library } = await import("xz-decompress");
  yield* new library.XzReadableStream(Readable.toWeb(Readable.from(packed)) as never) as unknown as Bytes;
}

async function* unpackZstandard(packed: Bytes): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  const unpacked: Uint8Array[] = [];
  const decoder = new Decompress((piece) => void unpacked.push(piece));
  let isFirst = true;
  for await (const bytes of packed) {
    if (isFirst) checkWindow(bytes);
    isFirst = false;
    for (let at = 0; at < bytes.length; at += ZSTANDARD_INPUT_BYTES) {
      decoder.push(bytes.slice(at, at + ZSTANDARD_INPUT_BYTES));
      yield* unpacked.splice(0);
    }
  }
  decoder.push(new Uint8Array(0), true);
  yield* unpacked;
}

/** The window that a frame asks for. Source: RFC 8878, 3.1.1.1. */
function checkWindow(frame: Uint8Array): void {
  const [flags = 0, descriptor = 0] = frame.subarray(4);
  const base = 2 ** (10 + (descriptor >> 3));
  let window = base + (base / 8) * (descriptor & 7);
  if ((flags & 0x20) !== 0) {
    // A single segment: the window is all of the content, whose size follows the dictionary's number.
    const at = 5 + ([0, 1, 2, 4][flags & 3] as number);
    const size = frame.subarray(at, at + ([1, 2, 4, 8][flags >> 6] as number));
    window = size.reduceRight((sum, byte) => 256 * sum + byte, 0);
  }
  if (window > MAX_WINDOW_BYTES) throw new Error("a window of more than 128 MiB, as zstd --long makes it");
}
