import { describe, expect, test } from "vitest";
import { VocabularyError } from "../errors.ts";
import { Vocabulary } from "./vocabulary.ts";

const lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "茶", "##杯", "\u2028"];

describe("Vocabulary", () => {
  test("splits at line feeds only and keeps U+2028 as a token", () => {
    const vocabulary = Vocabulary.fromText(lines.join("\r\n"));
    expect(vocabulary.tokens).toEqual(lines);
    expect(vocabulary.id("\u2028")).toBe(7);
    expect(vocabulary.ids).toEqual({ pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });
  });

  test("text and hash survive a round trip, and the hash tells lists apart", () => {
    const vocabulary = Vocabulary.fromTokens(lines);
    const again = Vocabulary.fromText(vocabulary.toText());
    expect(again.tokens).toEqual(lines);
    expect(again.hash()).toBe(vocabulary.hash());
    expect(Vocabulary.fromTokens([...lines, "水"]).hash()).not.toBe(vocabulary.hash());
  });

  test("the last of equal tokens has the id", () => {
    expect(Vocabulary.fromTokens([...lines, "茶"]).id("茶")).toBe(8);
  });

  test("numbers after tabs, as in ERNIE's file, are left out; a tab elsewhere belongs to the token", () => {
    const numbered = lines.map((line, id) => `${line}\t${id}`);
    expect(Vocabulary.fromText(numbered.join("\n")).tokens).toEqual(lines);
    const last = [...lines, "a\t0"];
    expect(Vocabulary.fromText(last.join("\n")).tokens).toEqual(last);
  });

  test("says which special tokens are missing, and refuses ids out of range", () => {
    expect(() => Vocabulary.fromText("[PAD]\n[UNK]\n茶\n", "a/vocab.txt")).toThrow(
      /a\/vocab\.txt: expected .*got 3 lines without \[CLS\] \[SEP\] \[MASK\]/,
    );
    expect(() => Vocabulary.fromTokens(lines).token(8)).toThrow(VocabularyError);
  });
});
