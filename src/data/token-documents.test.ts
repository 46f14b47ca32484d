import { describe, expect, test } from "vitest";
import numpyFormat, { npyHeader } from "../checkpoint/formats/numpy.ts";
import { bytesSource, memoryFiles } from "../checkpoint/source.ts";
import { CheckpointError } from "../errors.ts";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import {
  encodeIds,
  idDocuments,
  megatronIndex,
  openMegatron,
  openPaddle,
  paddleIdsHeader,
  paddleIndex,
} from "./indexed-ids.ts";
import { wordRestorer } from "./restore-words.ts";
import { documentsOfInstance, referenceOf, spacedText, textOfTokens, WordMarks } from "./token-documents.ts";

const words = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "灯",
  "塔",
  "##塔",
  "很",
  "高",
  "play",
  "##ing",
  "chess",
  "3",
];
const vocabulary = Vocabulary.fromTokens(words);
const idsOf = (text: string): Int32Array => Int32Array.from(text.split(" "), (token) => vocabulary.id(token) as number);
const sentence = { ids: idsOf("灯 塔 很 高 play ##ing chess 3"), wordStarts: Uint8Array.of(1, 0, 1, 1, 1, 0, 1, 1) };

describe("marks of PaddleNLP", () => {
  const marks = new WordMarks(vocabulary);

  test("a character that continues its word is ##, and plain again when read; Latin pieces keep theirs", () => {
    const { ids, lost } = marks.mark(sentence);
    expect(vocabulary.tokensOf(ids).join(" ")).toBe("灯 ##塔 很 高 play ##ing chess 3");
    expect(lost).toBe(0);
    expect(marks.unmark(ids)).toEqual({ ...sentence, hasMarks: true });
    expect(marks.unmark(sentence.ids).hasMarks).toBe(false);
  });

  test("what has no ## form is counted", () => {
    expect(marks.mark({ ids: idsOf("很 高 [UNK]"), wordStarts: Uint8Array.of(1, 0, 0) }).lost).toBe(2);
  });
});

test("the text of tokens, words parted by spaces, is read as the same tokens and words", () => {
  const spaced = spacedText(sentence, vocabulary);
  expect(spaced).toBe("灯塔 很 高 playing chess 3");
  const tokenizer = new BertTokenizer(vocabulary, {});
  expect(tokenizer.encodePieces(preSegmented().segment(spaced).text).ids).toEqual(sentence.ids);
  const { text, starts } = textOfTokens(sentence.ids, vocabulary);
  expect(text).toBe("灯塔很高playing chess 3");
  expect([...starts]).toEqual([0, 1, 2, 3, 4, 8, 12, 18]);
});

test("a reference lists Chinese characters that continue a word, [CLS] being 0, and no pieces of WordPiece", () => {
  expect(referenceOf(sentence, vocabulary)).toEqual([2]);
});

test("an instance comes apart into what it was made of, masks undone; a random B is a document of its own", () => {
  const instance = {
    inputIds: idsOf("[CLS] 灯 [MASK] [SEP] 很 高 [SEP]"),
    tokenTypeIds: Uint8Array.of(0, 0, 0, 0, 1, 1, 1),
    wordStarts: Uint8Array.of(1, 1, 0, 1, 1, 0, 1),
    maskedLmPositions: Int32Array.of(2),
    maskedLmIds: idsOf("塔"),
    nextSentenceLabel: 1 as const,
  };
  const [a, b] = documentsOfInstance(instance, vocabulary);
  expect(a).toEqual([{ ids: idsOf("灯 塔"), wordStarts: Uint8Array.of(1, 0) }]);
  expect(b).toEqual([{ ids: idsOf("很 高"), wordStarts: Uint8Array.of(1, 0) }]);
  expect(documentsOfInstance({ ...instance, nextSentenceLabel: 0 }, vocabulary)).toEqual([
    [...(a ?? []), ...(b ?? [])],
  ]);
});

test("words are found again in instances that do not say them, each side by itself, [UNK] alone", () => {
  const dictionary = new Set(["灯塔", "很高"]);
  const cut = (text: string): Int32Array => {
    const ends: number[] = [];
    for (let at = 0; at < text.length; at = ends.at(-1) as number) {
      ends.push(at + (dictionary.has(text.slice(at, at + 2)) ? 2 : 1));
    }
    return Int32Array.from(ends);
  };
  const segmenter = {
    name: "two",
    segment: (text: string) => ({ text, wordEnds: cut(text), unalignedLines: 0 }),
  };
  const instance = {
    inputIds: idsOf("[CLS] 灯 [MASK] [UNK] 高 [SEP] 很 高 [SEP]"),
    tokenTypeIds: new Uint8Array(9),
    wordStarts: new Uint8Array(9).fill(1),
    maskedLmPositions: Int32Array.of(2),
    maskedLmIds: idsOf("塔"),
    nextSentenceLabel: 0 as const,
  };
  expect([...wordRestorer(vocabulary, segmenter)(instance).wordStarts]).toEqual([1, 1, 0, 1, 1, 1, 1, 0, 1]);
});

describe("ids with an index", () => {
  const documents = [[Int32Array.of(1, 2, 3), Int32Array.of(4)], [Int32Array.of(5, 60_000)]];
  const ids = Int32Array.of(1, 2, 3, 4, 5, 60_000);
  const index = { lengths: Int32Array.of(3, 1, 2), documents: Float64Array.of(0, 2, 3) };
  const joined = (chunks: Iterable<Uint8Array>) => Uint8Array.from(Buffer.concat([...chunks]));

  async function openPair(npy: Uint8Array, npz: Uint8Array) {
    const { tensors } = await numpyFormat.open(memoryFiles("a", new Map([["a_idx.npz", npz]])), "a_idx.npz");
    const opened = openPaddle(bytesSource("a_ids.npy", npy), tensors, "a_idx.npz");
    return [...idDocuments(opened.ids, opened.index)];
  }

  test.each(["uint16", "int32"] as const)(
    "of %s are read back, as Megatron-LM and as PaddleNLP have them",
    async (type) => {
      const bytes = encodeIds(ids, type);
      const { ids: read, index: readIndex } = openMegatron(
        bytesSource("a.bin", bytes),
        bytesSource("a.idx", joined(megatronIndex(index, type))),
      );
      expect([...idDocuments(read, readIndex)]).toEqual(documents);
      expect(await openPair(joined([paddleIdsHeader(6, type), bytes]), joined(paddleIndex(index)))).toEqual(documents);
    },
  );

  test("an .idx that is cut, changed or of other ids is an error at any byte that counts", () => {
    const idx = joined(megatronIndex(index, "uint16"));
    const open = (bytes: Uint8Array, bin = encodeIds(ids, "uint16")) => {
      const opened = openMegatron(bytesSource("a.bin", bin), bytesSource("a.idx", bytes));
      return [...idDocuments(opened.ids, opened.index)];
    };
    expect(open(idx)).toEqual(documents);
    for (let length = 0; length < idx.length; length++)
      expect(() => open(idx.subarray(0, length))).toThrow(CheckpointError);
    for (let at = 0; at < idx.length; at++) {
      const changed = idx.slice();
      changed[at] = (changed[at] as number) ^ 0x81;
      // The document in the middle may end elsewhere.
      if (at >= idx.length - 16 && at < idx.length - 8) continue;
      expect(() => open(changed), `byte ${at}`).toThrow(CheckpointError);
    }
    expect(() => open(idx, encodeIds(ids.subarray(1), "uint16"))).toThrow("6");
  });

  test("arrays of another kind, missing ones and negative ids are errors", async () => {
    const bytes = encodeIds(ids, "int32");
    const npz = joined(paddleIndex(index));
    await expect(openPair(joined([npyHeader("float32", [6]), bytes]), npz)).rejects.toThrow("one axis of integers");
    await expect(openPair(joined([paddleIdsHeader(7, "int32"), bytes]), npz)).rejects.toThrow("7 ids");
    const negative = joined([
      paddleIdsHeader(6, "int32"),
      encodeIds(
        ids.map((id) => -id),
        "int32",
      ),
    ]);
    await expect(openPair(negative, npz)).rejects.toThrow("an id from 0");
    const { tensors } = await numpyFormat.open(memoryFiles("a", new Map([["b.npz", npz]])), "b.npz");
    const without = new Map([...tensors].filter(([name]) => name !== "docs"));
    expect(() => openPaddle(bytesSource("a", joined([paddleIdsHeader(6, "int32"), bytes])), without, "b")).toThrow(
      "docs",
    );
  });
});
