/** Which engine a command computes on: the same options in every command that computes. */
import type { BertConfig } from "../model/config.ts";
import { PRECISIONS, RUNTIMES } from "../node/choose-runtime.ts";
import { type EngineChoice, type OpenedRuntime, openRuntime } from "../node/runtimes.ts";
import { given } from "../util/given.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { wholeNumber } from "./numbers.ts";

/** Their defaults are in the text only: a resumed run takes its own where they are left out. */
export const runtimeOptions: readonly CommandOption[] = [
  {
    flags: "--runtime <name>",
    description: "the engine; auto is the faster one here, measured once (default: auto)",
    choices: ["auto", ...RUNTIMES],
  },
  {
    flags: "--precision <name>",
    description: "of matrix products; auto is bf16 where that is faster, int8 is of quantised models (default: f32)",
    choices: ["auto", ...PRECISIONS],
  },
  {
    flags: "--threads <n>",
    description: "threads of the engine (default: all processors)",
    parse: wholeNumber("--threads", 1),
  },
];

/** The same for commands that go on with runs. */
export const runRuntimeOptions: readonly CommandOption[] = runtimeOptions.map((option) => ({
  ...option,
  description: option.description.replace(/\)$/, "; a resumed run takes its own)"),
}));

/** The engine that a command was asked for. */
export function engineChoice({ options }: CommandContext): EngineChoice {
  const { runtime = "auto", precision, threads, streams } = options;
  return { runtime, ...given({ precision, threads, streams }) };
}

/** What a training run is told of its engine: which one, and where notes on it go. */
export function engineOfRun(context: CommandContext): EngineChoice & { readonly onNote: (text: string) => void } {
  return { ...engineChoice(context), onNote: (text) => context.output.note(text) };
}

/** Opens the engine that a command was asked for. @param config - of the model, where it is known. */
export function openEngine(
  context: CommandContext,
  mode: "inference" | "training",
  config?: BertConfig,
): Promise<OpenedRuntime> {
  const { onNote, ...choice } = engineOfRun(context);
  return openRuntime(choice, { mode, onNote, ...(config === undefined ? {} : { config }) });
}
