/** What predict and evaluate have in common: a fine-tuned model by its name, and what is said when it is loaded. */
import { UsageError, verbatim } from "../errors.ts";
import { loadPretrained } from "../node/bert-model.ts";
import { engineOf } from "../node/run-hooks.ts";
import { taskModel } from "../tasks/pipeline/pipeline.ts";
import type { AnyTask } from "../tasks/task.ts";
import { taskOfModel } from "../tasks/task-files.ts";
import { findTaskDefinition } from "../tasks/tasks.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { downloadOptions } from "./model.ts";
import { openEngine } from "./runtime-options.ts";

/** Of predict and evaluate. */
export const windowsOption: CommandOption = {
  flags: "--windows",
  description:
    "classify, multilabel, regress: a text longer than the model's rows is scored in windows and their scores averaged, instead of cut",
};

/** Of predict and evaluate. */
export const constrainedOption: CommandOption = {
  flags: "--constrained",
  description: "ner: only tags may follow one another that the scheme allows (Viterbi; default: as fine-tuned)",
};

/** Says how many texts were cut. */
export function noteTruncated(
  { output, options }: CommandContext,
  { settings }: AnyTask,
  truncated: number,
  all: number,
): void {
  if (truncated === 0) return;
  if (settings.task === "qa") {
    output.note(`${truncated} of ${all} questions were too long and were cut; passages are read to their end`);
    return;
  }
  const isRead = options["windows"] || !canReadWindows(settings.task);
  const more = isRead ? "" : "; --windows reads single texts to their end";
  output.note(`${truncated} of ${all} were longer than the model's rows, and were cut as in training${more}`);
}

/** Whether a task has one score for a text that may be that of its windows. */
function canReadWindows(task: string): boolean {
  return findTaskDefinition(task).rules.longTexts?.holds("windows") ?? false;
}

/** @throws {UsageError} when --windows would change nothing. */
function expectWindowsFor(task: string): void {
  if (canReadWindows(task)) return;
  const readsAll = READ_WHOLE.includes(task);
  throw new UsageError({
    where: "--windows",
    expected: "a model that scores whole single texts (classify, multilabel, regress)",
    got: verbatim(`one for ${task}`),
    hint: readsAll
      ? `leave it out: models for ${task} read texts of any length to their end, in windows of their own`
      : "pairs, choices and texts of vectors are cut as in training: fine-tune with a larger --max-seq-length",
  });
}

/** Tasks that decide places in a text, whatever its length. */
const READ_WHOLE = ["ner", "qa"];

/** A model that predicts, and what it computes on. */
export interface LoadedTaskModel {
  readonly model: ReturnType<typeof taskModel>;
  readonly engine: EngineIdentity;
  release(): Promise<void>;
}

/**
 * Loads a fine-tuned model that a command was given with the engine that was asked for, and says on stderr what was repaired.
 * @throws {ConfigError} when it was fine-tuned for nothing: the hint says what to run. @throws {UsageError} when an option is not
 * for its task.
 */
export async function loadTaskModel(context: CommandContext, name: string): Promise<LoadedTaskModel> {
  const { stop, ...download } = downloadOptions(context);
  const loaded = await loadPretrained(name, download).finally(stop);
  for (const note of loaded.notes) context.output.note(note);
  const { windows, constrained } = context.options;
  if (windows) expectWindowsFor(taskOfModel(loaded).settings.task);
  const { runtime, release } = await openEngine(context, "inference", loaded.config);
  const model = taskModel(loaded, {
    runtime,
    name,
    ...(windows ? { longTexts: "windows" } : {}),
    ...(constrained ? { constrained: true } : {}),
  });
  return { model, engine: engineOf(runtime), release };
}
