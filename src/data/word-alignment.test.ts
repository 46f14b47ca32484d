import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared, shared } from "../../test/shared.ts";
import { endsOfWords, type Segmenter, segmentByCutting } from "../text/segmenter.ts";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import referenceFileSegmenter from "../text/segmenters/reference-file.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { referencePositions } from "./reference-lines.ts";
import { alignWords, continuationTable } from "./word-alignment.ts";

const vocabulary = Vocabulary.fromTokens([
  ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  ..."他穿着恤在咖啡馆写程序用的是小号电脑和",
  ...["t", "cafe", "play", "##ing", "##6", "iphone", "##s", "3", "14", ".", "+", "c"],
]);
const tokenizer = new BertTokenizer(vocabulary);
const continues = continuationTable(vocabulary);

/** The tokens of a text grouped into words. */
function groups(text: string, words: readonly string[]): string[] {
  const pieces = tokenizer.encodePieces(text);
  const starts = alignWords(pieces, endsOfWords(text, words) as Int32Array, continues);
  const found: string[] = [];
  pieces.ids.forEach((id, i) => {
    if (starts[i] === 1) found.push(vocabulary.token(id));
    else found[found.length - 1] += `+${vocabulary.token(id)}`;
  });
  return found;
}

describe("alignWords", () => {
  test("groups Chinese characters by word, and pieces of a Latin word", () => {
    expect(groups("他在咖啡馆playing", ["他", "在", "咖啡馆", "playing"])).toEqual([
      "他",
      "在",
      "咖+啡+馆",
      "play+##ing",
    ]);
  });
  test("goes by place, not by spelling: case, accents, unknown and full-width characters", () => {
    expect(groups("Café電脑写CAFÉ", ["Café", "電脑", "写", "CAFÉ"])).toEqual(["cafe", "[UNK]+脑", "写", "cafe"]);
  });
  test("a word of Latin and Chinese, or of punctuation and digits, is one word", () => {
    expect(groups("他穿T恤用C++和3.14", ["他", "穿", "T恤", "用", "C++", "和", "3.14"])).toEqual([
      "他",
      "穿",
      "t+恤",
      "用",
      "c++++",
      "和",
      "3+.+14",
    ]);
  });
  test("a boundary inside a WordPiece word is passed over, the next word begins anew", () => {
    expect(groups("iphone6s电脑", ["iphone", "6s", "电脑"])).toEqual(["iphone+##6+##s", "电+脑"]);
    expect(groups("play 着", ["pl", "ay", " ", "着"])).toEqual(["play", "着"]);
  });
  test("characters outside the basic plane keep the places of what follows", () => {
    expect(groups("𠀀𠀁电脑", ["𠀀𠀁", "电脑"])).toEqual(["[UNK]+[UNK]", "电+脑"]);
  });
  test("equal words at other places are told apart", () => {
    expect(groups("是小小号小号", ["是小", "小号", "小", "号"])).toEqual(["是+小", "小+号", "小", "号"]);
  });
  test("nothing gives nothing", () => {
    expect(groups(" ", [" "])).toEqual([]);
  });
});

test("a reference file read back gives the words that were written", () => {
  const lines = ["他 在 咖啡馆 写 程序", "", "小号 电脑 和 playing"];
  const references = [...referencePositions(lines, { tokenizer, segmenter: preSegmented() })].map((list) =>
    JSON.stringify(list),
  );
  expect(references).toEqual(["[4,5,8]", "[2,4]"]);
  const text = preSegmented().segment(lines.join("\n")).text;
  const { wordEnds, unalignedLines } = referenceFileSegmenter(references, tokenizer).segment(text);
  expect(unalignedLines).toBe(0);
  const pieces = tokenizer.encodePieces(text);
  const direct = alignWords(pieces, preSegmented().segment(lines.join("\n")).wordEnds, continues);
  expect(alignWords(pieces, wordEnds, continues)).toEqual(direct);
});

interface RouteRow {
  readonly text: string;
  readonly words: string[];
  readonly tokens: string[];
  readonly true_marks: number[];
}

describeShared("reference/data/hf_route.jsonl", "sentences on which the reference file goes wrong", (path) => {
  const rows = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as RouteRow);
  const published = BertTokenizer.fromVocabText(readFileSync(shared("assets/vocab.txt") as string, "utf8"));
  test("the segmenter's words are kept, [UNK] or not, wherever they stand", () => {
    for (const row of rows) {
      const segmenter: Segmenter = { name: "golden", segment: (text) => segmentByCutting(text, () => row.words) };
      const [positions] = referencePositions([row.text], { tokenizer: published, segmenter });
      expect(positions, row.text).toEqual(row.true_marks);
    }
  });
});
