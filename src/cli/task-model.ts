/** What predict and evaluate have in common: a fine-tuned model by its name, and what is said when it is loaded. */
import { loadPretrained } from "../node/bert-model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { taskModel } from "../tasks/pipeline/pipeline.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { downloadOptions } from "./model.ts";

/** Of predict and evaluate. */
export const windowsOption: CommandOption = {
  flags: "--windows",
  description: "a text longer than the model's rows is scored in windows and their scores averaged, instead of cut",
};

/** Of predict and evaluate. */
export const constrainedOption: CommandOption = {
  flags: "--constrained",
  description: "ner: only tags may follow one another that the scheme allows (Viterbi; default: as fine-tuned)",
};

/** Says how many texts were cut. */
export function noteTruncated({ output, options }: CommandContext, truncated: number, all: number): void {
  if (truncated === 0) return;
  const more = options["windows"] ? "" : "; --windows reads single texts to their end";
  output.note(`${truncated} of ${all} were longer than the model's rows, and were cut as in training${more}`);
}

/**
 * Loads a fine-tuned model that a command was given, and says on stderr what was repaired.
 * @throws {ConfigError} when it was fine-tuned for nothing: the hint says what to run.
 */
export async function loadTaskModel(
  context: CommandContext,
  name: string,
  { runtime }: { readonly runtime: Runtime },
): Promise<ReturnType<typeof taskModel>> {
  const { stop, ...download } = downloadOptions(context);
  const loaded = await loadPretrained(name, download).finally(stop);
  for (const note of loaded.notes) context.output.note(note);
  const { windows, constrained } = context.options;
  return taskModel(loaded, {
    runtime,
    name,
    ...(windows ? { longTexts: "windows" } : {}),
    ...(constrained ? { constrained: true } : {}),
  });
}
