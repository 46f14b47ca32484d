/** Pipelines by name over model folders: shapes of results, offsets, bad input, and models that are not for it. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { smallModelFolder } from "../../test/small-model.ts";
import { SMALL_LENGTH, smallTaskFolder } from "../../test/small-task.ts";
import { ArgumentError, ConfigError, DataError } from "../errors.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { pipeline } from "./pipeline.ts";

const runtime = createOnnxRuntime({ threads: 1 });
const base = smallModelFolder();
const classifier = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "中", "好"] });
afterAll(async () => {
  for (const folder of [base, classifier]) folder.remove();
  await runtime.dispose();
});

describe("text-classification", () => {
  let classify: Awaited<ReturnType<typeof pipeline<"text-classification">>>;
  beforeAll(async () => {
    classify = await pipeline("text-classification", classifier.path, { runtime });
  });

  test("gives the likeliest label of a text, and with topK more, all of which sum to 1", async () => {
    const [best, ...none] = await classify("今天天气很好");
    expect(none).toEqual([]);
    const all = await classify("今天天气很好", { topK: null });
    expect(all.map(({ label }) => label).sort()).toEqual(["中", "好", "差"]);
    expect(all[0]).toEqual(best);
    expect(all.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
    expect(all.map(({ score }) => score)).toEqual(all.map(({ score }) => score).sort((a, b) => b - a));
    expect(await classify("今天天气很好", { topK: 2 })).toEqual(all.slice(0, 2));
  });

  test("gives a list for a list, each as by itself and in order; pairs as lists, or by either name of their field", async () => {
    const texts = ["我爱北京", "天气不好我在北京上大", "好"];
    const together = await classify(texts);
    for (const [i, text] of texts.entries()) {
      const [alone] = await classify(text);
      expect(together[i]?.[0]?.label).toBe(alone?.label);
      expect(together[i]?.[0]?.score).toBeCloseTo(alone?.score as number, 5);
    }
    const pair = { text: "我爱北京", textPair: "他在中国" };
    const [list, snake] = await classify([["我爱北京", "他在中国"], { text: "我爱北京", text_pair: "他在中国" }]);
    const [named] = await classify(pair);
    expect(list?.[0]?.label).toBe(named?.label);
    expect(list?.[0]?.score).toBeCloseTo(named?.score as number, 5);
    expect(snake?.[0]?.score).toBeCloseTo(named?.score as number, 5);
    expect(named?.score).not.toBeCloseTo(together[0]?.[0]?.score as number, 5);
    expect(await classify([])).toEqual([]);
  });

  test("sentiment-analysis is another name for it; a text of any length has a result", async () => {
    const sentiment = await pipeline("sentiment-analysis", classifier.path, { runtime });
    expect(await sentiment("好")).toEqual(await classify("好"));
    expect(await sentiment("好".repeat(5000))).toHaveLength(1);
    expect(await sentiment("")).toHaveLength(1);
  });

  test("reads texts longer than its rows to their end in windows, where that is wanted", async () => {
    const whole = await pipeline("text-classification", classifier.path, { runtime, longTexts: "windows" });
    const [long, other] = [`${"今天天气很好".repeat(4)}我爱北京`, `${"今天天气很好".repeat(4)}一个人在`];
    const scores = async (call: typeof classify, text: string) =>
      (await call(text, { topK: 3 })).map(({ score }) => score);
    expect(await scores(classify, long)).toEqual(await scores(classify, other));
    expect(await scores(whole, long)).not.toEqual(await scores(whole, other));
    expect((await scores(whole, long)).reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 6);
    expect(await whole("好", { topK: 3 })).toEqual(await classify("好", { topK: 3 }));
  });

  test("explains its scores", async () => {
    const { tokens, label, score } = await classify.explain("我爱北京");
    expect(tokens.map(({ text }) => text)).toEqual([..."我爱北京"]);
    const [best] = await classify("我爱北京");
    expect([label, score]).toEqual([best?.label, expect.closeTo(best?.score as number, 5)]);
    const [maps] = await classify.attention(["我爱", "北京"]);
    expect(maps?.tokens).toHaveLength(7);
  });

  test("refuses what is no text, and numbers of labels that cannot be", async () => {
    await expect(classify([1 as never])).rejects.toThrow(ArgumentError);
    await expect(classify({ words: "好" } as never)).rejects.toThrow(DataError);
    await expect(classify("好", { topK: 0 })).rejects.toThrow("topK");
  });
});

describe("zero-shot-classification", () => {
  const labels = ["entailment", "neutral", "contradiction"];
  const folder = smallTaskFolder({ task: "match", maxSeqLength: SMALL_LENGTH, labels });
  afterAll(() => folder.remove());

  test("scores by what the text entails, as Transformers: over all labels, or each against its contradiction", async () => {
    const tell = await pipeline("zero-shot-classification", folder.path, { runtime });
    const options = { hypothesisTemplate: "{}" };
    const words = ["天气", "我", "北京人"];
    const { sequence, labels: found, scores } = await tell("今天很好", words, options);
    expect(sequence).toBe("今天很好");
    expect([...found].sort()).toEqual([...words].sort());
    expect(scores.reduce((sum, score) => sum + score, 0)).toBeCloseTo(1, 6);
    expect([...scores].sort((a, b) => b - a)).toEqual(scores);
    const classify = await pipeline("text-classification", folder.path, { runtime });
    const shares = async (word: string) => {
      const all = await classify({ text: "今天很好", textPair: word }, { topK: null });
      return (name: string) => all.find(({ label }) => label === name)?.score as number;
    };
    const several = await tell("今天很好", words.join("，"), { ...options, multiLabel: true });
    for (const [i, word] of several.labels.entries()) {
      const share = await shares(word);
      expect(several.scores[i]).toBeCloseTo(share("entailment") / (share("entailment") + share("contradiction")), 5);
    }
    const lists = await tell(["今天很好", "我爱北京"], words, options);
    expect(lists[0]?.labels).toEqual(found);
    expect(lists[0]?.scores[0]).toBeCloseTo(scores[0] as number, 5);
    expect(lists[1]?.sequence).toBe("我爱北京");
    expect((await tell("好", ["人"])).scores).toEqual([1]);
  });

  test("refuses models without entailment, labels that are none, and templates without their place", async () => {
    const other = await pipeline("zero-shot-classification", classifier.path, { runtime });
    await expect(other("好", ["人"])).rejects.toThrow("with a label entailment, got the labels");
    expect((await other("好", ["人", "天"], { entailment: "好" })).labels).toHaveLength(2);
    await expect(other("好", ["人"], { entailment: "是" })).rejects.toThrow("entailment: expected one of");
    const tell = await pipeline("zero-shot-classification", folder.path, { runtime });
    for (const bad of [[], ["人", "人"], ["人", ""], " "])
      await expect(tell("好", bad)).rejects.toThrow("candidate labels");
    await expect(tell("好", ["人"], { hypothesisTemplate: "好" })).rejects.toThrow("hypothesisTemplate");
  });
});

describe("fill-mask", () => {
  test("gives Transformers' fields, a list for each of several masks, and no spaces between characters", async () => {
    const fill = await pipeline("fill-mask", base.path, { runtime });
    const one = await fill("今天天[MASK]很好", { topK: 3 });
    expect(one).toHaveLength(3);
    const [best] = one as Exclude<(typeof one)[number], readonly unknown[]>[];
    expect(best?.sequence).toBe(`今天天${best?.token_str}很好`);
    expect(best?.token).toBeTypeOf("number");
    const two = (await fill("我[MASK]北[MASK]")) as unknown[][];
    expect(two.map((list) => list.length)).toEqual([5, 5]);
    const lists = await fill(["我[MASK]", "[MASK]京"], { topK: 1, targets: ["爱", "北"] });
    expect(lists.map((list) => list.length)).toEqual([1, 1]);
    await expect(fill("没有")).rejects.toThrow(ArgumentError);
    await fill.dispose();
  });
});

describe("feature-extraction", () => {
  test("gives the vectors of tokens, shorter texts padded, or one for each text", async () => {
    const extract = await pipeline("feature-extraction", base.path, { runtime });
    const tokens = await extract(["我爱北京", "好"]);
    expect(tokens.dims).toEqual([2, 6, 12]);
    expect(tokens.data.subarray(6 * 12 + 3 * 12).every((value) => value === 0)).toBe(true);
    const list = tokens.tolist() as number[][][];
    expect(list[1]?.[2]).toEqual([...tokens.data.subarray(8 * 12, 9 * 12)]);
    const pooled = await extract("我爱北京", { pooling: "mean", normalize: true });
    expect(pooled.dims).toEqual([1, 12]);
    expect(pooled.data.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(1, 5);
    await extract.dispose();
  });
});

describe("text-similarity", () => {
  test("compares by the vectors of a model that was not fine-tuned for it", async () => {
    const compare = await pipeline("text-similarity", base.path, { runtime });
    expect((await compare("我爱北京", "我爱北京")).score).toBeCloseTo(1, 5);
    const scores = await compare([["我爱北京", "天气"], { text: "好", textPair: "好" }]);
    expect(scores).toHaveLength(2);
    expect(scores[0]?.score).toBeLessThan(0.99999);
    expect(scores[1]?.score).toBeCloseTo(1, 5);
    await expect(compare("一" as string, undefined as never)).rejects.toThrow(ArgumentError);
    const refused = await compare.explain(["好", "好"]).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ConfigError);
    expect((refused as ConfigError).message).toContain("expected a model fine-tuned for regress or embed");
    await compare.dispose();
  });
});

describe("token-classification", () => {
  const labels = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"];
  const folder = smallTaskFolder({ task: "ner", maxSeqLength: SMALL_LENGTH, labels });
  afterAll(() => folder.remove());
  const text = "今天 北京天气很好，他在上大的一个人中了。".repeat(6);

  test("gives entities with their offsets in texts longer than the model, one list for each text", async () => {
    const find = await pipeline("ner", folder.path, { runtime });
    const found = await find(text);
    expect(found.length).toBeGreaterThan(0);
    for (const { entity, text: own, start, end, score } of found) {
      expect(own).toBe(text.slice(start, end));
      expect(["LOC", "PER"]).toContain(entity);
      expect(score).toBeGreaterThan(0);
    }
    const starts = found.map(({ start }) => start);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    const lists = await find([text, "", "好"]);
    expect(lists[0]?.map(({ start }) => start)).toEqual(starts);
    expect(lists[1]).toEqual([]);
  });

  test("constrained decoding gives no tags that the scheme forbids", async () => {
    const tagger = smallTaskFolder({ task: "ner", maxSeqLength: SMALL_LENGTH, labels: ["O", "B-LOC", "I-LOC"] });
    const forbidden = async (constrained: boolean) => {
      const find = await pipeline("ner", tagger.path, { runtime, constrained });
      const units = await find("我在北京大学，他在上中", { aggregationStrategy: "none" });
      const ends = units.map(({ end }) => end);
      return units.filter(({ entity, start }) => entity === "I-LOC" && !ends.includes(start));
    };
    expect(await forbidden(false)).not.toEqual([]);
    expect(await forbidden(true)).toEqual([]);
    tagger.remove();
  });

  test("constrained decoding of what gives no tags is refused", async () => {
    const other = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "好"] });
    const attempt = pipeline("text-classification", other.path, { runtime, constrained: true });
    await expect(attempt).rejects.toThrow("constrained decoding: expected a model fine-tuned for ner, got one for cl");
    other.remove();
  });

  test("by strategy units, or words; another one is refused", async () => {
    const find = await pipeline("token-classification", folder.path, { runtime });
    const units = await find("我爱北京", { aggregationStrategy: "none" });
    for (const { entity, text: own } of units) {
      expect(labels).toContain(entity);
      expect(own).toHaveLength(1);
    }
    const words = await find("我爱北京", { aggregationStrategy: "average" });
    expect(words.map(({ text: own }) => own).join("")).toBe(units.map(({ text: own }) => own).join(""));
    await expect(find("好", { aggregationStrategy: "mean" as never })).rejects.toThrow("aggregationStrategy");
  });

  test("explains each entity", async () => {
    const find = await pipeline("ner", folder.path, { runtime });
    const entities = await find("我爱北京");
    const explained = await find.explain("我爱北京", { steps: 2 });
    expect(explained.map(({ label, span }) => [label, span?.start, span?.text])).toEqual(
      entities.map(({ entity, start, text: own }) => [entity, start, own]),
    );
    expect(await find.attention("我爱北京")).toHaveLength(1);
  });
});

describe("question-answering", () => {
  const settings = { task: "qa", maxSeqLength: SMALL_LENGTH, docStride: 5, maxQueryLength: 4 };
  const folder = smallTaskFolder(settings as never);
  afterAll(() => folder.remove());
  const context = "今天北京天气很好， 我在北京 大学的一个人家。".repeat(8);

  test("gives spans of passages longer than the model, by their offsets, spaces kept and none put in", async () => {
    const answer = await pipeline("question-answering", folder.path, { runtime });
    const best = await answer("我在", context);
    expect(Object.keys(best)).toEqual(["answer", "start", "end", "score"]);
    expect(best.answer).toBe(context.slice(best.start, best.end));
    expect(await answer({ question: "我在", context })).toEqual(best);
    const [first, second] = await answer([
      { question: "我在", context },
      { question: "天气", context: "好" },
    ]);
    expect(first?.start).toBe(best.start);
    expect(second?.answer).toBe("好");
    const three = await answer("我在", context, { topK: 3 });
    expect(three).toHaveLength(3);
    expect(three[0]).toEqual(best);
    for (const { answer: text, start, end } of three) expect(text).toBe(context.slice(start, end));
    await expect(answer("我在", undefined as never)).rejects.toThrow("context");
    expect((await answer.explain({ question: "我在", context }, { steps: 2 })).span).toMatchObject({
      text: best.answer,
      start: best.start,
    });
  });
});

describe("multiple-choice", () => {
  const folder = smallTaskFolder({ task: "choice", maxSeqLength: SMALL_LENGTH });
  afterAll(() => folder.remove());

  test("ranks the choices of a question, however many there are", async () => {
    const choose = await pipeline("multiple-choice", folder.path, { runtime });
    const input = { context: "今天天气很好", question: "天气", choices: ["好", "不好", "北京"] };
    const found = await choose(input);
    expect(found.map(({ choice, index }) => input.choices[index] === choice)).toEqual([true, true, true]);
    expect(found.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    const [first, second] = await choose([input, { question: "人", choices: ["一", "大"] }]);
    expect(first?.[0]?.choice).toBe(found[0]?.choice);
    expect(second).toHaveLength(2);
    await expect(choose({ question: "人", choices: ["一"] })).rejects.toThrow(DataError);
    expect((await choose.explain(input, { steps: 2 })).label).toBe(found[0]?.choice);
    expect(await choose.attention(input)).toHaveLength(3);
  });
});

describe("a model that gives a number", () => {
  const folder = smallTaskFolder({ task: "regress", maxSeqLength: SMALL_LENGTH });
  afterAll(() => folder.remove());

  test("compares pairs, and as text-classification gives its only label as Transformers does", async () => {
    const compare = await pipeline("sentence-similarity", folder.path, { runtime });
    const { score } = await compare("我爱北京", "天气");
    expect((await compare([["我爱北京", "天气"]]))[0]?.score).toBeCloseTo(score, 5);
    expect((await compare.explain(["我爱北京", "天气"], { steps: 2 })).score).toBeCloseTo(score, 4);
    const classify = await pipeline("text-classification", folder.path, { runtime });
    expect(await classify({ text: "我爱北京", textPair: "天气" })).toEqual([{ label: "score", score }]);
  });
});

describe("a model of several labels at once", () => {
  const folder = smallTaskFolder({ task: "multilabel", maxSeqLength: SMALL_LENGTH, labels: ["吃", "住", "行"] });
  afterAll(() => folder.remove());

  test("gives all of them, each with a probability of its own", async () => {
    const classify = await pipeline("text-classification", folder.path, { runtime });
    const labels = await classify("我爱北京");
    expect(labels.map(({ label }) => label).sort()).toEqual(["住", "吃", "行"]);
    expect(labels.reduce((sum, { score }) => sum + score, 0)).not.toBeCloseTo(1, 3);
    expect(await classify("我爱北京", { topK: 1 })).toEqual(labels.slice(0, 1));
  });
});

describe("refuses", () => {
  test("a model without the head, and says what to run", async () => {
    for (const name of ["text-classification", "token-classification", "question-answering"] as const) {
      const failure = await pipeline(name, base.path, { runtime }).catch((error) => error);
      expect(failure).toBeInstanceOf(ConfigError);
      expect(failure.hint).toMatch(new RegExp(`zhbert finetune (classify|ner|qa) --model ${base.path}`));
    }
  });

  test("a model of another task, and says what it is", async () => {
    const failure = await pipeline("token-classification", classifier.path, { runtime }).catch((error) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain("expected a model fine-tuned for ner, got one fine-tuned for classify");
  });

  test("a config.json that names a head whose weights are not there", async () => {
    const claims = { architectures: ["BertForSequenceClassification"], id2label: { 0: "差", 1: "好" } };
    const folder = smallModelFolder(undefined, claims);
    const failure = await pipeline("text-classification", folder.path, { runtime }).catch((error) => error);
    folder.remove();
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain("classifier.weight");
    expect(failure.hint).toContain("zhbert finetune classify");
  });

  test("names that are none, with the nearest one", async () => {
    const failure = await pipeline("text-clasification" as never, base.path).catch((error) => error);
    expect(failure).toBeInstanceOf(ArgumentError);
    expect(failure.hint).toContain("text-classification");
  });
});

test("a folder of Transformers' own, without task.json, works too", async () => {
  const folder = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "中", "好"] });
  rmSync(join(folder.path, "task.json"));
  const [own, other] = await Promise.all([
    pipeline("text-classification", folder.path, { runtime }),
    pipeline("text-classification", classifier.path, { runtime }),
  ]);
  expect(await own("我爱北京", { topK: 3 })).toEqual(await other("我爱北京", { topK: 3 }));
  folder.remove();
});
