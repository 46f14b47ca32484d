/** zhbert predict: labels, entities, answers or scores of texts by a fine-tuned model. */
import { createAtomicFile } from "../../node/files.ts";
import type { QuestionAnswer } from "../../tasks/qa/qa-answer.ts";
import { type AnyExample, isEmpty } from "../../tasks/records/data-advice.ts";
import { dataOfTask } from "../../tasks/tasks.ts";
import { given } from "../../util/given.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { explainOptions, openExplainer } from "../explained-texts.ts";
import { hubOptions, modelArgument } from "../model.ts";
import { wholeNumber } from "../numbers.ts";
import { lineReader, openPredictLines } from "../predict-lines.ts";
import { type PredictionResult, predictionText } from "../prediction-text.ts";
import { constrainedOption, type LoadedTaskModel, loadTaskModel, noteTruncated, windowsOption } from "../task-model.ts";
import { engineOptions, textProgress } from "../text-input.ts";

/** Labels that a terminal shows for a text. */
const SHOWN_LABELS = 3;

export default defineCommand({
  name: "predict",
  summary: "predict labels, entities, answers or scores with a fine-tuned model",
  arguments: [
    modelArgument,
    {
      name: "texts",
      description: "texts, `A ||| B` for a pair, or JSON objects; lines of --file or standard input when left out",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    {
      flags: "-f, --file <path>",
      description: "a text a line, or a JSON object a line with text, textPair, question, context, choices",
    },
    { flags: "-o, --output <path>", description: "write the results there as JSON lines" },
    { flags: "--context <path>", description: "question answering: the passage that the texts are questions about" },
    {
      flags: "-k, --top-k <n>",
      description: `the likeliest labels or answers, that many (default: all labels, ${SHOWN_LABELS} in a terminal; one answer)`,
      parse: wholeNumber("--top-k", 1),
    },
    windowsOption,
    constrainedOption,
    ...explainOptions,
    ...engineOptions,
    ...hubOptions,
  ],
  examples: [
    'zhbert predict out/ "这家酒店很干净，服务也好。"',
    'zhbert predict out/ "怎么开通花呗 ||| 花呗在哪里开通"',
    'zhbert predict qa/ "谁写了这本书？" --context passage.txt',
    'zhbert predict out/ "服务员很热情，就是有点吵。" --explain why.html --attention',
    "zhbert predict out/ --json --file texts.jsonl > predictions.jsonl",
  ],
  async run(context) {
    const { model, release } = await loadTaskModel(context, context.args["model"]);
    try {
      await predictAll(context, model);
    } finally {
      await release();
    }
  },
});

type TaskModel = LoadedTaskModel["model"];

async function predictAll(context: CommandContext, model: TaskModel): Promise<void> {
  const { options, output, signal } = context;
  const { task } = model;
  const input = await openPredictLines(context);
  const kind = dataOfTask(task.settings.task);
  const read = await lineReader(kind, context, input.where);
  // Examples wait here for their predictions, no more of them than the stream holds.
  const waiting: Record<string, unknown>[] = [];
  async function* examples() {
    let line = 0;
    for await (const text of input.lines) {
      line += 1;
      const example = read(text, line);
      if (example === undefined) continue;
      waiting.push(example);
      if (isEmpty(kind, example as unknown as AnyExample)) empty += 1;
      yield example;
    }
  }
  const explainer = await openExplainer(context, model);
  const progress = textProgress(output, "predict", input.count);
  let target: Results | undefined;
  let truncated = 0;
  let empty = 0;
  const predictOptions = {
    ...given({ batchTokens: options["batchTokens"] as number | undefined }),
    signal,
    onProgress: (done: number) => progress.update(done),
    onTruncated: () => {
      truncated += 1;
    },
  };
  let count = 0;
  try {
    target = await openResults(context);
    for await (const prediction of model.predict(examples(), predictOptions)) {
      const example = waiting.shift() as Record<string, unknown>;
      const result = { ...task.result(example, prediction), ...furtherAnswers(prediction, options) };
      await target.write(example, { ...result, ...(await explainer?.explain(example)) });
      count += 1;
    }
    progress.stop();
    await target.commit(count);
    await explainer?.commit();
    noteTruncated(context, task, truncated, count);
    if (empty > 0)
      output.note(`warning: ${empty} of ${count} had no text to read: what is predicted of them says nothing`);
  } finally {
    progress.stop();
    await explainer?.abort();
    await target?.abort();
  }
}

/** The best answers to a question, where more than one are asked for. */
function furtherAnswers(prediction: unknown, { topK }: CommandContext["options"]): { answers?: readonly object[] } {
  const { nBest } = prediction as { nBest?: QuestionAnswer["nBest"] };
  if (nBest === undefined || topK === undefined) return {};
  return { answers: nBest.slice(0, topK).map(({ answer, start, end, score }) => ({ answer, start, end, score })) };
}

interface Results {
  write(example: PredictionResult, result: PredictionResult): Promise<void>;
  commit(count: number): Promise<void>;
  abort(): Promise<void>;
}

/** Where results go: a file of JSON lines, JSON lines on stdout, or text for people. */
async function openResults({ options, output }: CommandContext): Promise<Results> {
  const path: string | undefined = options["output"];
  const topK: number | undefined = options["topK"];
  if (path === undefined) {
    const shown = topK ?? SHOWN_LABELS;
    return {
      write: async (example, result) => {
        output.json(firstLabels(result, topK));
        if (!output.isJson) output.print(predictionText(example, firstLabels(result, shown)));
      },
      commit: async () => undefined,
      abort: async () => undefined,
    };
  }
  const file = await createAtomicFile(path);
  const encoder = new TextEncoder();
  return {
    write: (_, result) => file.write(encoder.encode(`${JSON.stringify(firstLabels(result, topK))}\n`)),
    commit: async (count) => {
      await file.commit();
      output.json({ output: path, predictions: count });
      output.table(["output", "predictions"], [[path, count]]);
    },
    abort: () => file.abort(),
  };
}

function firstLabels(result: PredictionResult, count = Number.POSITIVE_INFINITY): PredictionResult {
  const { labels } = result;
  return Array.isArray(labels) && labels.length > count ? { ...result, labels: labels.slice(0, count) } : result;
}
