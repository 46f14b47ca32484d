/** jieba as a segmenter. The native module is passed in (zhbert/node has createJieba), so that this runs in browsers. */
import { type Segmenter, segmentByCutting } from "../segmenter.ts";

/** The one method of @node-rs/jieba that is used. */
export interface JiebaLike {
  cut(text: string, hmm?: boolean): string[];
}

/** Options of {@link jiebaSegmenter}. */
export interface JiebaOptions {
  /** Find words that are not in the dictionary by the hidden Markov model; true unless said, as in Python's jieba. */
  readonly hmm?: boolean;
}

/** A segmenter over an instance of jieba. */
export default function jiebaSegmenter(jieba: JiebaLike, options: JiebaOptions = {}): Segmenter {
  const hmm = options.hmm ?? true;
  return { name: "jieba", segment: (text) => segmentByCutting(text, (part) => jieba.cut(part, hmm)) };
}
