/** A model whose MLM head is lost learns to fill masks again, and nothing else of it changes. */
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture, tinyConfig } from "../../test/pretraining-data.ts";
import { readSafetensors, writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { ConfigError, FileError, InterruptedError } from "../errors.ts";
import noSegmenter from "../text/segmenters/none.ts";
import { type NamedTensors, tensorBytes } from "../util/tensor.ts";
import { BertModel } from "./bert-model.ts";
import { openCorpus } from "./corpus.ts";
import { resumeMlmHead, type TrainMlmHeadOptions, trainMlmHead } from "./mlm-head.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { pretrain } from "./pretrain.ts";

const HEAD = "cls.predictions.";
const ROUNDS = [..."天地玄黄宇宙洪荒日月盈昃辰宿列张"];

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
let original: NamedTensors;
let originalAccuracy: number;
const runtime = createOnnxRuntime({ threads: 1 });

const read = (name: string): NamedTensors => {
  const path = fixture.path(join(name, "model.safetensors"));
  return readSafetensors(new Uint8Array(readFileSync(path)), path);
};
/** The trained model with other weights, in a folder of its own. */
const variant = (name: string, weights: NamedTensors): string => {
  const folder = fixture.path(name);
  for (const file of ["config.json", "vocab.txt", "tokenizer.json"]) {
    cpSync(fixture.path(join("trained", file)), join(folder, file));
  }
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat(writeSafetensors(weights)));
  return folder;
};

beforeAll(async () => {
  fixture = await pretrainingFixture();
  writeFileSync(fixture.path("config.json"), tinyConfig());
  const choices = { steps: 80, batchSize: 32, learningRate: 5e-3, seed: 7, runtime };
  const { evaluation } = await pretrain({
    data: fixture.data,
    output: fixture.path("trained"),
    config: fixture.path("config.json"),
    ...choices,
  });
  originalAccuracy = evaluation?.mlmAccuracy ?? 0;
  original = read("trained");
  const line = (i: number) => (ROUNDS[i % ROUNDS.length] as string).repeat(4 + (i % 9));
  writeFileSync(fixture.path("corpus.txt"), Array.from({ length: 600 }, (_, i) => `${line(i * 7)}\n\n`).join(""));
  variant("headless", new Map([...original].filter(([name]) => !name.startsWith(HEAD))));
});
afterAll(async () => {
  await runtime.dispose();
  fixture.remove();
});

const options = async (output: string, more: Partial<TrainMlmHeadOptions> = {}): Promise<TrainMlmHeadOptions> => ({
  model: fixture.path("headless"),
  corpus: await openCorpus([fixture.path("corpus.txt")]),
  output: fixture.path(output),
  segmenter: noSegmenter(),
  masking: "char",
  maxSeqLength: 48,
  steps: 120,
  learningRate: 1e-2,
  seed: 5,
  runtime,
  ...more,
});

describe("trainMlmHead", () => {
  test("brings the accuracy back, and leaves every other weight as it was, bit for bit", async () => {
    const result = await trainMlmHead(await options("again"));
    expect(result.head.state).toBe("missing");
    expect(result.evaluation?.mostFrequentAccuracy).toBeLessThan(0.3);
    expect(result.evaluation?.mlmAccuracy).toBeGreaterThan(originalAccuracy - 0.05);
    const after = read("again");
    expect([...after.keys()].sort()).toEqual([...original.keys()].sort());
    for (const [name, tensor] of original) {
      const isSame = Buffer.from(tensorBytes(tensor)).equals(tensorBytes(after.get(name) as typeof tensor));
      expect([name, isSame, after.get(name)?.dtype]).toEqual([name, !name.startsWith(HEAD), "float32"]);
    }
    const model = await BertModel.fromPretrained(fixture.path("again"), { runtime });
    const [filled] = await model.fillMask(["玄玄玄[MASK]玄玄"]);
    expect(filled?.masks[0]?.[0]?.token).toBe("玄");
    const config = JSON.parse(readFileSync(fixture.path("again/config.json"), "utf8"));
    expect(config).toMatchObject({ architectures: ["BertForPreTraining"], hidden_dropout_prob: 0.1 });
    expect(existsSync(fixture.path("again/mlm-head-data"))).toBe(false);
  });

  test("a head that is there is replaced, unless training is to go on from it", async () => {
    const model = fixture.path("trained");
    const steps = 1;
    const anew = await trainMlmHead(await options("anew", { model, steps }));
    const on = await trainMlmHead(await options("on", { model, steps, fromExisting: true }));
    expect([anew.head.state, on.head.state]).toEqual(["trained", "trained"]);
    expect(on.evaluation?.mlmAccuracy).toBeGreaterThan(originalAccuracy - 0.1);
    expect(anew.evaluation?.mlmLoss).toBeGreaterThan(3 * (on.evaluation?.mlmLoss ?? 0));
    await expect(trainMlmHead(await options("none", { fromExisting: true }))).rejects.toThrow(ConfigError);
  });

  test("interrupted and resumed it equals a run without a stop", async () => {
    const steps = 12;
    await trainMlmHead(await options("straight", { steps }));
    const controller = new AbortController();
    const interrupted = trainMlmHead(
      await options("stopped", {
        steps,
        signal: controller.signal,
        onStep: (step) => {
          if (step === 5) controller.abort();
        },
      }),
    );
    const error = await interrupted.catch((reason) => reason);
    expect(error).toBeInstanceOf(InterruptedError);
    expect(error.hint).toContain(`zhbert mlm-head ${fixture.path("stopped")} --resume`);
    const { step } = await resumeMlmHead(fixture.path("stopped"), { runtime });
    expect(step).toBe(steps);
    const bytes = (name: string) => readFileSync(fixture.path(join(name, "model.safetensors")));
    expect(bytes("stopped").equals(bytes("straight"))).toBe(true);
    expect(existsSync(fixture.path("stopped/mlm-head-data"))).toBe(false);
  });

  test("refuses an encoder with gaps, and a folder that holds a run", async () => {
    const holed = new Map([...original].filter(([name]) => name !== "bert.encoder.layer.0.output.dense.bias"));
    await expect(trainMlmHead(await options("gaps", { model: variant("holed", holed) }))).rejects.toThrow(
      /layer\.0\.output\.dense\.bias/,
    );
    await expect(trainMlmHead(await options("trained"))).rejects.toThrow(FileError);
    expect(existsSync(fixture.path("trained/mlm-head-data"))).toBe(false);
  });
});
