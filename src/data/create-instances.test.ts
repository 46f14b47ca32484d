import { beforeAll, describe, expect, test } from "vitest";
import { endsOfWords, type Segmenter } from "../text/segmenter.ts";
import noSegmenter from "../text/segmenters/none.ts";
import preSegmented from "../text/segmenters/pre-segmented.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import type { Document } from "./corpus.ts";
import { type CreateInstancesOptions, createPretrainingInstances, type InstanceStats } from "./create-instances.ts";
import { originalIds, type PretrainingInstance } from "./instance.ts";

const CHARACTERS = [..."山水风雨云雪花木春夏秋冬东西南北天地人日月星早晚茶酒书画琴歌，。"];
const vocabulary = Vocabulary.fromTokens([
  ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  ...CHARACTERS,
  ...["read", "##ing", "##s", "book"],
]);
const tokenizer = new BertTokenizer(vocabulary);
const { cls, sep } = vocabulary.ids;

/** Documents of words of one to three characters, written with spaces between them. */
function spacedDocuments(count: number, seed = 1): Document[] {
  let state = seed;
  const below = (limit: number) => {
    state = (state * 48271) % 0x7fffffff;
    return state % limit;
  };
  const word = () => Array.from({ length: 1 + below(3) }, () => CHARACTERS[below(CHARACTERS.length - 2)]).join("");
  const sentence = () => `${Array.from({ length: 2 + below(12) }, word).join(" ")} 。`;
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(12) }, sentence));
}

async function create(documents: Iterable<Document>, options: Partial<CreateInstancesOptions> = {}) {
  let stats: InstanceStats | undefined;
  const instances: PretrainingInstance[] = [];
  const all = createPretrainingInstances(documents, {
    tokenizer,
    segmenter: preSegmented(),
    masking: "whole-word",
    maxSeqLength: 32,
    dupeFactor: 2,
    onStats: (counts) => {
      stats = counts;
    },
    ...options,
  });
  for await (const instance of all) instances.push(instance);
  return { instances, stats: stats as InstanceStats };
}

/** The text of each segment, from the unmasked ids. */
function segments(instance: PretrainingInstance): string[] {
  const tokens = [...originalIds(instance)].map((id) => vocabulary.token(id));
  return tokens.join("").replace("[CLS]", "").split("[SEP]").slice(0, -1);
}

/** The corpus as one string without spaces. */
const plainText = (documents: readonly Document[]) =>
  documents.map((document) => document.join("").replaceAll(" ", "")).join("|");

describe("pairs", () => {
  const documents = spacedDocuments(40);
  let instances: PretrainingInstance[];
  let stats: InstanceStats;
  beforeAll(async () => {
    ({ instances, stats } = await create(documents));
  });

  test("are [CLS] A [SEP] B [SEP] within the length, with their segments", () => {
    for (const { inputIds, tokenTypeIds } of instances) {
      expect(inputIds.length).toBeLessThanOrEqual(32);
      expect(inputIds[0]).toBe(cls);
      expect(inputIds.at(-1)).toBe(sep);
      const firstSep = inputIds.indexOf(sep);
      expect(inputIds.filter((id) => id === sep)).toHaveLength(2);
      expect([...tokenTypeIds]).toEqual([...inputIds.keys()].map((position) => (position > firstSep ? 1 : 0)));
    }
  });

  test("hold text of the corpus: B follows A, or comes from another document", () => {
    const texts = plainText(documents).split("|");
    for (const instance of instances) {
      const [a, b] = segments(instance) as [string, string];
      expect(a.length * b.length).toBeGreaterThan(0);
      expect(texts.some((text) => text.includes(a))).toBe(true);
      expect(texts.some((text) => text.includes(b))).toBe(true);
      const areTogether = texts.some((text) => text.includes(a) && text.includes(b));
      if (instance.nextSentenceLabel === 0) expect(areTogether).toBe(true);
      else if (a.length > 6 && b.length > 6) expect(areTogether, `${a} / ${b}`).toBe(false);
    }
  });

  test("have both labels, and mask words whole within the budget", () => {
    const random = instances.filter((instance) => instance.nextSentenceLabel === 1).length;
    expect(random / instances.length).toBeGreaterThan(0.4);
    expect(random / instances.length).toBeLessThan(0.8);
    expect(stats.randomNext).toBe(random);
    for (const { inputIds, wordStarts, maskedLmPositions } of instances) {
      expect(maskedLmPositions.length).toBeLessThanOrEqual(Math.max(1, Math.round(inputIds.length * 0.15)));
      const masked = new Set(maskedLmPositions);
      wordStarts.forEach((isStart, position) => {
        if (isStart === 0) expect(masked.has(position)).toBe(masked.has(position - 1));
      });
    }
  });

  test("count what was read and made", () => {
    const words = documents.flat().flatMap((sentence) => sentence.split(" ")).length;
    expect(stats).toMatchObject({
      documents: 40,
      sentences: documents.flat().length,
      words,
      tokens: plainText(documents).replaceAll("|", "").length,
      unknownTokens: 0,
      unalignedSentences: 0,
      instances: instances.length,
      maskedTokens: instances.reduce((sum, instance) => sum + instance.maskedLmIds.length, 0),
      instanceTokens: instances.reduce((sum, instance) => sum + instance.inputIds.length, 0),
    });
  });
});

describe("sentence order", () => {
  const documents = spacedDocuments(40);

  test("B follows A, or they are swapped with label 1, in half of the cases each", async () => {
    const { instances, stats } = await create(documents, { swapSegments: true, dupeFactor: 20 });
    const texts = plainText(documents).split("|");
    for (const instance of instances) {
      const [a, b] = segments(instance) as [string, string];
      expect(a.length * b.length).toBeGreaterThan(0);
      const inOrder = instance.nextSentenceLabel === 0 ? [a, b] : [b, a];
      // Truncation may cut where the two meet; what is left stands in this order in one document.
      expect(texts.some((text) => text.indexOf(inOrder[1] as string, text.indexOf(inOrder[0] as string)) >= 0)).toBe(
        true,
      );
      expect(texts.some((text) => text.includes(a) && text.includes(b))).toBe(true);
    }
    const swapped = instances.filter((instance) => instance.nextSentenceLabel === 1).length;
    expect(instances.length).toBeGreaterThan(2000);
    // Three standard errors of 2,000 draws.
    expect(Math.abs(swapped / instances.length - 0.5)).toBeLessThan(0.034);
    expect(stats.randomNext).toBe(swapped);
  });

  test("where nothing is cut, the two make up the text exactly", async () => {
    const document = ["春天。", "东风。", "夏天。", "南山。"];
    const { instances } = await create([document], { swapSegments: true, dupeFactor: 20, shortSeqProb: 0 });
    const seen = new Set<number>();
    for (const instance of instances) {
      const [a, b] = segments(instance) as [string, string];
      expect(instance.nextSentenceLabel === 0 ? a + b : b + a).toBe(document.join(""));
      seen.add(instance.nextSentenceLabel);
    }
    expect(seen).toEqual(new Set([0, 1]));
  });
});

describe("full sentences across documents", () => {
  const documents = spacedDocuments(30);
  const options = { nextSentence: false, crossDocuments: true, dupeFactor: 1 };

  test("go on over the ends of documents with one [SEP] there, and hold all text once", async () => {
    const { instances } = await create(documents, { ...options, maxSeqLength: 64 });
    const ends = new Set(documents.map((document) => document.at(-1)?.replaceAll(" ", "") as string));
    let crossing = 0;
    for (const { inputIds, wordStarts, maskedLmPositions } of instances) {
      expect(inputIds.length).toBeLessThanOrEqual(64);
      expect(inputIds.at(-1)).toBe(sep);
      inputIds.forEach((id, i) => {
        if (id !== sep) return;
        expect(inputIds[i - 1]).not.toBe(sep);
        expect(inputIds[i - 1]).not.toBe(cls);
        expect(wordStarts[i]).toBe(1);
        expect(maskedLmPositions).not.toContain(i);
      });
      if (inputIds.indexOf(sep) < inputIds.length - 1) crossing += 1;
    }
    expect(crossing).toBeGreaterThan(5);
    const parts = instances.flatMap(segments);
    expect(parts.join("").length).toBe(plainText(documents).replaceAll("|", "").length);
    // Each [SEP] inside an example stands where a document ends.
    for (const instance of instances) {
      for (const part of segments(instance).slice(0, -1)) {
        expect([...ends].some((end) => part.endsWith(end) || end.endsWith(part))).toBe(true);
      }
    }
  });

  test("fill sequences better than documents one by one", async () => {
    const lengths = async (crossDocuments: boolean) =>
      (await create(documents, { ...options, crossDocuments, maxSeqLength: 64, shortSeqProb: 0 })).instances.length;
    expect(await lengths(true)).toBeLessThan(await lengths(false));
  });

  test("a sentence as long as a sequence leaves its [SEP] to the example", async () => {
    const long = `${"山水".repeat(3)}`;
    const { instances } = await create([[long], [long]], { ...options, maxSeqLength: 8, shortSeqProb: 0 });
    expect(instances.map(segments)).toEqual([[long], [long]]);
  });
});

test("word boundaries stay right at truncation: each segment begins a word, the others are the segmenter's", async () => {
  const documents = [["春天 东风 夏 南山 秋日 西北 冬雪"], ["早茶 晚酒 人 水画 日月星 木花 琴"]];
  const texts = documents.flat().map((sentence) => sentence.replaceAll(" ", ""));
  const starts = documents.flat().map((sentence) => {
    const words = sentence.split(" ");
    return new Set(words.map((_, i) => words.slice(0, i).join("").length));
  });
  const { instances } = await create(documents, { maxSeqLength: 12, dupeFactor: 20 });
  let headsCut = 0;
  for (const instance of instances) {
    let position = 1;
    for (const segment of segments(instance)) {
      const document = texts.findIndex((text) => text.includes(segment));
      const from = (texts[document] as string).indexOf(segment);
      if (!starts[document]?.has(from)) headsCut += 1;
      [...segment].forEach((_, i) => {
        const isStart = i === 0 || starts[document]?.has(from + i);
        if (segment.length > 2) expect(instance.wordStarts[position + i], `${segment}[${i}]`).toBe(isStart ? 1 : 0);
      });
      position += segment.length + 1;
    }
  }
  expect(headsCut).toBeGreaterThan(3);
});

describe("full sentences without pairs", () => {
  const documents = spacedDocuments(30, 5);

  test("keep every sentence whole, once a pass, in one segment", async () => {
    const { instances } = await create(documents, { nextSentence: false, dupeFactor: 1, shortSeqProb: 0 });
    for (const instance of instances) {
      expect(instance.tokenTypeIds.every((type) => type === 0)).toBe(true);
      expect(instance.nextSentenceLabel).toBe(0);
      expect(instance.inputIds.length).toBeLessThanOrEqual(32);
    }
    const sorted = (texts: string[]) => texts.flatMap((text) => text.split(/(?<=。)/)).sort();
    const made = sorted(instances.flatMap(segments)).join("");
    expect([...made].sort().join("")).toBe([...plainText(documents).replaceAll("|", "")].sort().join(""));
  });

  test("a sentence longer than a sequence is cut between words, nothing is lost", async () => {
    const sentence = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? "春天" : "山水画")).join(" ");
    const { instances } = await create([[sentence]], { nextSentence: false, dupeFactor: 1, shortSeqProb: 0 });
    const parts = instances.flatMap(segments);
    expect(parts.every((part) => /^(春天|山水画)+$/.test(part))).toBe(true);
    expect(parts.join("")).toHaveLength(100);
    expect(Math.max(...parts.map((part) => part.length))).toBeGreaterThan(27);
  });
});

describe("the same seed gives the same examples", () => {
  const documents = spacedDocuments(25, 9);
  test("another one gives others", async () => {
    const first = await create(documents, { randomSeed: 3 });
    expect(await create(documents, { randomSeed: 3 })).toEqual(first);
    expect((await create(documents, { randomSeed: 4 })).instances).not.toEqual(first.instances);
  });

  test("however the documents arrive", async () => {
    async function* slowly() {
      for (const document of documents) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield document;
      }
    }
    const all: PretrainingInstance[] = [];
    const options = {
      tokenizer,
      segmenter: preSegmented(),
      masking: "whole-word",
      maxSeqLength: 32,
      dupeFactor: 2,
    } as const;
    for await (const instance of createPretrainingInstances(slowly(), options)) all.push(instance);
    expect(all).toEqual((await create(documents)).instances);
  });
});

test("small blocks stream: examples come before the corpus is read to its end, and each pass is there", async () => {
  let read = 0;
  function* counted() {
    for (const document of spacedDocuments(400, 2)) {
      read += 1;
      yield document;
    }
  }
  const options = {
    tokenizer,
    segmenter: preSegmented(),
    masking: "whole-word",
    maxSeqLength: 32,
    dupeFactor: 1,
    blockTokens: 2000,
  } as const;
  const instances = createPretrainingInstances(counted(), options);
  await instances.next();
  expect(read).toBeLessThan(400);
  let count = 1;
  for await (const _ of instances) count += 1;
  expect(read).toBe(400);
  expect(count).toBeGreaterThan(800);
});

test("passes are masked differently", async () => {
  const { instances } = await create([["山 水 风 雨 云 雪 花 木"], ["春 夏 秋 冬 东 西 南 北"]], {
    dupeFactor: 8,
    maxSeqLength: 64,
    shortSeqProb: 0,
  });
  const masked = new Set(instances.map((instance) => [...instance.maskedLmPositions].join()));
  expect(masked.size).toBeGreaterThan(3);
});

describe("one document", () => {
  test("of many sentences: random next sentences come from elsewhere in it, without overlap", async () => {
    const document = Array.from({ length: 15 }, (_, i) => `${CHARACTERS[2 * i]}${CHARACTERS[2 * i + 1]}。`);
    const { instances } = await create([document], { maxSeqLength: 15, dupeFactor: 10, shortSeqProb: 0 });
    const text = document.join("");
    expect(instances.some((instance) => instance.nextSentenceLabel === 1)).toBe(true);
    for (const instance of instances) {
      const [a, b] = segments(instance) as [string, string];
      const isNext = text.includes(a + b);
      expect([...a].some((character) => character !== "。" && b.includes(character))).toBe(false);
      expect(isNext).toBe(instance.nextSentenceLabel === 0);
    }
  });

  test("of one sentence: it is its own pair, cut between words", async () => {
    const { instances } = await create([["春天 东风 夏天 南风"]], { dupeFactor: 1 });
    expect(instances.map(segments)).toEqual([["春天东风", "夏天南风"]]);
    expect(instances[0]?.nextSentenceLabel).toBe(0);
  });
});

test("Latin words are whole words of WordPiece, unknown characters are counted, bad words are masked by character", async () => {
  const cut = (text: string) => text.replace("春天", "春").split(/(?=[ \n天])/);
  const spoiled: Segmenter = {
    name: "spoiled",
    segment: (text) => {
      const lines = text.split("\n");
      const wordEnds = Int32Array.from(text, (_, i) => i + 1);
      return {
        text,
        wordEnds,
        unalignedLines: lines.filter((line) => endsOfWords(line, cut(line)) === undefined).length,
      };
    },
  };
  const { instances, stats } = await create([["reading books 云", "春天 龘"]], {
    segmenter: spoiled,
    nextSentence: false,
    dupeFactor: 1,
  });
  expect(stats).toMatchObject({ unknownTokens: 1, unalignedSentences: 1, sentences: 2 });
  const starts = instances.map((instance) => [...instance.wordStarts].join(""));
  expect(starts).toContain("110101111".padEnd(starts[0]?.length ?? 0, "1"));
});

test("line breaks inside a sentence are white space", async () => {
  const { instances } = await create([["春\n天", "东风"]], {
    segmenter: noSegmenter(),
    nextSentence: false,
    dupeFactor: 1,
    shortSeqProb: 0,
  });
  expect(instances.map(segments)).toEqual([["春天东风"]]);
});

describe("is refused:", () => {
  test.each([
    [{ maxSeqLength: 5 }, /maxSeqLength: expected an integer of at least 8/],
    [{ dupeFactor: 0 }, /dupeFactor/],
    [{ dupeFactor: 1e9 }, /dupeFactor: expected an integer from 1 to 1000/],
    [{ shortSeqProb: 2 }, /shortSeqProb/],
    [{ randomSeed: -1 }, /randomSeed/],
    [{ maskedLmProb: -0.1 }, /maskedLmProb/],
    [{ googleCompatible: true, nextSentence: false }, /googleCompatible: expected nextSentence/],
    [{ googleCompatible: true, masking: "span" }, /masking char or whole-word/],
    [{ nextSentence: false, swapSegments: true }, /swapSegments: expected pairs/],
    [{ crossDocuments: true }, /crossDocuments: expected no pairs/],
    [{ googleCompatible: true, swapSegments: true }, /no swapSegments/],
    [{ googleCompatible: true, masking: "whole-word:0.5,char:0.5" }, /masking char or whole-word/],
    [{ googleCompatible: true, maskTokenProb: 0.7 }, /maskTokenProb 0.8/],
  ] as const)("%j", async (options, message) => {
    await expect(create([["春天。"]], options)).rejects.toThrow(message);
  });
  test.each([true, false])("a corpus without tokens (compatible: %s)", async (googleCompatible) => {
    await expect(create([["  "], []], { googleCompatible })).rejects.toThrow(/at least one token/);
  });
});
