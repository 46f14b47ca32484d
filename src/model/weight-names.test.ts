import { expect, test } from "vitest";
import { type LazyTensor, type LazyTensors, lazyTensor } from "../checkpoint/format.ts";
import { hostTensor } from "../util/tensor.ts";
import { type Dialect, fromHuggingFaceNames, toHuggingFaceNames } from "./weight-names.ts";

/** [1, 2 .. n] in the given shape, plus an offset that tells tensors apart. */
function counting(shape: readonly number[], offset = 0): LazyTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, (_, i) => i + 1 + offset);
  return lazyTensor(hostTensor("float32", shape, data));
}

const WORDS = "bert.embeddings.word_embeddings.weight";

/** A model of two layers, hidden 4, under Transformers' names; every tensor has other numbers. */
function model(): LazyTensors {
  const shapes: [string, number[]][] = [
    [WORDS, [7, 4]],
    ["bert.embeddings.position_embeddings.weight", [5, 4]],
    ["bert.embeddings.token_type_embeddings.weight", [2, 4]],
    ["bert.embeddings.LayerNorm.weight", [4]],
    ["bert.embeddings.LayerNorm.bias", [4]],
    ...[0, 11].flatMap((layer): [string, number[]][] => [
      ...["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"].flatMap(
        (module): [string, number[]][] => [
          [`bert.encoder.layer.${layer}.${module}.weight`, [4, 4]],
          [`bert.encoder.layer.${layer}.${module}.bias`, [4]],
        ],
      ),
      [`bert.encoder.layer.${layer}.attention.output.LayerNorm.weight`, [4]],
      [`bert.encoder.layer.${layer}.attention.output.LayerNorm.bias`, [4]],
      [`bert.encoder.layer.${layer}.intermediate.dense.weight`, [6, 4]],
      [`bert.encoder.layer.${layer}.intermediate.dense.bias`, [6]],
      [`bert.encoder.layer.${layer}.output.dense.weight`, [4, 6]],
      [`bert.encoder.layer.${layer}.output.dense.bias`, [4]],
      [`bert.encoder.layer.${layer}.output.LayerNorm.weight`, [4]],
      [`bert.encoder.layer.${layer}.output.LayerNorm.bias`, [4]],
    ]),
    ["bert.pooler.dense.weight", [4, 4]],
    ["bert.pooler.dense.bias", [4]],
    ["cls.predictions.transform.dense.weight", [4, 4]],
    ["cls.predictions.transform.dense.bias", [4]],
    ["cls.predictions.transform.LayerNorm.weight", [4]],
    ["cls.predictions.transform.LayerNorm.bias", [4]],
    ["cls.predictions.bias", [7]],
    ["cls.seq_relationship.weight", [2, 4]],
    ["cls.seq_relationship.bias", [2]],
    ["classifier.weight", [3, 4]],
    ["classifier.bias", [3]],
  ];
  return new Map(shapes.map(([name, shape], i) => [name, counting(shape, 100 * i)]));
}

function numbers(tensors: LazyTensors): Record<string, unknown> {
  return Object.fromEntries(
    [...tensors].map(([name, tensor]) => [name, [tensor.shape, [...(tensor.read().data as Float32Array)]]]),
  );
}

const dialects: Dialect[] = ["huggingface", "pytorch-2019", "tensorflow", "keras", "paddle"];

test.each(dialects)("a model in the names of %s and back is the same, with tied copies and without", (dialect) => {
  const written = fromHuggingFaceNames(model(), dialect);
  const read = toHuggingFaceNames(written, "here");
  expect(read.dialect).toBe(dialect);
  expect(numbers(read.tensors)).toEqual(numbers(model()));
  expect(read.notes).toEqual([]);
  const lean = fromHuggingFaceNames(model(), dialect, { tiedCopies: false });
  expect(lean.size).toBe(model().size);
  expect(numbers(toHuggingFaceNames(lean, "here").tensors)).toEqual(numbers(model()));
});

test("Linear weights are [in, out] in TensorFlow, but the matrices of its classifiers are [out, in]", () => {
  const written = fromHuggingFaceNames(model(), "tensorflow");
  expect(written.get("bert/encoder/layer_11/intermediate/dense/kernel")?.shape).toEqual([4, 6]);
  expect(written.get("cls/seq_relationship/output_weights")?.shape).toEqual([2, 4]);
  expect(written.get("output_weights")?.shape).toEqual([3, 4]);
  expect(fromHuggingFaceNames(model(), "paddle").get("cls.seq_relationship.weight")?.shape).toEqual([4, 2]);
});

test("a tied copy is the same object as its original, for writers that can share storage", () => {
  const written = fromHuggingFaceNames(model(), "huggingface");
  expect(written.get("cls.predictions.decoder.weight")).toBe(written.get(WORDS));
  expect(written.get("cls.predictions.decoder.bias")).toBe(written.get("cls.predictions.bias"));
  expect(fromHuggingFaceNames(model(), "pytorch-2019").has("cls.predictions.decoder.bias")).toBe(false);
  const encoder = new Map([...model()].filter(([name]) => name.startsWith("bert.")));
  expect(fromHuggingFaceNames(encoder, "huggingface").has("cls.predictions.decoder.weight")).toBe(false);
});

const renamed = (tensors: LazyTensors, rename: (name: string) => string) =>
  new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));
const encoderOnly = () => new Map([...model()].filter(([name]) => name.startsWith("bert.")));

test.each([
  ["without bert.", encoderOnly(), (name: string) => name.replace("bert.", ""), "huggingface"],
  ["of DataParallel", model(), (name: string) => `module.${name}`, "huggingface"],
  ["of ERNIE under Transformers", model(), (name: string) => name.replace("bert.", "ernie."), "huggingface"],
  [
    "of ERNIE under PaddleNLP",
    fromHuggingFaceNames(model(), "paddle"),
    (name: string) => name.replace("bert.", "ernie."),
    "paddle",
  ],
  [
    "of ERNIE with gamma and beta",
    fromHuggingFaceNames(model(), "pytorch-2019"),
    (name: string) => name.replace("bert.", "ernie."),
    "pytorch-2019",
  ],
  [
    "of an encoder in PaddleNLP",
    fromHuggingFaceNames(encoderOnly(), "paddle"),
    (name: string) => name.replace("bert.", ""),
    "paddle",
  ],
  ["of variables with :0", fromHuggingFaceNames(model(), "tensorflow"), (name: string) => `${name}:0`, "tensorflow"],
  [
    "of a module of TensorFlow Hub",
    fromHuggingFaceNames(model(), "tensorflow"),
    (name: string) => `module/${name}`,
    "tensorflow",
  ],
  [
    "of another Keras class",
    fromHuggingFaceNames(model(), "keras"),
    (name: string) => name.replace("tf_bert_for_pre_training", "tf_bert_for_masked_lm_1"),
    "keras",
  ],
])("names %s are known", (_, tensors, rename, dialect) => {
  const read = toHuggingFaceNames(renamed(tensors, rename), "here");
  expect(read.dialect).toBe(dialect);
  const whole = read.tensors.has("classifier.weight") ? model() : encoderOnly();
  expect(numbers(read.tensors)).toEqual(numbers(whole));
});

test.each([
  ["global_step", "state of training"],
  ["good_steps", "state of training"],
  ["loss_scale", "state of training"],
  ["beta1_power", "state of training"],
  ["bert/pooler/dense/kernel/adam_m", "optimiser slot"],
  ["bert/pooler/dense/kernel/lamb_v", "optimiser slot"],
  ["bert/pooler/dense/kernel/adam_v:0", "optimiser slot"],
  ["bert/pooler/dense/kernel/AdamWeightDecayOptimizer", "optimiser slot"],
  ["bert/pooler/dense/kernel/AdamWeightDecayOptimizer_1", "optimiser slot"],
  ["bert/pooler/dense/kernel/LAMBOptimizer", "optimiser slot"],
  ["bert/pooler/dense/kernel/LAMB_1", "optimiser slot"],
  ["bert/pooler/dense/kernel/ExponentialMovingAverage", "moving average of another weight"],
  ["bert.embeddings.position_ids", "buffer"],
  ["embeddings.token_type_ids", "buffer"],
  ["linear_0.w_0_moment1_0", "optimiser slot"],
  ["StructuredToParameterName@@", "bookkeeping"],
])("%s is left out as %s", (name, reason) => {
  const read = toHuggingFaceNames(new Map([...model(), [name, counting([1])]]), "here");
  expect(read.ignored).toEqual([`${name}: ${reason}`]);
  expect(read.tensors.size).toBe(model().size);
});

test("no weight of a model is taken for something to leave out", () => {
  for (const dialect of dialects) {
    const lean = fromHuggingFaceNames(model(), dialect, { tiedCopies: false });
    expect(toHuggingFaceNames(lean, "here").ignored).toEqual([]);
  }
});

test("a decoder that is not the word embeddings is kept, so that it is unexpected, and noted", () => {
  const other = counting([7, 4], 0.5);
  const read = toHuggingFaceNames(new Map([...model(), ["cls.predictions.decoder.weight", other]]), "here");
  expect(read.tensors.get("cls.predictions.decoder.weight")).toBe(other);
  expect(read.notes).toHaveLength(1);
  expect(read.notes[0]).toContain(`cls.predictions.decoder.weight differs from ${WORDS}`);
  const wider = toHuggingFaceNames(new Map([...model(), ["cls.predictions.decoder.weight", counting([9, 4])]]), "here");
  expect(wider.notes).toHaveLength(1);
});

test("an equal copy is left out, also when only the copy is stored", () => {
  const copy = counting([7, 4]);
  const both = toHuggingFaceNames(new Map([...model(), ["cls.predictions.decoder.weight", copy]]), "here");
  expect(both.ignored).toEqual([`cls.predictions.decoder.weight: tied copy of ${WORDS}`]);
  const without = new Map([...model(), ["cls.predictions.decoder.weight", copy] as const]);
  without.delete(WORDS);
  const read = toHuggingFaceNames(without, "here");
  expect(read.tensors.get(WORDS)).toBe(copy);
  expect(read.notes).toEqual([
    `here: ${WORDS} is read from its tied copy cls.predictions.decoder.weight, since it is not stored itself`,
  ]);
});

test("names that no dialect knows stay as they are, and a second tensor for one name too", () => {
  const foreign = new Map([["transformer.h.0.attn.c_attn.weight", counting([2])]]);
  expect(toHuggingFaceNames(foreign, "here")).toMatchObject({ dialect: "huggingface", ignored: [], notes: [] });
  expect([...toHuggingFaceNames(foreign, "here").tensors.keys()]).toEqual([...foreign.keys()]);
  const twice = new Map([...model(), ["pooler.dense.bias", counting([4])], ["bert/pooler/dense/bias", counting([4])]]);
  const { tensors } = toHuggingFaceNames(twice, "here");
  expect(tensors.has("pooler.dense.bias")).toBe(true);
  expect(tensors.has("bert/pooler/dense/bias")).toBe(true);
  expect(tensors.size).toBe(model().size + 2);
});

test("a file may mix gamma and beta with today's names", () => {
  const old = fromHuggingFaceNames(model(), "pytorch-2019", { tiedCopies: false });
  const mixed = renamed(old, (name) =>
    name.replace("cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight"),
  );
  const read = toHuggingFaceNames(mixed, "here");
  expect(read.dialect).toBe("pytorch-2019");
  expect(numbers(read.tensors)).toEqual(numbers(model()));
});

test("the head of question answering has its own names in TensorFlow and Keras", () => {
  const head = new Map([...encoderOnly(), ["qa_outputs.weight", counting([2, 4])], ["qa_outputs.bias", counting([2])]]);
  const written = fromHuggingFaceNames(head, "tensorflow");
  expect(written.get("cls/squad/output_weights")?.shape).toEqual([2, 4]);
  expect(numbers(toHuggingFaceNames(written, "here").tensors)).toEqual(numbers(head));
  expect(fromHuggingFaceNames(head, "paddle").get("classifier.weight")?.shape).toEqual([4, 2]);
});

test("embeddings of tasks, which BERT has not, are noted", () => {
  const name = "ernie.embeddings.task_type_embeddings.weight";
  const { tensors, notes } = toHuggingFaceNames(new Map([...model(), [name, counting([3, 4])]]), "here");
  expect(tensors.has(name)).toBe(true);
  expect(notes).toEqual([
    `here: ${name} is not used: ERNIE 2.0 and 3.0 add a task's vector to each token, BERT does not`,
  ]);
});

test("of two tensors with one meaning the first of the file is taken, and the other is named", () => {
  const one = (value: number) => lazyTensor(hostTensor("float32", [1], Float32Array.of(value)));
  const stored = new Map([
    ["module.bert.pooler.dense.bias", one(1)],
    ["bert.pooler.dense.bias", one(2)],
  ]);
  const { tensors, ignored, notes } = toHuggingFaceNames(stored, "w");
  expect([...tensors].map(([name, tensor]) => [name, tensor.read().data[0]])).toEqual([["bert.pooler.dense.bias", 1]]);
  expect(ignored).toEqual(["bert.pooler.dense.bias: stored twice"]);
  expect(notes).toEqual([
    "w: bert.pooler.dense.bias is not used: another tensor of the file is bert.pooler.dense.bias as well",
  ]);
});
