/** Examples that go on over the ends of documents. */
import type { TokenBlock } from "./token-block.ts";

/**
 * A block as one document, with [SEP] after each document that another follows; where it comes to stand at the end of an example it is
 * the example's own (packing leaves it out). Source: FULL-SENTENCES, Liu et al. 2019 (RoBERTa), section 4.2.
 * @param sepId - the id of [SEP].
 */
export function joinDocuments(block: TokenBlock, sepId: number): TokenBlock {
  const { documentStarts, sentenceStarts } = block;
  const seams = Math.max(0, documentStarts.length - 2);
  const ids = new Int32Array(block.ids.length + seams);
  const wordStarts = new Uint8Array(ids.length);
  const starts = Int32Array.from(sentenceStarts);
  for (let document = 0; document + 1 < documentStarts.length; document++) {
    const [first, last] = [documentStarts[document] as number, documentStarts[document + 1] as number];
    const [from, to] = [sentenceStarts[first] as number, sentenceStarts[last] as number];
    ids.set(block.ids.subarray(from, to), from + document);
    wordStarts.set(block.wordStarts.subarray(from, to), from + document);
    for (let sentence = first; sentence < last; sentence++) {
      starts[sentence] = (sentenceStarts[sentence] as number) + document;
    }
    if (document === seams) continue;
    ids[to + document] = sepId;
    wordStarts[to + document] = 1;
  }
  starts[starts.length - 1] = ids.length;
  return {
    ids,
    wordStarts,
    sentenceStarts: starts,
    documentStarts: Int32Array.of(0, starts.length - 1),
    separatorId: sepId,
  };
}
