/**
 * Text whose words are already separated by spaces, as an external segmenter such as LTP writes it.
 *
 * The spaces are word boundaries, not text: beside Chinese they are taken out, between two Latin words one remains,
 * so that the tokens are those of the text as its author wrote it.
 */
import type { SegmentedText, Segmenter } from "../segmenter.ts";

/** A segmenter that takes the spaces of the text for the boundaries of its words. */
export default function preSegmented(): Segmenter {
  return { name: "spaces", segment: joinWords };
}

function joinWords(spaced: string): SegmentedText {
  const ends = new Int32Array(2 * spaced.length + 1);
  let count = 0;
  let text = "";
  for (const [i, line] of spaced.split("\n").entries()) {
    if (i > 0) {
      text += "\n";
      ends[count++] = text.length;
    }
    let previous = "";
    for (const word of line.split(/\s+/)) {
      if (word === "") continue;
      if (previous !== "" && !isChineseEnd(previous) && !isChineseStart(word)) {
        text += " ";
        ends[count++] = text.length;
      }
      text += word;
      ends[count++] = text.length;
      previous = word;
    }
  }
  return { text, wordEnds: ends.slice(0, count), unalignedLines: 0 };
}

function isChineseStart(word: string): boolean {
  return isChinese(word.codePointAt(0) as number);
}

function isChineseEnd(word: string): boolean {
  const last = word.charCodeAt(word.length - 1);
  const isLowSurrogate = last >= 0xdc00 && last <= 0xdfff;
  return isChinese(isLowSurrogate && word.length > 1 ? (word.codePointAt(word.length - 2) as number) : last);
}

/** Characters and punctuation that Chinese writes without spaces around them. */
function isChinese(codePoint: number): boolean {
  return (
    (codePoint >= 0x4e00 && codePoint <= 0x9fff) ||
    (codePoint >= 0x3400 && codePoint <= 0x4dbf) ||
    (codePoint >= 0x3001 && codePoint <= 0x303f) ||
    (codePoint >= 0xff00 && codePoint <= 0xff65) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0x2010 && codePoint <= 0x2027) ||
    (codePoint >= 0x20000 && codePoint <= 0x2fa1f)
  );
}
