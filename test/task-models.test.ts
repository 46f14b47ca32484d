/** Fine-tuned models between zhbert and Transformers: each loads what the other saves, and says the same of the same texts. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TASK_FILE } from "../src/inference/load-model.ts";
import { pipeline } from "../src/node/pipeline.ts";
import { describeLibrary, PYTHON_TIMEOUT_MS, runPython } from "./real-python.ts";
import { smallTaskFolder } from "./small-task.ts";

const TEXTS = ["今天天气很好", ["我爱北京", "他在上海"], "不"] as const;
const inputs = TEXTS.map((text) => (typeof text === "string" ? text : { text: text[0], textPair: text[1] }));
/** Float32 over two layers, on other engines. */
const DIGITS = 5;

const labels = ["好", "不好", "一般"];
const CLASSIFIERS = [
  { task: "classify", labels, problem: "single_label_classification" },
  { task: "match", labels: ["LABEL_0", "LABEL_1"], problem: "single_label_classification" },
  { task: "multilabel", labels, problem: "multi_label_classification" },
  { task: "regress", labels: ["score"], problem: "regression" },
] as const;

describeLibrary(["transformers", "torch"], "fine-tuned models and Transformers", (python) => {
  const run = (folder: string, name: string, texts: unknown) => {
    const saved = join(folder, "saved");
    return { saved, found: runPython(python, "task_models.py", [folder, name, JSON.stringify(texts), saved]) };
  };

  /** Label by label. */
  async function classified(folder: string): Promise<Record<string, number>[]> {
    const classify = await pipeline("text-classification", folder);
    const found: Record<string, number>[] = [];
    for (const input of inputs) {
      const scored = await classify(input, { topK: null });
      found.push(Object.fromEntries(scored.map(({ label, score }) => [label, score])));
    }
    await classify.dispose();
    return found;
  }

  const expectScores = (found: readonly Record<string, number>[], wanted: readonly Record<string, number>[]) => {
    expect(found.map((scores) => Object.keys(scores).sort())).toEqual(
      wanted.map((scores) => Object.keys(scores).sort()),
    );
    for (const [i, scores] of wanted.entries()) {
      for (const [label, score] of Object.entries(scores)) expect(found[i]?.[label]).toBeCloseTo(score, DIGITS);
    }
  };

  test.each(CLASSIFIERS)(
    "$task",
    async ({ task, labels: names, problem }) => {
      const folder = smallTaskFolder({ task, maxSeqLength: 16, labels: names });
      const { saved, found } = run(folder.path, "BertForSequenceClassification", TEXTS);
      expect([found.missing, found.unexpected]).toEqual([[], []]);
      expect(found.problem_type).toBe(problem);
      expect(Object.values(found.id2label)).toEqual(names);
      // One of the texts is alone, which match does not take; Transformers knows of no such task.
      if (task !== "match") expectScores(await classified(folder.path), found.scores);
      expect(existsSync(join(saved, TASK_FILE))).toBe(false);
      expectScores(await classified(saved), found.scores);
      folder.remove();
    },
    PYTHON_TIMEOUT_MS,
  );

  test(
    "choice",
    async () => {
      const folder = smallTaskFolder({ task: "choice", maxSeqLength: 16 });
      const question = { context: "今天天气很好", question: "他在", choices: ["北京", "上海中", "大人"] };
      const texts = [question.choices.map((choice) => [question.context, `${question.question} ${choice}`])];
      const { saved, found } = run(folder.path, "BertForMultipleChoice", texts);
      expect([found.missing, found.unexpected]).toEqual([[], []]);
      const powers = (found.logits[0] as number[]).map(Math.exp);
      const sum = powers.reduce((total, power) => total + power, 0);
      for (const path of [folder.path, saved]) {
        const choose = await pipeline("multiple-choice", path);
        for (const { index, score } of await choose(question)) {
          expect(score).toBeCloseTo((powers[index] as number) / sum, DIGITS);
        }
        await choose.dispose();
      }
      folder.remove();
    },
    PYTHON_TIMEOUT_MS,
  );
});
