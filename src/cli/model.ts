/** What commands that take a model have in common: where it may come from, and what is said when it is loaded. */
import { missingParts } from "../model/loading-report.ts";
import { BertModel } from "../node/bert-model.ts";
import type { DownloadOptions, DownloadProgress } from "../node/hub.ts";
import type { CommandArgument, CommandContext, CommandOption, Progress } from "./command.ts";
import { inMegabytes } from "./numbers.ts";
import { engineChoice } from "./runtime-options.ts";

/** The argument that names a model. */
export const modelArgument: CommandArgument = {
  name: "model",
  description: "a model's folder, weights file or zip, a TensorFlow prefix, or its name on the hub",
};

/** Options for models that come from the hub. */
export const hubOptions: readonly CommandOption[] = [
  { flags: "--revision <name>", description: "a model of the hub: its branch, tag or commit (default: main)" },
  {
    flags: "--mirror <url>",
    description: "a model of the hub: another address (default: HF_ENDPOINT, else the hub's)",
  },
  { flags: "--offline", description: "a model of the hub: take what is in the cache, without network" },
];

/** The options of a download as a command was given them, with its progress shown. */
export function downloadOptions({
  options,
  output,
  signal,
}: CommandContext): DownloadOptions & { readonly stop: () => void } {
  let progress: Progress | undefined;
  const onProgress = ({ doneBytes, totalBytes, path }: DownloadProgress) => {
    progress ??= output.progress({ total: inMegabytes(totalBytes), unit: "MB", label: "downloading" });
    progress.update(inMegabytes(doneBytes), { file: path });
  };
  return {
    revision: options["revision"],
    mirror: options["mirror"],
    offline: options["offline"],
    signal,
    onProgress,
    onNote: (text) => output.note(text),
    stop: () => progress?.stop(),
  };
}

/** Loads the model that a command was given with the engine that was asked for, and says on stderr what was repaired and what of its encoder is missing. */
export async function loadModel(context: CommandContext, name: string): Promise<BertModel> {
  const { stop, ...download } = downloadOptions(context);
  const model = await BertModel.fromPretrained(name, { ...download, ...engineChoice(context) });
  stop();
  for (const note of model.notes) context.output.note(note);
  for (const { part, warning } of missingParts(model.report.missing)) {
    if (part === "encoder") context.output.note(warning);
  }
  return model;
}
