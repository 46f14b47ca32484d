/** Lines of standard input, for commands whose text argument is missing. */
import { readLines } from "../data/corpus.ts";
import type { Output } from "./command.ts";

interface ByteStream extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
}

/**
 * The lines of standard input, as corpora are read: strict UTF-8, without line ends.
 * @throws {CorpusError} at bytes that are not UTF-8 (with their offset) and at endless lines; the signal's reason.
 */
export function readStdinLines(
  stream: ByteStream,
  { signal, output }: { readonly signal: AbortSignal; readonly output: Output },
): AsyncIterable<string> {
  if (stream.isTTY) output.note("reading lines from the keyboard; Ctrl-D ends");
  return readLines(untilAborted(stream, signal), { where: "standard input" });
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
