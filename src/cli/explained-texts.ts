/** predict --explain: explanations beside the predictions, gathered into one HTML file at the end. */
import { UsageError } from "../errors.ts";
import { createAtomicFile } from "../node/files.ts";
import { type ExplainedText, explanationReport } from "../report/explanation-report.ts";
import { attentionMaps } from "../tasks/pipeline/attention.ts";
import { type ExplainOptions, type Explanation, explain } from "../tasks/pipeline/explain.ts";
import { dataOfTask } from "../tasks/tasks.ts";
import { given } from "../util/given.ts";
import { several } from "../util/several.ts";
import type { CommandContext, CommandOption } from "./command.ts";
import { wholeNumber } from "./numbers.ts";
import type { LoadedTaskModel } from "./task-model.ts";
import { packageVersion } from "./version.ts";

/** A page of more texts is too long to read and to load; attention maps are a picture for each head. */
const MAX_TEXTS = { explained: 200, withAttention: 3 } as const;

/** Options of explanations. */
export const explainOptions: readonly CommandOption[] = [
  {
    flags: "--explain <file>",
    description:
      "also explain each score by integrated gradients: coloured characters as HTML; with --json beside the result",
  },
  {
    flags: "--explain-steps <n>",
    description: "points at which gradients are taken (default: 32)",
    parse: wholeNumber("--explain-steps", 2),
  },
  {
    flags: "--explain-baseline <token>",
    description: "what stands for no text: mask or pad (default: mask)",
    choices: ["mask", "pad"],
  },
  { flags: "--attention", description: "with --explain: the attention of each layer and head for the first texts" },
];

/** Explains texts as they are predicted. */
export interface Explainer {
  /** What `--json` has beside a result: an explanation, or of tagging one for each entity. */
  explain(
    example: object,
  ): Promise<{ readonly explanation: Explanation } | { readonly explanations: readonly Explanation[] }>;
  /** Writes the page. */
  commit(): Promise<void>;
  /** Leaves no file behind; does nothing after commit. */
  abort(): Promise<void>;
}

/**
 * The explainer that a command asks for; undefined without --explain.
 * @throws {UsageError} for options of explanations without it. @throws {FileError} when the page cannot be written, before anything
 * is computed.
 */
export async function openExplainer(
  { args, options, isGiven, output, signal }: CommandContext,
  model: LoadedTaskModel["model"],
): Promise<Explainer | undefined> {
  const path: string | undefined = options["explain"];
  if (path === undefined) {
    const alone = ["explainSteps", "explainBaseline", "attention"].find(isGiven);
    if (alone === undefined) return undefined;
    const flag = `--${alone.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError({ where: flag, expected: "--explain FILE beside it", got: options[alone] });
  }
  const steps: number | undefined = options["explainSteps"];
  const baseline: ExplainOptions["baseline"] = options["explainBaseline"];
  const texts: ExplainedText[] = [];
  const file = await createAtomicFile(path);
  let leftOut = 0;
  return {
    explain: async (example) => {
      const explanations = await explain(model, example, { ...given({ steps, baseline }), signal });
      const [explanation] = explanations;
      const { text = "" } = example as { readonly text?: string };
      const hasAttention = options["attention"] === true && texts.length < MAX_TEXTS.withAttention;
      if (texts.length >= MAX_TEXTS.explained) leftOut += 1;
      else {
        texts.push({
          texts: explanation?.texts ?? [{ name: "text", text }],
          explanations,
          ...(hasAttention ? { attention: await attentionMaps(model, example) } : {}),
        });
      }
      const isOne = explanation !== undefined && dataOfTask(model.task.settings.task) !== "ner";
      return isOne ? { explanation } : { explanations };
    },
    commit: async () => {
      const date = new Date().toISOString().slice(0, 10);
      const page = explanationReport({ model: args["model"], texts, leftOut }, { version: packageVersion(), date });
      await file.write(new TextEncoder().encode(page));
      await file.commit();
      const explained = several(texts.length, "explained text");
      output.note(`${path}: ${explained}, ${(file.bytesWritten / 1e3).toFixed(0)} kB`);
    },
    abort: () => file.abort(),
  };
}
