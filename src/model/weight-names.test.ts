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

test.each(dialects)("a model in the names of %s and back is the same", (dialect) => {
  const written = fromHuggingFaceNames(model(), dialect);
  const read = toHuggingFaceNames(written, "here");
  expect(read.dialect).toBe(dialect);
  expect(numbers(read.tensors)).toEqual(numbers(model()));
  expect(read.notes).toEqual([]);
});
