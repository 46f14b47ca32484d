/** Text in other encodings as UTF-8, chunk by chunk. */
import { CorpusError, verbatim } from "../errors.ts";
import type { TextEncoding } from "./read-block.ts";

/**
 * The same text in UTF-8; UTF-8 itself goes through as it is, for the reader of lines to check.
 * @param where - the file's name, for messages.
 * @throws {CorpusError} at bytes that are no text of the encoding.
 */
export async function* toUtf8(
  chunks: AsyncIterable<Uint8Array>,
  encoding: TextEncoding,
  where: string,
): AsyncGenerator<Uint8Array> {
  if (encoding === "utf-8") return yield* chunks;
  const decoder = new TextDecoder(encoding, { fatal: true });
  const encoder = new TextEncoder();
  const decode = (bytes?: Uint8Array): Uint8Array => {
    try {
      return encoder.encode(bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true }));
    } catch (cause) {
      const expected = `text in ${encoding.toUpperCase()}`;
      const hint = "name the text's encoding: --encoding utf-8";
      throw new CorpusError({ where, expected, got: verbatim("other bytes"), hint, cause });
    }
  };
  for await (const bytes of chunks) yield decode(bytes);
  yield decode();
}
