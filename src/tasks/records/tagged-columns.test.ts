/** Columns of units and tags, and segmented texts: what is read, and what is said of files that are wrong. */
import { describe, expect, test } from "vitest";
import { looksLikeTaggedColumns, readSegmented, readTaggedColumns } from "./tagged-columns.ts";
import { readUserExamples } from "./user-examples.ts";

const path = "train.txt";
const read = (text: string, options = {}) => readTaggedColumns(text, { path, ...options });

describe("columns", () => {
  test("sentences are parted by blank lines, in any line ends, with tabs or spaces", () => {
    const expected = [
      {
        text: "去京",
        units: [
          [0, 1],
          [1, 2],
        ],
        tags: ["O", "B-LOC"],
      },
      { text: "好", units: [[0, 1]], tags: ["O"] },
    ];
    expect(read("去 O\n京 B-LOC\n\n好 O\n")).toEqual(expected);
    expect(read("去\tO\r\n京\tB-LOC\r\n\r\n\r\n好\tO")).toEqual(expected);
    expect(read("\ufeff去 O\n京 B-LOC \n \n好  O\n\n")).toEqual(expected);
  });

  test("units outside of the basic plane and units that are spaces keep their places", () => {
    expect(read("😀 O\n\u3000 O\n京 B-LOC\n")).toEqual([
      {
        text: "😀\u3000京",
        units: [
          [0, 2],
          [2, 3],
          [3, 4],
        ],
        tags: ["O", "O", "B-LOC"],
      },
    ]);
    expect(read("京\tB-LOC\n \tO\n店\tO\n")[0]?.text).toBe("京 店");
  });

  test("Latin words are parted by a space, letters and Chinese are not", () => {
    expect(read("New B-LOC\nYork I-LOC\n很 O\n大 O\n")[0]).toMatchObject({
      text: "New York很大",
      units: [
        [0, 3],
        [4, 8],
        [8, 9],
        [9, 10],
      ],
    });
    expect(read("W B-ORG\nT I-ORG\nO I-ORG\n2 O\n")[0]?.text).toBe("WTO2");
  });

  test("four columns as in CoNLL-2003, one column, and CoNLL-U", () => {
    expect(read("-DOCSTART- -X- -X- O\n\n去 VV I-VP O\n京 NR I-NP B-LOC\n")[0]?.tags).toEqual(["O", "B-LOC"]);
    expect(read("去 VV O\n", { tagColumn: 1 })[0]?.tags).toEqual(["VV"]);
    expect(read("去\n京\n")).toEqual([
      {
        text: "去京",
        units: [
          [0, 1],
          [1, 2],
        ],
      },
    ]);
    const rest = "\t_".repeat(6);
    const words = ["1\t去\t去\tVERB", "2-3\t北京\t_\t_", "2\t北\t北\tPROPN", "3\t京\t京\tPROPN"];
    const universal = `# text = 去北京\n${words.map((word) => `${word}${rest}\n`).join("")}`;
    expect(read(universal)).toMatchObject([{ text: "去北京", tags: ["VERB", "PROPN", "PROPN"] }]);
    expect(looksLikeTaggedColumns(universal)).toBe(true);
    const x = "1\t去\t_\tVV\tVV\t_\t0\tROOT\t_\t_\n2\t京\t_\tNR\tNR\t_\t1\tobj\t_\t_\n";
    expect(read(x)).toMatchObject([{ text: "去京", tags: ["VV", "NR"] }]);
    expect(read(x, { tagColumn: 7 })[0]?.tags).toEqual(["ROOT", "obj"]);
    // A number in a text of characters is a number.
    expect(read("1\tB-DATE\n月\tI-DATE\n")).toMatchObject([{ text: "1月", tags: ["B-DATE", "I-DATE"] }]);
  });

  test("a line without a tag, or with more, is named", () => {
    expect(() => read("去 O\n京\n好 O\n")).toThrow(/train\.txt line 2: expected 2 columns parted by spaces/);
    expect(() => read("去 O\n B-LOC\n")).toThrow(/train\.txt line 2/);
    expect(() => read("去\tO\n京 O\n")).toThrow(/line 2: expected 2 columns parted by tabs/);
    expect(() => read("去 VV O\n京 NR B-LOC x\n")).toThrow(/line 2: expected 3 columns/);
  });

  test("a tag that the data set does not have, and bytes that were not decoded, are named", () => {
    const tags = new Set(["O", "B-LOC"]);
    expect(() => read("去 O\n京 B-LOK\n", { tags })).toThrow(/line 2: expected a tag of O, B-LOC, got "B-LOK"/);
    expect(() => read("去 O\n\ufffd\ufffd O\n")).toThrow(/line 2: expected text in one encoding/);
  });
});

test.each([
  ["去 S\n京 B\n\n好 E\n", true],
  ["去\tVV\r\n\r\n京\tNR\r\n", true],
  ["去 O\n", false],
  ["好的\t1\n坏的\t0\n", false],
  ["text\ttags\n去京\tO B-LOC\n\n", false],
])("%j as columns of tags: %s", (text, expected) => {
  expect(looksLikeTaggedColumns(text)).toBe(expected);
});

describe("segmented text", () => {
  test("words become tags of their characters", () => {
    expect(readSegmented("今天  去  北京人  家  \n\n\u3000好 。\n", path)).toEqual([
      {
        text: "今天去北京人家",
        units: [
          [0, 1],
          [1, 2],
          [2, 3],
          [3, 4],
          [4, 5],
          [5, 6],
          [6, 7],
        ],
        tags: ["B", "E", "S", "B", "M", "E", "S"],
      },
      {
        text: "好。",
        units: [
          [0, 1],
          [1, 2],
        ],
        tags: ["S", "S"],
      },
    ]);
  });

  test("characters of two UTF-16 units are one", () => {
    expect(readSegmented("𠮷野家 好", path)[0]).toMatchObject({
      units: [
        [0, 2],
        [2, 3],
        [3, 4],
        [4, 5],
      ],
      tags: ["B", "M", "E", "S"],
    });
  });

  test("bytes that were not decoded are named", () => {
    expect(() => readSegmented("好 的\n\ufffd\n", path)).toThrow(/train\.txt line 2/);
  });
});

describe("files of one's own", () => {
  test("columns are known by their layout, segmented text by its format", async () => {
    const { examples } = await readUserExamples("ner", "data.txt", "去 VV\n京 NR\n\n好 VA\n");
    expect(examples).toMatchObject([{ text: "去京", tags: ["VV", "NR"] }, { tags: ["VA"] }]);
    const words = await readUserExamples("ner", "data.txt", "去 北京\n", { format: "words" });
    expect(words.examples).toMatchObject([{ text: "去北京", tags: ["S", "B", "E"] }]);
    const other = readUserExamples("classify", "data.txt", "去 北京\n", { format: "words" });
    await expect(other).rejects.toThrow("got sentences with spaces between words");
  });

  test("a damaged line is told, whatever the file is called", async () => {
    const text = "王 B-PER\n明 I-PER\n去\n\n北 B-LOC\n京 Q-LOC\n";
    await expect(readUserExamples("ner", "train.txt", text)).rejects.toThrow("train.txt line 3: expected 2 columns");
  });

  test("a table of texts and tags stays a table", async () => {
    const { examples } = await readUserExamples("ner", "data.tsv", "text\ttags\n去京\tO B-LOC\n");
    expect(examples).toMatchObject([{ text: "去京", tags: ["O", "B-LOC"] }]);
  });
});
