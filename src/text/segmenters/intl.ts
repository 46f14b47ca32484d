/** The segmenter of the JavaScript engine (ICU's dictionary), present in browsers and Node.js alike. */
import { ArgumentError } from "../../errors.ts";
import type { SegmentedText, Segmenter } from "../segmenter.ts";

/**
 * A segmenter over Intl.Segmenter.
 * @param locale - a BCP 47 tag, "zh" unless said.
 * @throws {ArgumentError} when the tag is malformed or the engine has no word segmentation.
 */
export default function intlSegmenter(locale = "zh"): Segmenter {
  const words = create(locale);
  return {
    name: "intl",
    segment(text: string): SegmentedText {
      const ends = new Int32Array(text.length);
      let count = 0;
      let start = 0;
      // A call for each line: the engine's time for a call grows faster than the text.
      for (const line of text.split("\n")) {
        for (const { index } of words.segment(line)) if (index > 0) ends[count++] = start + index;
        start += line.length;
        if (line.length > 0) ends[count++] = start;
        start += 1;
        if (start <= text.length) ends[count++] = start;
      }
      return { text, wordEnds: ends.subarray(0, count), unalignedLines: 0 };
    },
  };
}

function create(locale: string): Intl.Segmenter {
  try {
    return new Intl.Segmenter(locale, { granularity: "word" });
  } catch (cause) {
    throw new ArgumentError({
      where: "intl segmenter",
      expected: "a language tag in an engine with Intl.Segmenter",
      got: locale,
      hint: "use jieba, or text with spaces between its words",
      cause,
    });
  }
}
