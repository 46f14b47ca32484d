/** A small model and labelled sentences that it can learn to tell apart, in a temporary folder; for tests of fine-tuning. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { initializeWeights } from "../src/model/initialize.ts";
import type { FineTuneOptions } from "../src/node/fine-tune.ts";
import { Random } from "../src/util/random.ts";
import { smallConfig, smallModelFolder } from "./small-model.ts";

const CHARACTERS = [..."今天气很我爱北京的一是不了在人有他这中大来上"];

/** Lines `label<TAB>text`: "yes" where the sentence has a 好. */
export function sentences(count: number, seed: number): string {
  const random = new Random(seed);
  const lines = Array.from({ length: count }, (_, i) => {
    const text = Array.from({ length: 2 + random.integer(9) }, () => CHARACTERS[random.integer(CHARACTERS.length)]);
    if (i % 2 === 0) text[random.integer(text.length)] = "好";
    return `${i % 2 === 0 ? "yes" : "no"}\t${text.join("")}\n`;
  });
  return `label\ttext\n${lines.join("")}`;
}

/** The folder, with what a run needs. */
export function fineTuningFixture() {
  const model = smallModelFolder(
    initializeWeights({ ...smallConfig, initializerRange: 0.3 }, new Random(3), { nextSentence: true }),
  );
  const path = (...names: string[]) => join(model.path, ...names);
  const [train, dev, test] = ["train.tsv", "dev.tsv", "test.tsv"].map((name, i) => {
    writeFileSync(path(name), sentences(i === 0 ? 50 : 23, i + 1));
    return path(name);
  }) as [string, string, string];
  const options = (name: string, more: Partial<FineTuneOptions> = {}): FineTuneOptions => ({
    model: model.path,
    data: { name: "classify", train, dev, test },
    output: path(name),
    task: { maxSeqLength: 16 },
    threads: 2,
    epochs: 3,
    batchSize: 8,
    learningRate: 3e-3,
    loggingSteps: 4,
    seed: 5,
    dropout: 0.1,
    ...more,
  });
  const bytes = (...names: string[]) => readFileSync(path(...names));
  return { path, train, dev, test, options, bytes, remove: model.remove };
}
