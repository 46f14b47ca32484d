/** What predict and evaluate have in common: a fine-tuned model by its name, and what is said when it is loaded. */
import { loadPretrained } from "../node/bert-model.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { taskModel } from "../tasks/pipeline.ts";
import type { CommandContext } from "./command.ts";
import { downloadOptions } from "./model.ts";

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
  return taskModel(loaded, { runtime, name });
}
