import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import type { CommandContext } from "../command.ts";
import mask from "./mask.ts";

const folder = mkdtempSync(join(tmpdir(), "zhbert-mask-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SENTENCES = ["小猫在窗台上晒太阳。", "", "我们坐船去岛上看日出。", "小猫看日出。"];
const silent = { update: () => undefined, stop: () => undefined };
const characters = new Set(SENTENCES.join(""));
const vocab = join(folder, "vocab.txt");
writeFileSync(vocab, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...characters, "sea", "##side"].join("\n"));
const corpus = join(folder, "corpus.txt");
writeFileSync(corpus, `${SENTENCES.join("\n")}\n`);

interface Sample {
  readonly text: string;
  readonly words: string[];
  readonly tokens: string[];
  readonly inputIds: number[];
  readonly wordStarts: number[];
  readonly maskedLmPositions: number[];
  readonly maskedLmIds: number[];
  readonly maskedLmLabels: string[];
}

/** Runs the command as main.ts would and gives what it wrote. */
async function run(
  options: Record<string, unknown> = {},
  { files = [corpus], stdin = [] as string[], json = false } = {},
) {
  const written = { json: [] as Sample[], text: "", notes: "" };
  const defaults = Object.fromEntries(
    (mask.options ?? []).flatMap(({ flags, default: value }) => {
      const name = /--([a-z-]+)/.exec(flags)?.[1]?.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return name === undefined || value === undefined ? [] : [[name, value]];
    }),
  );
  const context: CommandContext = {
    args: { corpus: files },
    options: { ...defaults, vocab, ...options },
    isGiven: (name) => name in options,
    signal: new AbortController().signal,
    async *stdinLines() {
      yield* stdin;
    },
    output: {
      isJson: json,
      json: (value) => {
        if (json) written.json.push(value as Sample);
      },
      print: (text = "") => {
        written.text += json ? "" : `${stripVTControlCharacters(text)}\n`;
      },
      note: (text) => {
        written.notes += text;
      },
      table: () => undefined,
      progress: () => ({ ...silent, within: () => silent }),
    },
  };
  await mask.run(context);
  return written;
}

test("shows text, words and masks of each line, and what they come to", async () => {
  const { text } = await run({ seed: 1 });
  expect(text).toContain("line 1\n  text    小猫在窗台上晒太阳。\n  words   小猫 在 窗台上 晒太阳 。\n");
  expect(text).toContain("line 3\n");
  expect(text).toContain("line 4\n");
  expect(text).toMatch(/masked .*\|.*\[.→/);
  expect(text).toMatch(/3 samples, 33 tokens with \[CLS\] and \[SEP\], \d+ words\n/);
  expect(text).toMatch(/to predict: \d+ \(\d+\.\d %\): \d+ \[MASK\], \d+ replaced, \d+ kept\n/);
  expect(text).toMatch(/masked by character: 0; \[UNK\] tokens: 0/);
});

test("shows every way of masking that data knows: similar words, entities", async () => {
  const [wordVectors, entities] = [join(folder, "vectors.txt"), join(folder, "entities.txt")];
  writeFileSync(wordVectors, "小猫 1 0\n日出 1 0.1\n上 0 1\n看 0.1 1\n");
  writeFileSync(entities, "看日出\n");
  const similar = { masking: "macbert", wordVectors, ngramWeights: [1], maskTokenProb: 1, randomTokenProb: 0 };
  const { json, notes } = await run({ ...similar, maskedLmProb: 0.5 }, { json: true });
  expect(notes).toContain("finding similar words by");
  const replaced = json.flatMap(({ tokens, maskedLmPositions, maskedLmLabels }) =>
    maskedLmPositions.map((position, i) => [maskedLmLabels[i], tokens[position]].join("")),
  );
  expect(replaced.join()).not.toContain("[MASK]");
  expect(replaced).toEqual(expect.arrayContaining(["日小", "出猫", "上看"]));
  const whole = new Set<string>();
  for (let seed = 0; seed < 20; seed++) {
    const shown = await run({ masking: "entity", entities, seed, maskedLmProb: 0.5, samples: 3 }, { json: true });
    const last = shown.json.at(-1) as Sample;
    whole.add(last.maskedLmPositions.filter((position) => position >= 3 && position <= 5).join());
  }
  // 小猫看日出。: the entity has places 3 to 5.
  expect(whole).toEqual(new Set(["3,4,5", ""]));
});

test("--json: one object a line, from which the text can be restored; the counts go to stderr", async () => {
  const { json, text, notes } = await run({ seed: 2 }, { json: true });
  expect(json.map((sample) => sample.text)).toEqual(SENTENCES.filter((line) => line !== ""));
  expect(text).toBe("");
  expect(notes).toContain("3 samples");
  for (const sample of json) {
    expect(sample.words.join("")).toBe(sample.text);
    expect(sample.tokens).toHaveLength(sample.inputIds.length);
    const restored = [...sample.tokens];
    sample.maskedLmPositions.forEach((position, i) => {
      restored[position] = sample.maskedLmLabels[i] as string;
    });
    expect(restored.join("")).toBe(`[CLS]${sample.text}[SEP]`);
    const masked = new Set(sample.maskedLmPositions);
    sample.wordStarts.forEach((start, i) => {
      if (start === 0) expect(masked.has(i)).toBe(masked.has(i - 1));
    });
  }
});

test("the same seed shows the same samples, another one others", async () => {
  const show = async (seed: number) => (await run({ seed, samples: 2 }, { json: true })).json;
  expect(await show(5)).toEqual(await show(5));
  const shown = await Promise.all([1, 2, 3, 4, 5, 6].map(show));
  expect(new Set(shown.map((samples) => JSON.stringify(samples))).size).toBeGreaterThan(3);
  expect(shown.every((samples) => samples.length === 2)).toBe(true);
});

test("reads standard input when no file is given; spaces can be the words", async () => {
  const stdin = ["我们 坐船 去 seaside"];
  const { json } = await run({ segmenter: "spaces", maskedLmProb: 0.4 }, { files: [], stdin, json: true });
  expect(json[0]?.text).toBe("我们坐船去seaside");
  expect(json[0]?.words).toEqual(["我们", "坐船", "去", "seaside"]);
  expect(json[0]?.wordStarts).toEqual([1, 1, 0, 1, 0, 1, 1, 0, 1]);
});

test("--compare shows a line masked by character and by whole word, with [MASK] alone", async () => {
  const { text } = await run({ compare: true, seed: 3, samples: 1, maskedLmProb: 0.3 });
  const [, , byCharacter, byWord] = text.split("\n") as string[];
  expect(text).toMatch(/^text {16}/);
  expect(byCharacter).toMatch(/^character masking {3}.*\[MASK\]/);
  expect(byWord).toMatch(/^whole word masking {2}.*\[MASK\]/);
});

test("--references writes the reference file of every line", async () => {
  const stdin = ["我们 坐船 去", "", "小猫 在", "日出"];
  const expected = [[2, 4], [2], [2]];
  const { text } = await run({ references: true, segmenter: "spaces", samples: 1 }, { files: [], stdin });
  expect(
    text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual(expected);
  const { json } = await run({ references: true, segmenter: "spaces" }, { files: [], stdin, json: true });
  expect(json).toEqual(expected);
});

test("long lines are cut before a word", async () => {
  const stdin = ["我们 坐船 去 岛上 看 日出"];
  const { json } = await run({ segmenter: "spaces", maxSeqLength: 8 }, { files: [], stdin, json: true });
  expect(json[0]?.inputIds).toHaveLength(7);
});

describe("is refused:", () => {
  test("a corpus that is not there, or blank", async () => {
    await expect(run({}, { files: [join(folder, "nothing.txt")] })).rejects.toThrow(/nothing\.txt/);
    await expect(run({}, { files: [], stdin: ["", " "] })).rejects.toThrow(/standard input: expected text/);
  });
  test("an unknown segmenter, a long sequence", async () => {
    await expect(run({ segmenter: "jeba" })).rejects.toThrow(/one of jieba, intl, spaces, none/);
    await expect(run({ maxSeqLength: 1024 })).rejects.toThrow(/at most 512/);
  });
  test.each([
    ["--samples", "0"],
    ["--seed", "-1"],
    ["--seed", "1.5"],
    ["--masked-lm-prob", "2"],
    ["--masked-lm-prob", "much"],
  ])("%s %s", (name, value) => {
    const option = mask.options?.find(({ flags }) => flags.includes(name));
    expect(() => option?.parse?.(value)).toThrow(/expected/);
  });
});
