import { expect, test } from "vitest";
import { type BertConfig, builtinConfig } from "../model/config.ts";
import type { CompileOptions, Runtime } from "../runtime/runtime.ts";
import { compilePretraining } from "./compile-pretraining.ts";

const config: BertConfig = { ...builtinConfig("tiny", 50), numHiddenLayers: 1 };

/** An engine that records how each graph is to be compiled. */
function recorder(log: (CompileOptions | undefined)[]): Runtime {
  return {
    name: "recorder",
    version: "1.0.0",
    precision: "f32",
    threads: 1,
    async compile(_, options) {
      log.push(options);
      return { run: async () => ({}), dispose: async () => {} };
    },
    dispose: async () => {},
  };
}

test("only training on the longest batches keeps its memory between runs", async () => {
  const shape = (seqLength: number) => ({ batchSize: 2, seqLength, maxPredictions: 1 });
  const keeps = async (longest?: number) => {
    const log: (CompileOptions | undefined)[] = [];
    const options = { nextSentence: true, ...(longest === undefined ? {} : { longest }) };
    const compile = compilePretraining(recorder(log), config, options);
    await compile(shape(4), "train");
    await compile(shape(8), "train");
    await compile(shape(8), "evaluate");
    return log.map((given) => given?.keepMemory);
  };
  expect(await keeps(8)).toEqual([false, true, false]);
  expect(await keeps()).toEqual([true, true, true]);
});

test("all programs keep their memory where they share it", async () => {
  const log: (CompileOptions | undefined)[] = [];
  const runtime = { ...recorder(log), sharesMemory: true };
  const compile = compilePretraining(runtime, config, { nextSentence: true, longest: 8 });
  await compile({ batchSize: 2, seqLength: 4, maxPredictions: 1 }, "train");
  await compile({ batchSize: 2, seqLength: 8, maxPredictions: 1 }, "evaluate");
  expect(log.map((given) => given?.keepMemory)).toEqual([true, true]);
});

test("dropout sites come in one order, with the rate of their place", async () => {
  const compile = compilePretraining(
    recorder([]),
    { ...config, attentionProbsDropoutProb: 0.2 },
    { nextSentence: false },
  );
  const shape = { batchSize: 2, seqLength: 4, maxPredictions: 1 };
  const { dropoutSites } = await compile(shape, "train");
  expect(dropoutSites.map(({ name, rate }) => [name.replace("dropout.", ""), rate])).toEqual([
    ["bert.encoder.layer.0.attention.output", 0.1],
    ["bert.encoder.layer.0.attention.self", 0.2],
    ["bert.encoder.layer.0.output", 0.1],
    ["embeddings", 0.1],
  ]);
  expect((await compile(shape, "evaluate")).dropoutSites).toEqual([]);
});
