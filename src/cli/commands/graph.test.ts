import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { ArgumentError, UsageError } from "../../errors.ts";

let folder: string;
let configFile: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-graph-"));
  configFile = join(folder, "config.json");
  const sizes = {
    vocab_size: 99,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
  };
  writeFileSync(configFile, JSON.stringify({ ...sizes, max_position_embeddings: 128 }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `zhbert graph` in this process. @returns what it wrote on stdout. */
const graph = (...options: readonly string[]) => runCommand(["graph", "--config", configFile, ...options]);

describe("graph", () => {
  test("lists inputs, parameters, nodes and outputs, then the totals", async () => {
    const text = await graph();
    expect(text).toContain("  input_ids int32[batch, seq]\n");
    expect(text).toContain("  bert.encoder.layer.1.attention.self.query.weight float32[32, 32]\n");
    expect(text).toMatch(
      /gemm\(%\d+, bert\.encoder\.layer\.0\.attention\.self\.query\.weight, \.\.\.bias, transB\) float32\[batch\*seq, 32\]/,
    );
    expect(text).toMatch(/last_hidden_state = %\d+\n/);
    expect(text).toMatch(/^parameters +\d{2},\d{3} \(0\.\d\d MB\)$/m);
    expect(text).toMatch(/^peak of inner results +\d+\.\d\d MB, in %\d+ \w+$/m);
  });

  test("--json: one object for each node", async () => {
    const nodes = parseLines(await graph("--json", "--batch-size", "2", "--seq-length", "8"));
    const first = nodes.find(({ operator }) => operator === "gemm");
    expect(first).toMatchObject({
      inputs: [expect.stringMatching(/^%/), expect.stringContaining("query.weight"), expect.anything()],
    });
    expect(first.flops).toBe(2 * 16 * 32 * 32);
    expect(first.outputs).toEqual([{ dtype: "float32", shape: ["batch*seq", 32] }]);
  });

  test("--summary --json: one object of totals and operators", async () => {
    const [summary, ...rest] = parseLines(await graph("--summary", "--json"));
    expect(rest).toEqual([]);
    expect(summary.parameters * 4).toBe(summary.parameterBytes);
    expect(summary.operators.reduce((sum: number, { flops }: { flops: number }) => sum + flops, 0)).toBe(summary.flops);
    expect(summary.operators.find(({ operator }: { operator: string }) => operator === "gemm").count).toBe(12);
    expect(await graph("--summary")).toMatch(/^gemm +12 /m);
  });

  test("cost follows the size of the batch", async () => {
    const flops = async (...options: string[]) => parseLines(await graph("--summary", "--json", ...options))[0].flops;
    const [one, four] = [await flops("--batch-size", "1"), await flops("--batch-size", "4")];
    expect(four / one).toBeGreaterThan(3.9);
    expect(four / one).toBeLessThan(4.1);
  });

  test("gradients triple the work; recomputing takes less memory and more work", async () => {
    const summary = async (...options: string[]) =>
      parseLines(await graph("--summary", "--json", "--batch-size", "8", "--seq-length", "32", ...options))[0];
    const forward = await summary("--kind", "pretraining");
    const training = await summary("--gradients");
    const recomputed = await summary("--gradients", "--recompute");
    expect(training.flops / forward.flops).toBeGreaterThan(2.5);
    expect(training.flops / forward.flops).toBeLessThan(3.5);
    expect(recomputed.flops).toBeGreaterThan(training.flops);
    expect(recomputed.peakActivationBytes).toBeLessThan(training.peakActivationBytes);
    expect((await summary("--gradients", "--dropout")).inputBytes).toBeGreaterThan(training.inputBytes);
  });

  test("--onnx writes a model that any engine can load", async () => {
    const file = join(folder, "model.onnx");
    await graph("--onnx", file, "--summary");
    const session = await ort.InferenceSession.create(readFileSync(file));
    expect(session.outputNames).toEqual(["last_hidden_state"]);
    expect(session.inputNames).toContain("bert.embeddings.word_embeddings.weight");
    await session.release();
  });

  test("wrong use is refused and nothing is written", async () => {
    const file = join(folder, "model.onnx");
    await expect(graph("--kind", "encoder", "--gradients", "--onnx", file)).rejects.toThrow(UsageError);
    await expect(graph("--seq-length", "129", "--onnx", file)).rejects.toThrow(/--seq-length.*128 positions/);
    await expect(graph("--batch-size", "0")).rejects.toThrow(/--batch-size/);
    await expect(graph("--kind", "decoder")).rejects.toThrow(/encoder, pretraining/);
    await expect(graph("--config", join(folder, "none.json"))).rejects.toThrow(ArgumentError);
    expect(existsSync(file)).toBe(false);
  });
});
