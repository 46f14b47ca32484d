/** Lines of standard input as strict UTF-8, for commands whose text argument is missing. */
import { CorpusError, verbatim } from "../errors.ts";
import type { Output } from "./command.ts";

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** A line is one text; beyond this the input is binary or has lost its line ends. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

interface LineSource extends AsyncIterable<Uint8Array> {
  readonly isTTY?: boolean;
}

/**
 * The lines of a byte stream, without `\n` or `\r\n`; a byte order mark at the very start is dropped.
 * @throws {CorpusError} at bytes that are not UTF-8 (with their offset), and at a line over 64 MB.
 */
export async function* readLines(
  source: LineSource,
  { signal, output }: { readonly signal: AbortSignal; readonly output: Output },
): AsyncGenerator<string> {
  if (source.isTTY) output.note("reading lines from the keyboard; Ctrl-D ends");
  let offset = 0;
  for await (const line of splitLines(source, signal)) {
    const text = decodeLine(line, offset);
    yield offset === 0 && text.startsWith("\uFEFF") ? text.slice(1) : text;
    offset += line.length + 1;
  }
}

async function* splitLines(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of untilAborted(source, signal)) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, end)]);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > MAX_LINE_BYTES) {
      throw new CorpusError({
        where: "standard input",
        expected: `lines of at most ${MAX_LINE_BYTES} bytes`,
        got: verbatim("a longer one"),
        hint: "one text a line; is this a text file?",
      });
    }
  }
  if (pendingBytes > 0) yield Buffer.concat(pending);
}

/** The chunks of a stream; ends with the signal's reason as soon as it is aborted, even while waiting for input. */
async function* untilAborted(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
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

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeLine(line: Uint8Array, offset: number): string {
  const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length;
  try {
    return decoder.decode(line.subarray(0, end));
  } catch (cause) {
    throw new CorpusError({
      where: "standard input",
      expected: "UTF-8 text",
      got: verbatim(`other bytes at offset ${offset + validPrefix(line)}`),
      hint: "convert it first, for example with: iconv -f gb18030 -t utf-8",
      cause,
    });
  }
}

/** How many bytes at the start of a line are valid UTF-8: the longest prefix that decodes, by bisection. */
function validPrefix(line: Uint8Array): number {
  let valid = 0;
  let invalid = line.length;
  while (invalid - valid > 1) {
    const middle = (valid + invalid) >> 1;
    try {
      // Streaming: a character cut at the end is not yet an error.
      new TextDecoder("utf-8", { fatal: true }).decode(line.subarray(0, middle), { stream: true });
      valid = middle;
    } catch {
      invalid = middle;
    }
  }
  return valid;
}
