/** `zhbert evaluate` of a fine-tuned model on labelled data: metrics, classes, confusions, the worst errors, a report. */
import { type AtomicFile, createAtomicFile } from "../node/files.ts";
import { evaluationReport } from "../report/evaluation-report.ts";
import { writtenMetric, writtenRows } from "../report/values.ts";
import { predictionFileOf, type QuestionAnswer } from "../tasks/qa/qa-answer.ts";
import { type AnyExample, emptyNotes } from "../tasks/records/data-advice.ts";
import { withLabelNames } from "../tasks/records/labels.ts";
import type { Evaluation, EvaluationError } from "../tasks/task.ts";
import { expectKnownLabels } from "../tasks/task-batches.ts";
import { given } from "../util/given.ts";
import type { CommandContext, Output } from "./command.ts";
import { type Example, isFolder, labelledExamples, loadExamples, noteText } from "./labelled-data.ts";
import { harmless } from "./output.ts";
import { type LoadedTaskModel, loadTaskModel, noteTruncated } from "./task-model.ts";
import { textProgress } from "./text-input.ts";
import { packageVersion } from "./version.ts";

type TaskModel = LoadedTaskModel["model"];

/** Evaluates and prints; `data` is a file or a folder of labelled data. */
export async function evaluateFineTuned(context: CommandContext, name: string, data: string): Promise<void> {
  const { options, output } = context;
  const { model, engine, release } = await loadTaskModel(context, name);
  let [kept, report]: (AtomicFile | undefined)[] = [];
  try {
    const { task } = model;
    // A place that cannot be written is told before hours of work, and the metrics are told whatever becomes of the files.
    kept = await openAskedFor(options["predictions"]);
    report = await openAskedFor(options["report"]);
    const { loaded, split } = await loadExamples(context, task.settings.task, data);
    for (const note of loaded.notes) output.note(noteText(note));
    const examples = labelledExamples(loaded, split, data, options["maxExamples"]);
    const empty = emptyNotes(loaded.kind, { [split]: examples as readonly unknown[] as readonly AnyExample[] });
    for (const note of empty) output.note(noteText(note));
    expectKnownLabels(task, examples);
    const predictions = await predictAll(model, examples, context);
    const evaluation = task.evaluate(examples, predictions);
    const { title } = loaded;
    const notes = [...loaded.notes, ...empty].filter(({ level }) => level === "warning").map(({ message }) => message);
    const facts = { model: name, data, task: task.settings.task, examples: examples.length, engine };
    output.json({
      ...facts,
      split,
      ...evaluation.metrics,
      positiveLabel: evaluation.positiveLabel,
      tables: evaluation.tables,
      confusion: evaluation.confusion,
    });
    output.print(`${name} on ${title}: ${examples.length} examples of ${data}${isFolder(data) ? ` (${split})` : ""}\n`);
    const shown = withLabelNames(evaluation, loaded.labelNames);
    printEvaluation(shown, options["errors"], output);
    if (kept !== undefined) await writePredictions(kept, model, examples, predictions);
    if (report === undefined) return;
    const { primaryMetric } = task;
    const date = new Date().toISOString().slice(0, 10);
    const page = evaluationReport(
      { ...facts, primaryMetric, evaluation: shown, notes },
      { version: packageVersion(), date },
    );
    await report.write(encoder.encode(page));
    await report.commit();
    output.note(`${report.path}: the report, ${(report.bytesWritten / 1e3).toFixed(0)} kB`);
  } finally {
    await Promise.all([kept?.abort(), report?.abort()]);
    await release();
  }
}

const encoder = new TextEncoder();

async function openAskedFor(path: string | undefined): Promise<AtomicFile | undefined> {
  return path === undefined ? undefined : createAtomicFile(path);
}

async function predictAll(model: TaskModel, examples: readonly Example[], context: CommandContext): Promise<unknown[]> {
  const { options, output, signal } = context;
  const progress = textProgress(output, "evaluate", examples.length);
  const { batchTokens } = options;
  const onProgress = (done: number) => progress.update(done);
  const predictions: unknown[] = [];
  let truncated = 0;
  const onTruncated = () => {
    truncated += 1;
  };
  try {
    for await (const prediction of model.predict(examples, {
      ...given({ batchTokens }),
      signal,
      onProgress,
      onTruncated,
    })) {
      predictions.push(prediction);
    }
  } finally {
    progress.stop();
  }
  noteTruncated(context, model.task, truncated, examples.length);
  return predictions;
}

/** One JSON object a line with what was expected; of reading comprehension in a .json file the answers by id, as CMRC's and SQuAD's scripts read them. */
async function writePredictions(
  file: AtomicFile,
  { task }: TaskModel,
  examples: readonly Example[],
  predictions: readonly unknown[],
): Promise<void> {
  if (task.settings.task === "qa" && file.path.endsWith(".json")) {
    await file.write(encoder.encode(predictionFileOf(predictions as readonly QuestionAnswer[])));
    return file.commit();
  }
  for (const [i, prediction] of predictions.entries()) {
    const example = examples[i] as Example;
    const expected = expectedOf(example);
    await file.write(encoder.encode(`${JSON.stringify({ ...task.result(example, prediction), expected })}\n`));
  }
  await file.commit();
}

function expectedOf({ label, labels, score, tags, answers }: Example): unknown {
  return label ?? labels ?? score ?? tags ?? answers;
}

/** A wider matrix does not fit a terminal. */
const MAX_SHOWN_CLASSES = 12;

function printEvaluation(
  { metrics, positiveLabel, tables = [], confusion, errors }: Evaluation,
  shownErrors: number,
  output: Output,
): void {
  const rows = Object.entries(metrics).map(([name, value]) => [name, plain(writtenMetric(name, value))]);
  output.table(["metric", "value"], rows);
  if (positiveLabel !== undefined) output.print(`precision, recall, f1 and rocAuc are of the label ${positiveLabel}`);
  for (const { title, columns, rows: cells } of tables) {
    output.print(`\n${title}`);
    output.table(
      columns,
      writtenRows(columns, cells).map((row) => row.map((cell) => (typeof cell === "string" ? plain(cell) : cell))),
    );
  }
  if (confusion !== undefined) printConfusion(confusion, output);
  const worst = errors.slice(0, shownErrors);
  if (worst.length === 0) return;
  output.print(`\nworst errors (${worst.length} of ${errors.length})`);
  const hasScores = worst.some(({ score }) => score !== undefined);
  output.table(
    ["expected", "predicted", ...(hasScores ? ["probability"] : []), "text"],
    worst.map((error) => errorRow(error, hasScores)),
  );
}

function printConfusion({ labels, counts }: NonNullable<Evaluation["confusion"]>, output: Output): void {
  if (labels.length <= MAX_SHOWN_CLASSES) {
    output.print("\nconfusion: rows expected, columns predicted");
    output.table(
      ["", ...labels],
      labels.map((label, row) => [label, ...(counts[row] ?? [])]),
    );
    return;
  }
  const pairs = counts.flatMap((row, expected) =>
    row.flatMap((count, predicted) => (count === 0 || expected === predicted ? [] : [{ count, expected, predicted }])),
  );
  const most = pairs.sort((a, b) => b.count - a.count).slice(0, MAX_SHOWN_CLASSES);
  output.print("\nconfused most");
  output.table(
    ["expected", "predicted", "times"],
    most.map(({ count, expected, predicted }) => [labels[expected] ?? "", labels[predicted] ?? "", count]),
  );
}

const MAX_SHOWN_CHARACTERS = 50;

function errorRow({ text, expected, predicted, score }: EvaluationError, hasScores: boolean): string[] {
  const probability = score === undefined ? "" : plain(writtenMetric("share", score));
  const [wanted, found] = [expected, predicted].map((one) => (one === "" ? "nothing" : short(one)));
  return [wanted as string, found as string, ...(hasScores ? [probability] : []), short(text)];
}

function short(text: string): string {
  const characters = [...harmless(text.replace(/\s+/g, " "))];
  if (characters.length <= MAX_SHOWN_CHARACTERS) return characters.join("");
  return `${characters.slice(0, MAX_SHOWN_CHARACTERS).join("")}…`;
}

/** Terminals have no lines to break at. */
function plain(text: string): string {
  return text.replaceAll("\u00a0", " ");
}
