/** Tagging: labels on pieces, windows, decoding with what the tokenizer drops, evaluation; and its graph with a CRF. */
import { afterAll, describe, expect, test } from "vitest";
import { lazyTensors } from "../checkpoint/format.ts";
import { builtinConfig } from "../model/config.ts";
import { gradientName } from "../model/pretraining.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { Random } from "../util/random.ts";
import type { TaggedExample } from "./examples.ts";
import type { Tagging } from "./ner/ner-decode.ts";
import type { TaggingSettings } from "./ner/ner-settings.ts";
import { characterUnits, joinUnits } from "./ner/text-units.ts";
import { ner } from "./ner.ts";
import type { AnyTask, RowScores, TaskRow } from "./task.ts";
import { taskBatch } from "./task-batch.ts";
import { initializeTask, taskLossGraph } from "./task-graph.ts";
import { TaskModel } from "./task-model.ts";

const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ..."我去宁波看小雨和大海了ab", "##b", "new", "##er", "hai", ""].join(
    "\n",
  ),
);
const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const tagged = (text: string, tags: string): TaggedExample => ({
  text,
  units: characterUnits(text),
  tags: tags.split(" "),
});
const train = [tagged("我去宁波", "O O B-LOC I-LOC"), tagged("小雨看大海了", "B-PER I-PER O B-LOC I-LOC O")];
const taskOf = (choices: Partial<TaggingSettings> = {}) =>
  ner.create(ner.settle(train, { maxSeqLength: 16, ...choices }));
const labelsOf = (row: TaskRow | undefined) => Array.from(row?.labels?.["labels"] ?? []);

/** Scores with 5 for the wanted label of each token, by the order of a task's labels. */
function scored(
  task: AnyTask,
  rows: readonly TaskRow[],
  tags: readonly (readonly (string | undefined)[])[],
): RowScores[] {
  const labels = task.settings.labels ?? [];
  return rows.map(({ sequences }, at) => {
    const logits = new Float32Array((sequences[0]?.ids.length ?? 0) * labels.length);
    tags[at]?.forEach((tag, token) => {
      if (tag !== undefined) logits[token * labels.length + labels.indexOf(tag)] = 5;
    });
    return { logits };
  });
}

function expectNear(actual: readonly number[], expected: readonly number[], digits: number): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, digits);
}

describe("settings follow from the data", () => {
  test("labels, scheme and units", () => {
    expect(ner.settle(train, {})).toEqual({
      task: "ner",
      maxSeqLength: 128,
      labels: ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"],
      scheme: "IOB2",
      units: "characters",
    });
  });

  test("entity types stand for their tags, also those that training lacks", () => {
    expect(ner.settle(train, { labels: ["PER", "ORG"] }).labels).toEqual(["O", "B-PER", "I-PER", "B-ORG", "I-ORG"]);
    const ends = [tagged("我去宁波", "O O B-LOC E-LOC"), tagged("看", "S-LOC")];
    expect(ner.settle(ends, {}).labels).toEqual(["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]);
  });

  test("IOB1 is learned as IOB2; BIO may be learned as BIOES", () => {
    const iob1 = [tagged("宁波大海去", "I-LOC I-LOC B-LOC I-LOC O")];
    const settings = ner.settle(iob1, { maxSeqLength: 16 });
    expect(settings).toMatchObject({ scheme: "IOB2", dataScheme: "IOB1", labels: ["O", "B-LOC", "I-LOC"] });
    const [row] = ner.create(settings).encode(iob1[0] as TaggedExample, tokenizer).rows;
    expect(labelsOf(row)).toEqual([-100, 1, 2, 1, 2, 0, -100]);
    const ends = ner.create(ner.settle(train, { scheme: "IOBES", maxSeqLength: 16 }));
    expect(ends.settings.labels?.slice(0, 5)).toEqual(["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]);
    expect(labelsOf(ends.encode(train[0] as TaggedExample, tokenizer).rows[0])).toEqual([-100, 0, 0, 1, 3, -100]);
  });

  test("segmentation and parts of speech", () => {
    expect(ner.settle([tagged("我去宁波", "S S B E")], {})).toMatchObject({
      scheme: "words",
      labels: ["B", "M", "E", "S"],
    });
    const words = { ...joinUnits(["我", "去", "宁波"]), tags: ["PRON", "VERB", "PROPN"] };
    expect(ner.settle([words], {})).toMatchObject({
      scheme: "plain",
      units: "words",
      labels: ["PRON", "PROPN", "VERB"],
    });
  });

  test("examples without tags teach nothing", () => {
    expect(() => ner.settle([{ text: "去", units: [[0, 1]] }], {})).toThrow(/at least two kinds, got no tags/);
    expect(() => ner.settle([tagged("去", "O")], {})).toThrow(/only "O"/);
  });

  test("settings that cannot be are refused, those of other programs completed", () => {
    const bad = { task: "ner", maxSeqLength: 16, labels: ["O", "B-X"] };
    expect(() => ner.create({ ...bad, scheme: "BIO" as never })).toThrow(/ner: scheme: expected one of IOB2/);
    expect(() => ner.create({ task: "ner", maxSeqLength: 16 })).toThrow(/ner: labels/);
    expect(ner.create({ ...bad, labels: ["LABEL_0", "LABEL_1"] }).settings).toMatchObject({ scheme: "plain" });
    expect(ner.create({ ...bad, labels: ["O", "B-X", "I-X"] }).settings).toMatchObject({
      scheme: "IOB2",
      units: "runs",
    });
  });
});

describe("labels stand on the first piece of each unit", () => {
  test("spaces, control and zero-width characters and emoji shift nothing", () => {
    const text = "去 \u200b宁\u0007😀波";
    const example = tagged(text, "O O O B-LOC I-LOC I-LOC I-LOC");
    const [row] = taskOf().encode(example, tokenizer).rows;
    const ids = [...(row?.sequences[0]?.ids ?? [])];
    expect(tokenizer.vocabulary.tokensOf(Int32Array.from(ids))).toEqual(["[CLS]", "去", "宁", "[UNK]", "波", "[SEP]"]);
    expect(labelsOf(row)).toEqual([-100, 0, 1, 2, 2, -100]);
  });

  test("of a word with two pieces the second has none; letters that are units stay apart", () => {
    const word = { ...joinUnits(["去", "newer"]), tags: ["O", "B-LOC"] };
    expect(labelsOf(taskOf().encode(word, tokenizer).rows[0])).toEqual([-100, 0, 1, -100, -100]);
    const letters = tagged("ab", "B-LOC I-LOC");
    const [row] = taskOf().encode(letters, tokenizer).rows;
    expect(tokenizer.vocabulary.tokensOf(row?.sequences[0]?.ids as Int32Array)).toEqual(["[CLS]", "a", "b", "[SEP]"]);
  });

  test("a tag that training did not have, and too few tags, are named", () => {
    expect(() => taskOf().encode(tagged("去", "B-GPE"), tokenizer)).toThrow(/expected one of O, B-LOC/);
    expect(() => taskOf().encode(tagged("去看", "O"), tokenizer)).toThrow(
      /example "去看": tags: expected 2, one for each unit, got 1/,
    );
  });
});

describe("windows over long texts", () => {
  const text = "我去宁波看大海了我去宁波看小雨了";
  const tags = "O O B-LOC I-LOC O B-LOC I-LOC O O O B-LOC I-LOC O B-PER I-PER O";
  const example = tagged(text, tags);
  const task = taskOf({ maxSeqLength: 10, windowOverlap: 4 });
  const encoded = task.encode(example, tokenizer);

  test("each label stands in one window", () => {
    expect(encoded.rows.length).toBeGreaterThan(2);
    const ids = encoded.rows.flatMap(labelsOf).filter((id) => id !== -100);
    expect(ids.map((id) => task.settings.labels?.[id])).toEqual(tags.split(" "));
  });

  test("an entity across a border is one entity, decided where it stands deepest", () => {
    // Each window knows its own units; what it would say of the others is wrong on purpose.
    const names = encoded.rows.map((row) =>
      labelsOf(row).map((id) => (id === -100 ? "B-PER" : (task.settings.labels?.[id] as string))),
    );
    const { tags: found, entities } = task.decode(example, encoded, scored(task, encoded.rows, names));
    expect(found.join(" ")).toBe(tags);
    expect(entities.map(({ entity, text: surface, start, end }) => [entity, surface, start, end])).toEqual([
      ["LOC", "宁波", 2, 4],
      ["LOC", "大海", 5, 7],
      ["LOC", "宁波", 10, 12],
      ["PER", "小雨", 13, 15],
    ]);
    expect(
      task.evaluate([example], [{ ...task.decode(example, encoded, scored(task, encoded.rows, names)) }]).metrics,
    ).toMatchObject({ f1: 1, strictF1: 1, accuracy: 1 });
  });
});

describe("decoding", () => {
  const decode = (task: AnyTask, text: string, tags: readonly (string | undefined)[], units = characterUnits(text)) => {
    const example = { text, units };
    const encoded = task.encode(example, tokenizer);
    return task.decode(example, encoded, scored(task, encoded.rows, [[undefined, ...tags]])) as ReturnType<
      ReturnType<typeof taskOf>["decode"]
    >;
  };

  test("what the tokenizer drops belongs to the entity around it, and to none at its ends", () => {
    const { entities, tags } = decode(taskOf(), "去 宁\u200b波 了", ["O", "B-LOC", "I-LOC", "O"]);
    expect(tags).toEqual(["O", "O", "B-LOC", "I-LOC", "I-LOC", "O", "O"]);
    expect(entities).toMatchObject([{ entity: "LOC", text: "宁\u200b波", start: 2, end: 5 }]);
    // e^5 against four labels with e^0.
    expect(entities[0]?.score).toBeCloseTo(Math.exp(5) / (Math.exp(5) + 4), 6);
  });

  test("offsets are UTF-16 units", () => {
    const { entities } = decode(taskOf(), "😀宁波", ["O", "B-LOC", "I-LOC"]);
    expect(entities).toMatchObject([{ text: "宁波", start: 2, end: 4 }]);
  });

  test("a sequence that no scheme allows is repaired, or with constraints does not come out", () => {
    const illegal = ["O", "I-LOC", "I-PER"];
    expect(decode(taskOf(), "去宁波", illegal).entities.map(({ entity }) => entity)).toEqual(["LOC", "PER"]);
    const { tags } = decode(taskOf({ constrained: true }), "去宁波", illegal);
    expect(tags[2] === "I-PER" ? tags[1] : "B-PER").toBe("B-PER");
    expect(tags[1]).not.toBe("I-LOC");
  });

  test("plain text is cut as the training data was", () => {
    const words = [{ ...joinUnits(["去", "newer", "大海"]), tags: ["O", "B-LOC", "O"] }, ...train];
    const task = ner.create(ner.settle(words, { maxSeqLength: 16, units: "runs" }));
    const { units, entities } = decode(task, "看 newer海", ["O", "B-LOC", undefined, "I-LOC"]);
    expect(units).toEqual([
      [0, 1],
      [2, 7],
      [7, 8],
    ]);
    expect(entities).toMatchObject([{ text: "newer海", start: 2, end: 8 }]);
    expect(decode(task, "看 a", ["O"], [[0, 1]]).units).toEqual([[0, 1]]);
  });

  test("words, and parts of speech with their units", () => {
    const segment = ner.create(ner.settle([tagged("我去宁波", "S S B E")], { maxSeqLength: 16 }));
    const found = decode(segment, "去 宁波", ["S", "B", "E"]);
    expect(segment.result({ text: "去 宁波", units: [] }, found)).toMatchObject({
      words: ["去", "宁波"],
      entities: [
        { entity: "word", start: 0 },
        { entity: "word", text: "宁波", start: 2, end: 4 },
      ],
    });
    const speech = ner.create(
      ner.settle([{ ...joinUnits(["去", "宁波"]), tags: ["VERB", "PROPN"] }], { maxSeqLength: 16 }),
    );
    const { entities } = decode(
      speech,
      "去宁波",
      ["VERB", "PROPN"],
      [
        [0, 1],
        [1, 3],
      ],
    );
    expect(entities).toMatchObject([
      { entity: "VERB", text: "去" },
      { entity: "PROPN", text: "宁波" },
    ]);
  });

  test("an empty text has nothing", () => {
    expect(decode(taskOf(), "", [])).toEqual({ units: [], tags: [], scores: [], entities: [] });
    expect(decode(taskOf({ constrained: true }), " ", []).tags).toEqual(["O"]);
  });
});

describe("evaluation", () => {
  const prediction = (tags: string) => ({
    units: [],
    tags: tags.split(" "),
    scores: tags.split(" ").map(() => 0.5),
    entities: [],
  });

  test("entities lenient and strict, by type, with what went wrong", () => {
    const { metrics, tables, errors } = taskOf().evaluate(train, [
      prediction("O O I-LOC I-LOC"),
      prediction("B-PER I-PER O B-PER I-PER O"),
    ]);
    expect(metrics).toMatchObject({ f1: 2 / 3, precision: 2 / 3, recall: 2 / 3, strictF1: 0.4, accuracy: 0.7 });
    expect(tables?.[0]?.rows[0]).toEqual(["LOC", 1, 0.5, 2 / 3, 2]);
    expect(Object.fromEntries(tables?.[1]?.rows as [string, number][])).toEqual({
      missed: 0,
      spurious: 0,
      type: 1,
      boundary: 0,
    });
    expect(errors).toEqual([
      {
        text: "小雨看大海了",
        expected: "大海 LOC",
        predicted: "大海 PER",
        score: 0.5,
        marks: [
          { span: [3, 5], kind: "expected", label: "LOC" },
          { span: [3, 5], kind: "predicted", label: "PER" },
        ],
      },
    ]);
  });

  test("words and tags by themselves", () => {
    const segment = ner.create(ner.settle([tagged("我去宁波", "S S B E")], {}));
    expect(segment.evaluate([tagged("我去宁波", "S S B E")], [prediction("S B E S")]).metrics).toMatchObject({
      f1: 1 / 3,
      accuracy: 0.25,
    });
    const speech = ner.create(ner.settle([tagged("去看", "VV NN")], {}));
    const { metrics, confusion } = speech.evaluate([tagged("去看", "VV NN")], [prediction("VV VV")]);
    expect(metrics["accuracy"]).toBe(0.5);
    expect(confusion).toEqual({
      labels: ["NN", "VV"],
      counts: [
        [0, 1],
        [0, 1],
      ],
    });
  });

  test("examples need tags", () => {
    expect(() => taskOf().evaluate([{ text: "去", units: [[0, 1]] }], [prediction("O")])).toThrow(
      /tags with every example/,
    );
  });
});

describe("graphs", () => {
  const config = {
    ...builtinConfig("tiny", tokenizer.vocabulary.size),
    hiddenSize: 8,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    intermediateSize: 16,
    initializerRange: 0.5,
  };

  async function lossOf(
    task: AnyTask,
    rows: readonly TaskRow[],
    options: { filled?: number; seqLength?: number; rDropAlpha?: number } = {},
  ) {
    const { rDropAlpha, ...sizes } = options;
    const batch = taskBatch(task, rows, sizes);
    const weights = initializeTask(task, config, new Random(1));
    const shape = { rows: batch.rows, seqLength: batch.seqLength, gradients: true, dropout: false };
    const graph = taskLossGraph(task, config, { ...shape, ...(rDropAlpha === undefined ? {} : { rDropAlpha }) });
    const program = await runtime.compile(graph, { weights });
    const { loss, ...others } = await program.run(batch.inputs);
    await program.dispose();
    return { loss: loss?.data[0] as number, others };
  }

  test.each([false, true])(
    "rows that fill a batch, padding and R-Drop without dropout change nothing; CRF %s",
    async (crf) => {
      const task = taskOf({ crf });
      const rows = train.flatMap((example) => task.encode(example, tokenizer).rows);
      const whole = await lossOf(task, rows);
      const filled = await lossOf(task, [...rows, rows[0] as TaskRow], { filled: 2, seqLength: 12 });
      const doubled = await lossOf(task, rows, { rDropAlpha: 2 });
      expect(filled.loss).toBeCloseTo(whole.loss, 5);
      expect(doubled.loss).toBeCloseTo(whole.loss, 5);
      for (const name of ["classifier.weight", ...(crf ? ["crf.transitions", "crf.start_transitions"] : [])]) {
        const [a, b] = [whole, filled].map(({ others }) => Array.from(others[gradientName(name)]?.data ?? [], Number));
        expect(a?.some((value) => Math.abs(value) > 1e-4)).toBe(true);
        expectNear(b ?? [], a ?? [], 5);
      }
    },
  );

  test("a CRF takes no changes of single tags' losses", () => {
    const task = taskOf({ crf: true });
    const options = { rows: 1, seqLength: 8, gradients: false, dropout: false, labelSmoothing: 0.1 };
    expect(() => taskLossGraph(task, config, options)).toThrow(/likelihood of whole sequences/);
  });

  test.each([false, true])("a model predicts texts of any length as it does one by one; CRF %s", async (crf) => {
    const task = taskOf({ crf, maxSeqLength: 8, constrained: crf });
    const weights = lazyTensors(initializeTask(task, config, new Random(2)));
    const model = new TaskModel({ task, config, weights, tokenizer, runtime });
    const texts = ["我去宁波看大海了小雨和我", "去", "", "小雨看大海"];
    const examples = texts.map((text) => ({ text, units: characterUnits(text) }));
    const together: Tagging[] = [];
    for await (const found of model.predict(examples, { batchTokens: 24 })) together.push(found);
    expect(together.map(({ tags }) => tags.length)).toEqual([12, 1, 0, 5]);
    for (const [i, example] of examples.entries()) {
      for await (const alone of model.predict([example])) {
        expect(alone.tags).toEqual(together[i]?.tags);
        expectNear(alone.scores, together[i]?.scores ?? [], 4);
      }
    }
    if (crf) {
      const f1 = task.evaluate(
        examples.map((example, i) => ({ ...example, tags: together[i]?.tags ?? [] })),
        together,
      ).metrics;
      expect(f1["strictF1"]).toBe(f1["f1"]);
    }
    await model.dispose();
  });
});
