/** Tags of the characters of MSRA-NER's test set, random weights. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { TaggedExample } from "../src/tasks/examples.ts";
import type { Tagging } from "../src/tasks/ner/ner-decode.ts";
import { built } from "./built.ts";
import { benchFolder } from "./corpus.ts";
import { predictionBench } from "./predictions.ts";
import { taskFile } from "./text-stream.ts";

/** Longer ones are windows here, and cut off by the peer. */
const MAX_CHARACTERS = 500;

const labels = ["O", ...["PER", "LOC", "ORG"].flatMap((type) => [`B-${type}`, `I-${type}`])];

async function load(count: number): Promise<readonly TaggedExample[]> {
  const { loadTaskData } = await built("node/index");
  mkdirSync(benchFolder, { recursive: true });
  const test = `${benchFolder}sighan2006_test.txt`;
  writeFileSync(test, taskFile("msra_ner", "msra_ner/sighan2006_test.txt"));
  const { splits } = await loadTaskData({ name: "msra-ner", test, splits: ["test"] });
  const whole = (splits.test as readonly TaggedExample[]).filter(({ units }) => units.length <= MAX_CHARACTERS);
  return whole.slice(0, count);
}

export default predictionBench<TaggedExample, Tagging>(
  "from sentences of MSRA-NER test to tags; RBT3's size, fp32",
  {
    settings: { task: "ner", maxSeqLength: 512, labels, scheme: "IOB2", units: "characters" },
    load,
    plain: ({ text, units }) => units.map(([start, end]) => text.slice(start, end)),
    shown: ({ tags }) => tags,
    count: (taggings) => taggings.reduce((sum, { tags }) => sum + tags.length, 0),
  },
  4365,
);
