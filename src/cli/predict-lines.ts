/** What predict reads: texts, pairs and JSON objects, a line each, as examples of the model's task. */
import { DataError, UsageError, verbatim } from "../errors.ts";
import { readText } from "../node/files.ts";
import type { TaskName } from "../tasks/datasets/dataset.ts";
import { exampleOfInput } from "../tasks/pipeline/predict-input.ts";
import { parseJson } from "../tasks/records/parse-json.ts";
import type { CommandContext } from "./command.ts";
import { openTexts, pairOf } from "./text-input.ts";

/** Lines to predict from. */
export interface PredictLines {
  /** Undefined where it is not known before the end. */
  readonly count: number | undefined;
  readonly lines: AsyncIterable<string> | Iterable<string>;
  /** What the lines are called in messages. */
  readonly where: string;
}

/** The texts of the command line, or the lines of a file or of standard input. */
export async function openPredictLines(context: CommandContext): Promise<PredictLines> {
  const { args, options } = context;
  const texts: readonly string[] = args["texts"] ?? [];
  if (texts.length > 0 && options["file"] !== undefined) {
    throw new UsageError({ where: "--file", expected: "no texts beside it", got: options["file"] });
  }
  if (texts.length > 0) return { count: texts.length, lines: texts, where: "text" };
  const { count, lines } = await openTexts(options["file"], context);
  const path: string | undefined = options["file"];
  return { count, lines, where: `${path === undefined || path === "-" ? "standard input" : path} line` };
}

/**
 * From a line to an example: JSON objects by their fields; other lines are texts or, with ` ||| ` between, pairs; of reading
 * comprehension they are questions about the passage of --context. Between objects a blank line is nothing, else a text without
 * characters.
 * @param where - what lines are called in messages.
 * @returns undefined for a line to be left out.
 * @throws {UsageError} when the task needs what lines of text do not have.
 */
export async function lineReader(
  task: TaskName,
  { options }: Pick<CommandContext, "options">,
  where: string,
): Promise<(line: string, number: number) => Record<string, unknown> | undefined> {
  const path: string | undefined = options["context"];
  if (path !== undefined && task !== "qa") {
    throw new UsageError({ where: "--context", expected: "a model that answers questions", got: verbatim(task) });
  }
  const context = path === undefined ? undefined : await readText(path);
  let hasObjects = NEEDS_OBJECTS.includes(task) && context === undefined;
  return (line, number) => {
    if (hasObjects && line.trim() === "") return undefined;
    const isObject = line.trimStart().startsWith("{");
    hasObjects ||= isObject;
    const at = `${where} ${number}`;
    const value = isObject ? parseJson(line, where.replace(/ line$/, ""), number) : textOf(line, task, context, at);
    return exampleOfInput(task, value, at) as unknown as Record<string, unknown>;
  };
}

/** Tasks that a single line of text does not do for. */
const NEEDS_OBJECTS: readonly TaskName[] = ["qa", "choice"];

function textOf(line: string, task: TaskName, context: string | undefined, where: string): unknown {
  if (task === "ner") return line;
  if (task === "qa" && context !== undefined) return { question: line, context };
  if (task !== "qa" && task !== "choice") return pairOf(line);
  const fields =
    task === "qa" ? '{"question": "...", "context": "..."}' : '{"question": "...", "choices": ["...", "..."]}';
  throw new DataError({
    where,
    expected: `a JSON object: ${fields}`,
    got: line.slice(0, 40),
    hint: task === "qa" ? "or give the passage with --context passage.txt, and questions as lines" : "write one a line",
  });
}
