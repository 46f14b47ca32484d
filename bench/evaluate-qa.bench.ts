/** Answers to the questions of CMRC 2018's dev set: windows of 384 tokens over the passages, random weights. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { QuestionExample } from "../src/tasks/examples.ts";
import type { QuestionAnswer } from "../src/tasks/qa/qa-answer.ts";
import { built } from "./built.ts";
import { benchFolder } from "./corpus.ts";
import { predictionBench } from "./predictions.ts";
import { taskFile } from "./text-stream.ts";

/** Transformers' run_qa.py takes windows by their overlap, and every one for every answer. */
const settings = { task: "qa", maxSeqLength: 384, windowOverlap: 128, widestContextOnly: false };

async function load(count: number): Promise<readonly QuestionExample[]> {
  const { loadTaskData } = await built("node/index");
  mkdirSync(benchFolder, { recursive: true });
  const dev = `${benchFolder}cmrc2018_dev.json`;
  writeFileSync(dev, taskFile("cmrc2018", "cmrc2018/squad-style/cmrc2018_dev.json"));
  const { splits } = await loadTaskData({ name: "cmrc2018", dev, splits: ["dev"] });
  return (splits.dev as readonly QuestionExample[]).slice(0, count);
}

export default predictionBench<QuestionExample, QuestionAnswer>(
  "from questions and passages of CMRC 2018 dev to answers; RBT3's size, fp32",
  {
    settings,
    load,
    plain: ({ question, context }) => ({ question, context }),
    shown: ({ answer }) => answer,
    count: (answers) => answers.length,
  },
  400,
);
