/** Tasks over whole texts and over tokens against PyTorch: scores and losses of one model, through the graphs that training and prediction use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { parseConfig } from "../src/model/config.ts";
import { gradientName } from "../src/model/pretraining.ts";
import type { AnyTask } from "../src/tasks/task.ts";
import { taskGraph, taskLossGraph, taskParameterShapes } from "../src/tasks/task-graph.ts";
import { findTaskDefinition } from "../src/tasks/tasks.ts";
import { toFloat32 } from "../src/util/half.ts";
import { elementCount, type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { expectClose, numbers } from "./graph-checks.ts";
import { describeRuntimes } from "./runtimes.ts";
import { describeShared } from "./shared.ts";

/** The reference's own float32 results are as far from double precision. */
const LOSS_TOLERANCE = 1e-5;

const labelNames = (count: number) => Array.from({ length: count }, (_, i) => `LABEL_${i}`);
const ones = (shape: readonly number[]) => hostTensor("float32", shape, new Float32Array(elementCount(shape)).fill(1));

interface Parity {
  readonly file: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names of the task's label inputs and what they are here, from the reference's labels. */
  labels(given: HostTensor): Record<string, HostTensor>;
}

const classes = (given: HostTensor) =>
  hostTensor("int32", given.shape, Int32Array.from(given.data as BigInt64Array, Number));

const PARITIES: readonly Parity[] = [
  {
    file: "sequence-classification",
    settings: { task: "classify", labels: labelNames(3) },
    labels: (given) => ({ labels: classes(given) }),
  },
  {
    file: "sequence-multi-label",
    settings: { task: "multilabel", labels: labelNames(5) },
    labels: (given) => ({ labels: given }),
  },
  {
    file: "sequence-regression",
    settings: { task: "regress" },
    labels: (given) => ({ scores: hostTensor("float32", [13], given.data as Float32Array) }),
  },
  {
    file: "multiple-choice",
    settings: { task: "choice", choicesPerRow: 4 },
    labels: (given) => ({ labels: classes(given), present_choices: ones([3, 4]) }),
  },
  {
    file: "token-classification",
    settings: { task: "ner", labels: labelNames(9) },
    labels: (given) => ({ labels: classes(given) }),
  },
];

describeShared("reference/bert-tiny", "tasks over whole texts and over tokens", (folder) => {
  const config = parseConfig(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")), "config.json");
  const tensorsOf = (name: string): NamedTensors => readSafetensors(readFileSync(join(folder, name)), name);
  const encoderWeights = tensorsOf("model.safetensors");

  function weightsOf(task: AnyTask, head: NamedTensors): NamedTensors {
    const found = [...taskParameterShapes(task, config).keys()].map(
      (name) => [name, toFloat32((head.get(name) ?? encoderWeights.get(name)) as HostTensor)] as const,
    );
    return new Map(found);
  }

  describeRuntimes("equal PyTorch's", (runtime) => {
    test.each(PARITIES)("$file", async ({ file, settings, labels }) => {
      const expected = tensorsOf(`expected/${file}.safetensors`);
      const want = (name: string) => expected.get(name) as HostTensor;
      const [seq, rows] = [want("input_ids").shape.at(-1) as number, want("labels").shape[0] as number];
      const tokens = ["input_ids", "token_type_ids", "attention_mask"].map((name) => {
        const { data } = want(name);
        return [name, hostTensor("int32", [data.length / seq, seq], Int32Array.from(data as BigInt64Array, Number))];
      });
      const inputs: Record<string, HostTensor> = Object.fromEntries(tokens);
      const task = findTaskDefinition(settings["task"] as string).create({ maxSeqLength: seq, ...settings } as never);
      const weights = weightsOf(task, expected);

      const scores = await runtime.compile(taskGraph(task, config), { weights });
      const { logits } = await scores.run(inputs);
      expectClose(numbers(logits), numbers(want("float64.logits")), 1e-5);
      const shape = { rows, seqLength: seq, gradients: false, dropout: false };
      const graph = await runtime.compile(taskLossGraph(task, config, shape), { weights });
      const { loss } = await graph.run({ ...inputs, ...labels(want("labels")), row_weights: ones([rows]) });
      const [wanted] = numbers(want("float64.loss"));
      expect(Math.abs((numbers(loss)[0] as number) - (wanted as number))).toBeLessThan(LOSS_TOLERANCE);
      await scores.dispose();
      await graph.dispose();
    });

    test("the gradient of every parameter, of classification", async () => {
      const part = (name: string) => `training/fine-tuning/sequence-classification.${name}`;
      const [batches, head] = [tensorsOf(part("batches.safetensors")), tensorsOf(part("head.safetensors"))];
      const first = (name: string) => {
        const { shape, data } = batches.get(name) as HostTensor;
        const own = shape.slice(1);
        const values = Array.from(data.subarray(0, elementCount(own)), Number);
        return [name, hostTensor("int32", own, Int32Array.from(values))] as const;
      };
      const names = ["input_ids", "token_type_ids", "attention_mask", "labels"];
      const inputs = { ...Object.fromEntries(names.map(first)), row_weights: ones([5]) };
      const task = findTaskDefinition("classify").create({ task: "classify", maxSeqLength: 11, labels: labelNames(3) });
      const shape = { rows: 5, seqLength: 11, gradients: true, dropout: false };
      const graph = await runtime.compile(taskLossGraph(task, config, shape), { weights: weightsOf(task, head) });
      const { loss, ...gradients } = await graph.run(inputs);
      await graph.dispose();
      const { first_batch, noise_tensors } = JSON.parse(readFileSync(join(folder, part("json")), "utf8"));
      expectClose(numbers(loss), [first_batch.float64.loss], LOSS_TOLERANCE);
      const expected = tensorsOf(part("gradients.safetensors"));
      expect(expected.size).toBeGreaterThan(80);
      for (const [name, tensor] of expected) {
        const [got, want] = [numbers(gradients[gradientName(name)]), numbers(tensor)];
        const tolerance = noise_tensors.includes(name)
          ? 1e-6
          : 1e-4 * want.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        const apart = want.reduce((most, value, at) => Math.max(most, Math.abs(value - (got[at] as number))), 0);
        expect({ name, isClose: apart <= tolerance }).toEqual({ name, isClose: true });
      }
    });
  });
});
