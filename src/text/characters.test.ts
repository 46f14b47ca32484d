import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { CharacterKind, characterRules } from "./characters.ts";

const both = { lowercase: true, stripAccents: true };
const text = (codePoints: readonly number[]) => String.fromCodePoint(...codePoints);
const code = (character: string) => character.codePointAt(0) as number;

describe("character rules", () => {
  test("kinds of common characters", () => {
    const rules = characterRules("huggingface");
    const kinds = ["a", " ", "\u0000", "汉", "。", "𠮷", "あ", "，", "\u200b"].map((c) => rules.kind(code(c)));
    const { word, space, dropped, chinese, punctuation } = CharacterKind;
    expect(kinds).toEqual([word, space, dropped, chinese, punctuation, chinese, word, punctuation, dropped]);
  });

  test("folding lowers, decomposes and strips as asked", () => {
    const rules = characterRules("huggingface");
    expect(text(rules.fold(code("É"), both))).toBe("e");
    expect(text(rules.fold(code("É"), { lowercase: true, stripAccents: false }))).toBe("é");
    expect(text(rules.fold(code("É"), { lowercase: false, stripAccents: true }))).toBe("E");
    expect(text(rules.fold(code("가"), both))).toBe("가".normalize("NFD"));
    expect(rules.fold(0x301, both)).toEqual([]);
  });

  test("the rule sets differ at private use and the extension E gap", () => {
    const hf = characterRules("huggingface");
    const google = characterRules("google");
    expect([hf.kind(0xe000), google.kind(0xe000)]).toEqual([CharacterKind.dropped, CharacterKind.word]);
    expect([hf.kind(0x2b820), google.kind(0x2b820)]).toEqual([CharacterKind.word, CharacterKind.chinese]);
  });
});

interface Side {
  readonly lower: readonly [number, string][];
  readonly [kind: string]: readonly (readonly [number, number | string])[];
}

describeShared("reference/text/codepoints.json", "every code point against the reference table", (path) => {
  const table = JSON.parse(readFileSync(path, "utf8")) as { hf: Side; google: Side };
  test.each([
    ["huggingface", "hf"],
    ["google", "google"],
  ] as const)("%s rules", (name, key) => {
    const side = table[key];
    const expected = new Uint8Array(0x110000);
    const mark = (ranges: Side[string] | undefined, kind: number) => {
      for (const [low, high] of ranges ?? [])
        for (let c = low; c <= Number(high); c++) if (expected[c] === 0) expected[c] = kind;
    };
    mark(side["drop"], CharacterKind.dropped);
    mark(side["space"], CharacterKind.space);
    mark(side["space_by_split"], CharacterKind.space);
    mark(side["punct"], CharacterKind.punctuation);
    mark(side["cjk"], CharacterKind.chinese);
    const lower = new Map(side.lower);
    const rules = characterRules(name);
    const wrong: number[] = [];
    for (let c = 0; c < 0x110000; c++) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      const kind = rules.kind(c);
      if (kind !== expected[c]) wrong.push(c);
      if (kind === CharacterKind.dropped || kind === CharacterKind.space) continue;
      if (c >= 0xac00 && c <= 0xd7a3) continue;
      if (text(rules.fold(c, both)) !== (lower.get(c) ?? String.fromCodePoint(c))) wrong.push(c);
      if (lower.has(c) !== rules.isFolded(c, both)) wrong.push(c);
    }
    expect(wrong.map((c) => c.toString(16))).toEqual([]);
  });
});
