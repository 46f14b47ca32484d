/** Tasks over whole texts against PyTorch: scores and losses of one model, through the graphs that training and prediction use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { parseConfig } from "../src/model/config.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import type { AnyTask } from "../src/tasks/task.ts";
import { taskGraph, taskLossGraph, taskParameterShapes } from "../src/tasks/task-graph.ts";
import { findTaskDefinition } from "../src/tasks/tasks.ts";
import { toFloat32 } from "../src/util/half.ts";
import { elementCount, type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { expectClose, numbers } from "./graph-checks.ts";
import { describeShared } from "./shared.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** The reference's own float32 results are as far from double precision. */
const LOSS_TOLERANCE = 1e-5;

const names = (count: number) => Array.from({ length: count }, (_, i) => `LABEL_${i}`);
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
    settings: { task: "classify", labels: names(3) },
    labels: (given) => ({ labels: classes(given) }),
  },
  {
    file: "sequence-multi-label",
    settings: { task: "multilabel", labels: names(5) },
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
];

describeShared("reference/bert-tiny", "tasks over whole texts", (folder) => {
  const config = parseConfig(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")), "config.json");
  const tensorsOf = (name: string): NamedTensors => readSafetensors(readFileSync(join(folder, name)), name);
  const encoderWeights = tensorsOf("model.safetensors");

  function weightsOf(task: AnyTask, head: NamedTensors): NamedTensors {
    const found = [...taskParameterShapes(task, config).keys()].map(
      (name) => [name, toFloat32((head.get(name) ?? encoderWeights.get(name)) as HostTensor)] as const,
    );
    return new Map(found);
  }

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
});
