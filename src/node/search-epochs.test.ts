/** The rounds of a search where no epochs are said: those that are usual for the data set that is learned. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { smallConfig, smallModelFolder, smallVocabulary } from "../../test/small-model.ts";
import { InterruptedError } from "../errors.ts";
import { configToJson, parseConfig } from "../model/config.ts";
import { initializeWeights } from "../model/initialize.ts";
import { Random } from "../util/random.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { searchOptions } from "./search.ts";
import type { TaskDataOptions } from "./task-data.ts";

// What is usual for small models is the same for all data; ERNIE is told by 18,000 tokens and relu.
const fields = { vocab_size: 18_000, hidden_act: "relu" };
const config = parseConfig({ ...configToJson(smallConfig), ...fields }, "config.json");
const model = smallModelFolder(initializeWeights(config, new Random(1), { nextSentence: true }), fields);
const tokens = Array.from({ length: fields.vocab_size }, (_, id) => smallVocabulary.tokens[id] ?? `[unused${id}]`);
writeFileSync(join(model.path, "vocab.txt"), `${tokens.join("\n")}\n`);
rmSync(join(model.path, "tokenizer.json"));
const runtime = createOnnxRuntime({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), "zhbert-test-"));
const pairs = "天气很好\t天气好\tentailment\n我爱北京\t不爱\tcontradictory\n".repeat(8);
for (const file of ["multinli.train.zh.tsv", "xnli.dev.tsv"]) {
  writeFileSync(join(folder, file), `premise\thypo\tlabel\n${pairs}`);
}
afterAll(async () => {
  model.remove();
  rmSync(folder, { recursive: true });
  await runtime.dispose();
});

/** The evaluations of the longest run, as they are announced before the first one. */
async function epochsOf(data: TaskDataOptions): Promise<number | undefined> {
  const controller = new AbortController();
  let epochs: number | undefined;
  const found = searchOptions({
    model: model.path,
    task: data.name,
    options: {},
    optionsOf: (_, { epochs: said }) => ({
      ...(said === undefined ? {} : { epochs: Number(said) }),
      task: { maxSeqLength: 12 },
      data,
    }),
    grid: { learningRate: [0.001, 0.01] },
    output: mkdtempSync(join(folder, "search-")),
    runtime,
    signal: controller.signal,
    onStart: (rungs) => {
      epochs = rungs.at(-1)?.evaluations;
      controller.abort();
    },
  });
  await expect(found).rejects.toThrow(InterruptedError);
  return epochs;
}

test.each<[number, TaskDataOptions]>([
  [2, { name: "xnli", folder }],
  // A task that learns a published data set has its epochs.
  [2, { name: "classify", dataset: "xnli", folder }],
  [3, { name: "classify", train: join(folder, "xnli.dev.tsv"), dev: join(folder, "xnli.dev.tsv") }],
])("%d epochs of %j", async (epochs, data) => {
  expect(await epochsOf(data)).toBe(epochs);
});
