/** Integrated gradients add up to what they explain in every task, and find what a model was made to look at; attention sums to 1. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { smallVocabulary } from "../../../test/small-model.ts";
import { plantedWeights, SMALL_LENGTH, smallTaskFolder } from "../../../test/small-task.ts";
import { ArgumentError } from "../../errors.ts";
import { loadPretrained } from "../../node/bert-model.ts";
import { createOnnxRuntime } from "../../node/onnxruntime.ts";
import { Random } from "../../util/random.ts";
import { elementCount } from "../../util/tensor.ts";
import type { TaskSettings } from "../task.ts";
import { attentionMaps } from "./attention.ts";
import { type AnyTaskModel, type ExplainOptions, type Explanation, explain } from "./explain.ts";
import { taskModel } from "./pipeline.ts";

const runtime = createOnnxRuntime({ threads: 1 });
const folders: { remove(): void }[] = [];
type AnySettings = Omit<TaskSettings, "maxSeqLength"> & Readonly<Record<string, unknown>>;
async function modelOf(settings: AnySettings, weights?: ReturnType<typeof plantedWeights>) {
  const folder = smallTaskFolder({ maxSeqLength: SMALL_LENGTH, ...settings }, weights);
  folders.push(folder);
  return taskModel(await loadPretrained(folder.path), { runtime, name: "small" });
}
let classifier: AnyTaskModel;
beforeAll(async () => {
  classifier = await modelOf({ task: "classify", labels: ["差", "中", "好"] });
});
afterAll(async () => {
  for (const folder of folders) folder.remove();
  await runtime.dispose();
});

const GOOD = smallVocabulary.id("好") as number;
const first = async (model: AnyTaskModel, example: object, options?: ExplainOptions) =>
  (await explain(model, example, options))[0] as Explanation;
const sumOf = ({ tokens }: Explanation) => tokens.reduce((sum, { attribution }) => sum + attribution, 0);
const charactersOf = (text: string) => [...text].map((_, i) => [i, i + 1] as const);
/** The result of the example as it is predicted. */
async function resultOf(model: AnyTaskModel, example: object) {
  for await (const prediction of model.predict([example])) {
    const result: Readonly<Record<string, unknown>> = model.task.result(example, prediction);
    return { ...result, prediction } as { readonly [field: string]: unknown; readonly prediction: typeof prediction };
  }
  return expect.fail("nothing was predicted");
}

const PASSAGE = "今天天气很好，我爱北京的人，他在这大";
const tagged = (text: string) => ({ text, units: charactersOf(text) });
const TAGS = ["O", "B-LOC", "I-LOC"];

/** Without biases, so that scores hang on the texts. */
function movedWeights(): ReturnType<typeof plantedWeights> {
  const random = new Random(7);
  return (name, shape) => {
    const scale = name.endsWith("bias") ? 0 : 0.6;
    const isNorm = name.endsWith("LayerNorm.weight");
    return Float32Array.from({ length: elementCount(shape) }, () => (isNorm ? 1 : scale * random.normal()));
  };
}

describe("completeness: the attributions sum up to the score less that of the baseline", () => {
  test.each<[string, AnySettings, object, ExplainOptions?]>([
    ["a label", { task: "classify", labels: ["差", "中", "好"] }, { text: "我爱北京的天气" }],
    ["a label of a pair", { task: "match", labels: ["0", "1"] }, { text: "我爱北京", textPair: "天气很好" }],
    ["texts that are read apart", { task: "siamese", labels: ["0", "1"] }, { text: "我爱北京", textPair: "天气" }],
    ["a label by itself", { task: "multilabel", labels: ["吃", "住"] }, { text: "我爱北京" }, { label: "住" }],
    ["a number", { task: "regress" }, { text: "我爱北京", textPair: "天气" }],
    ["a cosine", embedSettings(), { text: "我爱北京", textPair: "天气很好" }],
    ["a cosine beside negatives", { ...embedSettings(), hasNegatives: true }, { text: "我爱", textPair: "天气" }],
    ["a label over windows", { task: "classify", labels: ["0", "1"], longTexts: "windows" }, { text: PASSAGE }],
    ["an entity", { task: "ner", labels: TAGS }, tagged("我在北京，他在上中")],
    ["an entity over windows", { task: "ner", labels: TAGS }, tagged(PASSAGE)],
    ["an entity of a field", { task: "ner", labels: TAGS, crf: true }, tagged("我在北京，他在上中")],
    [
      "an entity of a field, constrained, over windows",
      { task: "ner", labels: ["B-LOC", "I-LOC", "O"], crf: true, constrained: true },
      tagged(PASSAGE),
    ],
    ["an answer", { task: "qa" }, { id: "1", question: "他在", context: PASSAGE }],
    [
      "an answer that may be none",
      { task: "qa", noAnswer: true, noAnswerThreshold: -99 },
      { id: "1", question: "他", context: PASSAGE },
    ],
    ["a kind of answer", { task: "qa", answerKinds: true }, { id: "1", question: "他", context: PASSAGE }],
    [
      "a choice",
      { task: "choice", choicesPerRow: 4 },
      { context: "我爱北京", question: "他在", choices: ["上", "大人", "天"] },
    ],
    [
      "a choice of several rows",
      { task: "choice", choicesPerRow: 2 },
      { context: "我爱", question: "", choices: ["上", "大人", "天"] },
    ],
  ])("%s", async (_, settings, example, options) => {
    const model = await modelOf(settings, movedWeights());
    const found = await explain(model, example, { ...options, steps: 300 });
    expect(Math.max(...found.map(({ score, baselineScore }) => Math.abs(score - baselineScore)))).toBeGreaterThan(0.01);
    for (const one of found) {
      expect(sumOf(one)).toBeCloseTo(one.score - one.baselineScore, 2);
      expect(one.completenessError).toBeLessThan(5e-3);
      for (const { source, start, end, text } of one.tokens)
        expect(one.texts[source]?.text.slice(start, end)).toBe(text);
    }
  });

  test("more steps come nearer", async () => {
    const [coarse, fine] = await Promise.all(
      [4, 200].map((steps) => first(classifier, { text: "我爱北京的天气" }, { steps })),
    );
    expect(fine?.completenessError).toBeLessThan(1e-4);
    expect(fine?.completenessError).toBeLessThan(coarse?.completenessError as number);
  });
});

function embedSettings() {
  return {
    task: "embed",
    objective: "in-batch",
    pooling: "mean",
    temperature: 0.05,
    hasNegatives: false,
    scoreRange: [0, 1],
  };
}

describe("what is explained is what was predicted", () => {
  test("labels, and numbers", async () => {
    const siamese = await modelOf({ task: "siamese", labels: ["0", "1"] });
    for (const [model, example] of [
      [classifier, { text: "我爱北京的天气" }],
      [siamese, { text: "我爱北京", textPair: "天气很好" }],
    ] as const) {
      const { label, score } = await first(model, example);
      const { labels } = (await resultOf(model, example)) as unknown as { labels: { label: string; score: number }[] };
      expect(labels[0]).toEqual({ label, score: expect.closeTo(score, 5) });
    }
    const vectors = await modelOf(embedSettings());
    const pair = { text: "我爱北京", textPair: "天气很好" };
    expect((await resultOf(vectors, pair)).score).toBeCloseTo((await first(vectors, pair)).score, 5);
  });

  test.each([{}, { crf: true }, { crf: true, constrained: true }])(
    "entities with %j: type, place and score of each",
    async (settings) => {
      const model = await modelOf({ task: "ner", labels: TAGS, ...settings });
      for (const text of ["我在北京，他在上中", PASSAGE]) {
        const { entities } = (await resultOf(model, tagged(text))) as unknown as {
          entities: { entity: string; start: number }[];
        };
        const found = await explain(model, tagged(text), { steps: 2 });
        expect(
          found.map(({ label, span, score }) => ({
            entity: label,
            text: span?.text,
            start: span?.start,
            end: span?.end,
            score,
          })),
        ).toEqual(
          entities.map((entity) => ({
            ...entity,
            score: expect.closeTo((entity as { score?: number }).score as number, 4),
          })),
        );
        expect(found.length).toBeGreaterThan(0);
      }
    },
  );

  test("answers: start + end of the best span in its window", async () => {
    const model = await modelOf({ task: "qa" });
    const example = { id: "1", question: "他在", context: PASSAGE };
    const { prediction, answer, start } = await resultOf(model, example);
    const { label, span, score, tokens, texts } = await first(model, example);
    expect(span).toEqual({ source: 1, start, end: (start as number) + String(answer).length, text: answer });
    expect(score).toBeCloseTo(prediction.nBest[0].startLogit + prediction.nBest[0].endLogit, 4);
    expect(label).toBeUndefined();
    expect(texts.map(({ name }) => name)).toEqual(["question", "context"]);
    // The window alone has attributions, and the answer is in it.
    const read = tokens.filter((token) => token.source === 1).map((token) => token.start);
    expect(read.length).toBeLessThanOrEqual(SMALL_LENGTH - 5);
    expect(read).toContain(start);
  });

  test("no answer and kinds of answers", async () => {
    const example = { id: "1", question: "他", context: PASSAGE };
    const none = await modelOf({ task: "qa", noAnswer: true, noAnswerThreshold: -99 });
    const { prediction } = await resultOf(none, example);
    expect(prediction.answer).toBe("");
    const empty = prediction.nBest.find(({ answer }: { answer: string }) => answer === "");
    const { span, score } = await first(none, example);
    expect(span).toBeUndefined();
    if (empty !== undefined) expect(score).toBeCloseTo(empty.startLogit + empty.endLogit, 4);
    const kinds = await modelOf({ task: "qa", answerKinds: true });
    const told = await resultOf(kinds, example);
    const kind = await first(kinds, example);
    if (told.prediction.kind !== "span")
      expect([kind.label, kind.score]).toEqual([told.prediction.kind, expect.closeTo(told.score as number, 5)]);
    else expect(kind.span?.text).toBe(told.prediction.answer);
  });

  test("choices: the chosen one, or the one that is named; over all of them they cancel out", async () => {
    for (const choicesPerRow of [2, 4]) {
      const model = await modelOf({ task: "choice", choicesPerRow });
      const example = { context: "我爱北京", question: "他在", choices: ["上", "大人", "天"] };
      const { choices } = (await resultOf(model, example)) as unknown as {
        choices: { choice: string; score: number }[];
      };
      const best = await first(model, example);
      expect(choices[0]).toMatchObject({ choice: best.label, score: expect.closeTo(best.score, 5) });
      expect(best.span?.text).toBe(best.label);
      const all = await Promise.all(example.choices.map((label) => first(model, example, { label, steps: 8 })));
      expect(all.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
      best.tokens.forEach((_, i) => {
        expect(all.reduce((sum, { tokens }) => sum + (tokens[i]?.attribution as number), 0)).toBeCloseTo(0, 4);
      });
      expect(best.tokens.map(({ text }) => text).join("")).toBe("我爱北京他在上大人天");
    }
  });
});

describe("a planted signal is found: 好 alone is what the head looks for", () => {
  const strongest = ({ tokens }: Explanation) =>
    tokens.reduce((best, one) => (Math.abs(one.attribution) > Math.abs(best.attribution) ? one : best));

  test("in texts and pairs, by labels and numbers", async () => {
    const settings = [
      { task: "classify", labels: ["0", "1"] },
      { task: "multilabel", labels: ["0", "1"] },
    ];
    for (const one of settings) {
      const model = await modelOf(one, plantedWeights(GOOD, [-1, 1]));
      const explained = await first(model, { text: "我爱北京好天气" }, { label: "1" });
      expect(strongest(explained)).toMatchObject({ text: "好", start: 4, source: 0 });
      expect(strongest(explained).attribution).toBeGreaterThan(0);
    }
    const regress = await modelOf({ task: "regress" }, plantedWeights(GOOD, [-2]));
    const number = await first(regress, { text: "我爱北京", textPair: "天气好" });
    expect(strongest(number)).toMatchObject({ text: "好", start: 2, source: 1 });
    expect(strongest(number).attribution).toBeLessThan(0);
    const siamese = await modelOf({ task: "siamese", labels: ["0", "1"] }, plantedWeights(GOOD, [-1, 1]));
    expect(strongest(await first(siamese, { text: "我爱好京", textPair: "天气" }))).toMatchObject({
      text: "好",
      source: 0,
    });
  });

  test("in tags: the entity's own character", async () => {
    const model = await modelOf(
      { task: "ner", labels: ["O", "B-X", "I-X"] },
      plantedWeights(GOOD, [-1, 1, -1], [3, 0, 0]),
    );
    const text = "我爱北京好天气";
    const [entity, ...others] = await explain(model, tagged(text));
    expect(others).toEqual([]);
    expect(entity?.span).toEqual({ source: 0, start: 4, end: 5, text: "好" });
    expect(strongest(entity as Explanation)).toMatchObject({ start: 4, source: 0 });
    expect(strongest(entity as Explanation).attribution).toBeGreaterThan(0.2);
  });

  test("in answers: in the passage, and in none of the question's characters", async () => {
    const model = await modelOf({ task: "qa" }, plantedWeights(GOOD, [1, 1]));
    const answer = await first(model, { id: "1", question: "他在", context: "我爱北京的人我爱北京好天气今天" });
    expect(answer.span?.text).toBe("好");
    expect(strongest(answer)).toMatchObject({ start: 10, source: 1 });
    for (const { source, attribution } of answer.tokens) {
      if (source === 0) expect(Math.abs(attribution)).toBeLessThan(strongest(answer).attribution / 4);
    }
  });

  test("in choices: it speaks for its own, and against the others", async () => {
    const model = await modelOf({ task: "choice" }, plantedWeights(GOOD, [2]));
    const example = { context: "我爱北京", question: "", choices: ["天气", "很好", "大人"] };
    const chosen = await first(model, example);
    expect(chosen.label).toBe("很好");
    expect(strongest(chosen)).toMatchObject({ text: "好", start: 1, source: 3 });
    expect(strongest(chosen).attribution).toBeGreaterThan(0);
    const other = await first(model, example, { label: "天气" });
    expect(strongest(other)).toMatchObject({ text: "好", source: 3 });
    expect(strongest(other).attribution).toBeLessThan(0);
  });
});

test("attributions stand at the characters of both texts of a pair, cut where the row is", async () => {
  const pair = { text: "我爱 北京", textPair: "天气很好".repeat(5) };
  const { tokens } = await first(classifier, pair);
  expect(tokens.filter(({ source }) => source === 0).map(({ text }) => text)).toEqual([..."我爱北京"]);
  expect(tokens).toHaveLength(SMALL_LENGTH - 3);
});

test("over all labels the attributions cancel out", async () => {
  const all = await Promise.all(["差", "中", "好"].map((label) => first(classifier, { text: "天气不好" }, { label })));
  all[0]?.tokens.forEach((_, i) => {
    expect(all.reduce((sum, { tokens }) => sum + (tokens[i]?.attribution as number), 0)).toBeCloseTo(0, 4);
  });
});

test("another baseline is another way", async () => {
  const [mask, pad] = await Promise.all(
    (["mask", "pad"] as const).map((baseline) => first(classifier, { text: "天气不好" }, { baseline, steps: 100 })),
  );
  expect(mask?.score).toBeCloseTo(pad?.score as number, 5);
  expect(mask?.baselineScore).not.toBeCloseTo(pad?.baselineScore as number, 4);
  expect(pad?.completenessError).toBeLessThan(1e-3);
});

describe("refuses", () => {
  test.each<[AnySettings, object, ExplainOptions, string]>([
    [{ task: "classify", labels: ["0", "1"] }, { text: "好" }, { label: "极好" }, "one of 0, 1"],
    [{ task: "classify", labels: ["0", "1"] }, { text: "好" }, { steps: 1 }, "steps"],
    [{ task: "regress" }, { text: "好" }, { label: "1" }, "the score is a number"],
    [embedSettings(), { text: "好" }, {}, "a pair of texts"],
    [{ task: "qa" }, { id: "1", question: "好", context: " " }, {}, "an answer was found in"],
    [{ task: "qa" }, { id: "1", question: "好", context: "好" }, { label: "好" }, "no label"],
    [{ task: "choice" }, { context: "好", question: "", choices: ["人", "大"] }, { label: "中" }, "one of 人, 大"],
    [
      { task: "ner", labels: TAGS },
      tagged("我在北京，他在上中"),
      { label: "PER" },
      "the type of an entity that was found",
    ],
    [{ task: "regress", longTexts: "windows" }, { text: "好".repeat(4000) }, {}, "at most 4096 tokens"],
  ])("%j", async (settings, example, options, message) => {
    const failure = await explain(await modelOf(settings), example, options).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ArgumentError);
    expect((failure as Error).message).toContain(message);
  });
});

describe("attention", () => {
  test("of every layer and head: from each token shares of all tokens", async () => {
    const [{ tokens, layers }] = (await attentionMaps(classifier, { text: "我爱北京" })) as [
      Awaited<ReturnType<typeof attentionMaps>>[number],
    ];
    expect(tokens).toEqual(["[CLS]", "我", "爱", "北", "京", "[SEP]"]);
    expect(layers.map((heads) => heads.length)).toEqual([3, 3]);
    for (const head of layers.flat()) {
      for (let row = 0; row < 6; row++) {
        const sum = head.subarray(6 * row, 6 * row + 6).reduce((total, share) => total + share, 0);
        expect(sum).toBeCloseTo(1, 5);
      }
    }
    expect(layers[0]?.[0]).not.toEqual(layers[0]?.[1]);
  });

  test("over what each task reads: the window of an answer, every choice, both texts, entities or none", async () => {
    const tokensOf = async (settings: AnySettings, example: object) =>
      (await attentionMaps(await modelOf(settings), example)).map(({ tokens }) => tokens.slice(1, -1).join(""));
    const answer = await tokensOf({ task: "qa" }, { id: "1", question: "他在", context: PASSAGE });
    expect(answer).toEqual([expect.stringMatching(/^他在\[SEP\]/)]);
    const choices = { context: "我爱", question: "他", choices: ["上", "大人", "天"] };
    expect(await tokensOf({ task: "choice" }, choices)).toEqual(["我爱[SEP]他上", "我爱[SEP]他大人", "我爱[SEP]他天"]);
    expect(await tokensOf({ task: "siamese", labels: ["0", "1"] }, { text: "我爱", textPair: "天" })).toEqual([
      "我爱",
      "天",
    ]);
    expect(await tokensOf({ task: "ner", labels: TAGS }, tagged("我在北京"))).toEqual(["我在北京"]);
    expect(await tokensOf({ task: "ner", labels: TAGS }, tagged(""))).toEqual([""]);
  });
});
