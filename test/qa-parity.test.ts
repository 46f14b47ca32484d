/** Reading comprehension against PyTorch and Transformers: scores, loss, gradients, windows, the best spans, the pipeline's answers. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { parseConfig } from "../src/model/config.ts";
import { gradientName } from "../src/model/pretraining.ts";
import { bestSpans, type WindowScores } from "../src/tasks/qa/qa-decode.ts";
import { passageWindows } from "../src/tasks/qa/qa-windows.ts";
import type { AnyTask } from "../src/tasks/task.ts";
import { scoresByRow, scoringBatch } from "../src/tasks/task-batch.ts";
import { taskGraph, taskLossGraph, taskParameterShapes } from "../src/tasks/task-graph.ts";
import { findTaskDefinition } from "../src/tasks/tasks.ts";
import { BertTokenizer } from "../src/text/tokenizer.ts";
import { toFloat32 } from "../src/util/half.ts";
import { softmaxOf } from "../src/util/softmax.ts";
import { elementCount, type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { expectClose, numbers } from "./graph-checks.ts";
import { describeRuntimes, testRuntimes } from "./runtimes.ts";
import { describeShared, shared } from "./shared.ts";

const qa = (settings: object): AnyTask => findTaskDefinition("qa").create({ task: "qa", ...settings } as never);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const tensorsOf = (path: string): NamedTensors => readSafetensors(readFileSync(path), path);
const largest = (values: readonly number[]) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describeShared("reference/bert-tiny", "question answering of the reference model", (folder) => {
  const config = parseConfig(json(join(folder, "config.json")), "config.json");
  const encoder = tensorsOf(join(folder, "model.safetensors"));

  function weightsOf(task: AnyTask, head: NamedTensors): NamedTensors {
    const names = [...taskParameterShapes(task, config).keys()];
    return new Map(names.map((name) => [name, toFloat32((head.get(name) ?? encoder.get(name)) as HostTensor)]));
  }

  /** The inputs of a batch; of the one at a place where several are stored. */
  function batchOf(stored: NamedTensors, place?: number): Record<string, HostTensor> {
    const names = ["input_ids", "token_type_ids", "attention_mask", "start_positions", "end_positions"];
    const inputs = names.map((name) => {
      const { shape, data } = stored.get(name) as HostTensor;
      const own = place === undefined ? shape : shape.slice(1);
      const size = elementCount(own);
      const values = Array.from(data.subarray((place ?? 0) * size, ((place ?? 0) + 1) * size), Number);
      return [name, hostTensor("int32", own, Int32Array.from(values))] as const;
    });
    const rows = inputs[0]?.[1].shape[0] as number;
    const weights = hostTensor("float32", [rows], new Float32Array(rows).fill(1));
    return { ...Object.fromEntries(inputs), row_weights: weights };
  }

  describeRuntimes("equals PyTorch's", (runtime) => {
    test("scores and loss", async () => {
      const expected = tensorsOf(join(folder, "expected/question-answering.safetensors"));
      const task = qa({ maxSeqLength: 7 });
      const shape = { rows: 13, seqLength: 7, gradients: false, dropout: false };
      const graph = await runtime.compile(taskLossGraph(task, config, shape), { weights: weightsOf(task, expected) });
      const { loss, start_logits, end_logits } = await graph.run(batchOf(expected));
      await graph.dispose();
      expectClose(numbers(start_logits), numbers(expected.get("float64.start_logits")), 1e-5);
      expectClose(numbers(end_logits), numbers(expected.get("float64.end_logits")), 1e-5);
      expectClose(numbers(loss), numbers(expected.get("float64.loss")), 1e-5);
    });

    test("the gradient of every parameter", async () => {
      const part = (name: string) => join(folder, "training/fine-tuning", `question-answering.${name}`);
      const [batches, head] = [tensorsOf(part("batches.safetensors")), tensorsOf(part("head.safetensors"))];
      const task = qa({ maxSeqLength: 11 });
      const shape = { rows: 5, seqLength: 11, gradients: true, dropout: false };
      const graph = await runtime.compile(taskLossGraph(task, config, shape), { weights: weightsOf(task, head) });
      const { loss, ...gradients } = await graph.run(batchOf(batches, 0));
      await graph.dispose();
      expectClose(numbers(loss), [json(part("json")).first_batch.float64.loss], 1e-5);
      const noise = new Set<string>(json(part("json")).noise_tensors);
      const expected = tensorsOf(part("gradients.safetensors"));
      for (const [name, tensor] of expected) {
        const got = numbers(gradients[gradientName(name)]);
        // The loss is over padding too. PyTorch gives the vector of [PAD] no gradient (padding_idx); TensorFlow does, as here.
        const first = name.endsWith("word_embeddings.weight") ? config.hiddenSize : 0;
        const tolerance = noise.has(name) ? 1e-6 : 1e-4 * largest(numbers(tensor));
        const apart = largest(numbers(tensor).map((value, i) => (i < first ? 0 : value - (got[i] as number))));
        expect({ name, isClose: apart <= tolerance }).toEqual({ name, isClose: true });
      }
      expect(expected.size).toBeGreaterThan(80);
    });
  });
});

describeShared("reference/bert-small-zh", "answers of the reference model with the real vocabulary", (folder) => {
  const expected = json(join(folder, "question-answering.json"));
  const { question, context, max_length, stride } = expected;
  const tensors = tensorsOf(join(folder, "question-answering.safetensors"));
  const vocabulary = readFileSync(shared("assets/vocab.txt") as string, "utf8");
  const tokenizer = BertTokenizer.fromVocabText(vocabulary);
  const settings = { maxSeqLength: max_length, maxQueryLength: max_length, windowOverlap: stride };
  const windowOptions = { ...settings, docStride: 128 };
  const { windows, pieces } = passageWindows(tokenizer, question, context, windowOptions, "test");
  const spanOptions = { nBest: 20, maxAnswerLength: 30, widestContextOnly: false, mergeSame: false };

  /** The reference's scores of a window, without padding. */
  const storedScores = windows.map(({ sequence }, i): WindowScores => {
    const row = (name: string) => {
      const { data } = tensors.get(name) as HostTensor;
      return Float32Array.from(data.subarray(i * max_length, i * max_length + sequence.ids.length), Number);
    };
    return { start: row("start_logits"), end: row("end_logits") };
  });

  test("windows hold the same tokens at the same offsets", () => {
    const rows = windows.length;
    expect(rows).toBe(expected.window_offsets.length);
    windows.forEach(({ sequence, from, offset, to }, i) => {
      const row = (name: string) => numbers(tensors.get(name)).slice(i * max_length, i * max_length + max_length);
      const padded = (ids: Int32Array) => [...ids, ...new Array(max_length - ids.length).fill(0)];
      expect(padded(sequence.ids)).toEqual(row("input_ids"));
      expect(padded(sequence.typeIds)).toEqual(row("token_type_ids"));
      const offsets = expected.window_offsets[i].slice(offset, offset + to - from);
      expect(offsets).toEqual(Array.from(offsets, (_, k) => [pieces.starts[from + k], pieces.ends[from + k]]));
    });
  });

  test.each(testRuntimes)("the model scores them the same ($name)", async (runtime) => {
    const config = parseConfig(json(join(folder, "config.json")), "config.json");
    const task = qa(settings);
    const files = [tensorsOf(join(folder, "model.safetensors")), tensorsOf(join(folder, "qa-head.safetensors"))];
    const stored: NamedTensors = new Map(files.flatMap((file) => [...file]));
    const names = [...taskParameterShapes(task, config).keys()];
    const weights = new Map(names.map((name) => [name, toFloat32(stored.get(name) as HostTensor)]));
    const { rows } = task.encode({ id: "q", question, context }, tokenizer);
    const batch = scoringBatch(rows);
    const program = await runtime.compile(taskGraph(task, config), { weights });
    const scores = scoresByRow(task, rows, batch, await program.run(batch.inputs));
    await program.dispose();
    scores.forEach((row, i) => {
      expectClose([...(row["start_logits"] ?? [])], [...(storedScores[i]?.start ?? [])], 1e-5);
      expectClose([...(row["end_logits"] ?? [])], [...(storedScores[i]?.end ?? [])], 1e-5);
    });
  });

  test("the twenty best spans are the same, with their probabilities", () => {
    const spans = bestSpans(windows, pieces, storedScores, { ...spanOptions, rule: "sum" });
    const places = (list: readonly { start: number; end: number; window: number }[]) =>
      list.map(({ start, end, window }) => [start, end, window]);
    expect(places(spans)).toEqual(places(expected.n_best));
    const shares = softmaxOf(spans.map(({ score }) => score));
    spans.forEach(({ start, end, score }, i) => {
      expect(context.slice(start, end)).toBe(expected.n_best[i].text);
      expect(score).toBeCloseTo(expected.n_best[i].score, 5);
      expect(shares[i]).toBeCloseTo(expected.n_best[i].probability, 5);
    });
  });

  test("the product rule gives the answers of the pipeline of Transformers 4", () => {
    const { answers, max_answer_len } = json(join(folder, "question-answering.pipeline.json"));
    const options = { ...spanOptions, nBest: 10, maxAnswerLength: max_answer_len, rule: "product" } as const;
    const spans = bestSpans(windows, pieces, storedScores, options);
    const shown = spans.map(({ start, end }) => ({ start, end, answer: context.slice(start, end) }));
    expect(shown).toEqual(answers.map(({ score: _, ...answer }: { score: number }) => answer));
    spans.forEach(({ score }, i) => {
      expect(score).toBeCloseTo(answers[i].score, 5);
    });
  });
});
