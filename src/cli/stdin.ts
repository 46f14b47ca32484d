/** Lines of standard input, for commands whose text argument is missing. */
import { readLines } from "../data/corpus.ts";
import type { TextEncoding } from "../data/read-block.ts";
import { toUtf8 } from "../data/transcode.ts";
import type { Output } from "./command.ts";

interface ByteStream extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
}

/**
 * The lines of standard input, as corpora are read: strictly in their encoding, without line ends.
 * @throws {CorpusError} at bytes that are no such text (of UTF-8 with their offset) and at endless lines; the signal's reason.
 */
export function readStdinLines(
  stream: ByteStream,
  { signal, output }: { readonly signal: AbortSignal; readonly output: Output },
  encoding: TextEncoding = "utf-8",
): AsyncIterable<string> {
  if (stream.isTTY) output.note("reading lines from the keyboard; Ctrl-D ends");
  const where = "standard input";
  return readLines(toUtf8(untilAborted(stream, signal), encoding, where), { where });
}

/** The chunks of a stream; ends with the signal's reason as soon as it is aborted, even while waiting for input. */
async function* untilAborted(stream: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => {});
  for (;;) {
    signal.throwIfAborted();
    const next = await Promise.race([chunks.next(), aborted]);
    if (next.done) return;
    yield next.value;
  }
}
