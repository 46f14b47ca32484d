/** Reads a protocol from YAML: what is wrong is said with its line. */
import { LineCounter, parseDocument } from "yaml";
import { DataError, nearest, verbatim } from "../../errors.ts";
import {
  cellsOf,
  folderName,
  type OptionValue,
  type OptionValues,
  type Protocol,
  type ProtocolModel,
  type ProtocolTask,
  pointCount,
} from "./protocol.ts";
import { fromYaml, type YamlFields } from "./yaml-fields.ts";

/** A file of more is no protocol. */
const MAX_CHARACTERS = 1 << 20;
/** So many runs would take years. */
const MAX_RUNS = 10_000;
const MAX_SEEDS = 1000;
/** What a published table gives: ten runs. Fewer are quicker; one run would say nothing of chance. */
const DEFAULT_RUNS = 3;

/**
 * Checks an option of a run, and gives the name under which it is kept: options may have several.
 * @throws {ZhbertError} when there is no such option, or not of this value.
 */
export type ReadOption = (name: string, value: OptionValue, where: string) => string;

/**
 * Reads a protocol from YAML.
 * @param where - the file's name, for messages.
 * @param readOption - checks the options of runs.
 * @throws {DataError} that names the line.
 */
export function parseProtocol(text: string, where: string, readOption: ReadOption = (name) => name): Protocol {
  const fields = parseYaml(text, where);
  fields.expectKeys(["title", "output", "seeds", "runs", "models", "tasks", "options", "grid", "baseline"]);
  const read = { options: (from: YamlFields | undefined) => optionsOf(from, readOption) };
  const common = read.options(fields.record("options"));
  const commonGrid = gridOf(fields.record("grid"), readOption);
  const models = fields.list("models").map((entry) => modelOf(entry, read.options));
  const tasks = fields.list("tasks").map((entry) => taskOf(entry, read.options, readOption, commonGrid));
  expectUnlike(fields, "models", models);
  expectUnlike(fields, "tasks", tasks);
  const seeds = seedsOf(fields);
  const output = fields.text("output");
  const baseline = fields.text("baseline") ?? (models[0] as ProtocolModel).name;
  if (!models.some(({ name }) => name === baseline)) {
    const names = models.map(({ name }) => name);
    const near = nearest(baseline, names);
    fields.fail("baseline", "the name of one of the models", baseline, `they are ${near ?? names.join(", ")}`);
  }
  const runs = models.length * seeds.length * tasks.reduce((sum, { grid }) => sum + pointCount(grid), 0);
  if (runs > MAX_RUNS) {
    fields.fail("tasks", `at most ${MAX_RUNS} runs in all`, runs, "take fewer seeds or grid values");
  }
  const cells = cellsOf({ models, tasks, seeds, common });
  const title = fields.text("title") ?? "Fine-tuning protocol";
  return { title, ...(output === undefined ? {} : { output }), seeds, models, tasks, baseline, cells };
}

function parseYaml(text: string, where: string): YamlFields {
  if (text.length > MAX_CHARACTERS) {
    throw new DataError({ where, expected: `at most ${MAX_CHARACTERS} characters`, got: text.length });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line;
    throw new DataError({
      where: line === undefined ? where : `${where} line ${line}`,
      expected: "YAML",
      got: verbatim(problem.message.split("\n")[0] ?? "something else"),
      hint: "indent by spaces, and put texts that hold a colon or # into quotes",
    });
  }
  return fromYaml(document, lines, where);
}

/** `seeds: [1, 2, 3]`, or `runs: 10` for the seeds 1 to 10. */
function seedsOf(fields: YamlFields): readonly number[] {
  const seeds = fields.numbers("seeds");
  const runs = fields.number("runs");
  if (seeds !== undefined && runs !== undefined) {
    fields.fail("runs", "seeds or runs, not both", runs, "seeds: [1, 2, 3] says the same as runs: 3");
  }
  if (seeds !== undefined) {
    const wrong = seeds.find((seed, i) => !Number.isSafeInteger(seed) || seed < 0 || seeds.indexOf(seed) !== i);
    if (wrong !== undefined || seeds.length === 0 || seeds.length > MAX_SEEDS) {
      fields.fail(
        "seeds",
        "whole numbers of 0 or more, each once",
        wrong ?? seeds.length,
        "for example: seeds: [1, 2, 3]",
      );
    }
    return seeds;
  }
  const count = runs ?? DEFAULT_RUNS;
  if (!Number.isSafeInteger(count) || count < 1 || count > MAX_SEEDS) {
    fields.fail("runs", `a whole number from 1 to ${MAX_SEEDS}`, count, "for example: runs: 10");
  }
  return Array.from({ length: count }, (_, i) => i + 1);
}

type ReadOptions = (from: YamlFields | undefined) => OptionValues;

/** `- hfl/rbt3`, or `- { name: RBT3, path: models/rbt3, options: { ... } }`. */
function modelOf(entry: YamlFields | string, readOptions: ReadOptions): ProtocolModel {
  if (typeof entry === "string") return { name: entry, path: entry, options: {} };
  entry.expectKeys(["name", "path", "options"]);
  const path = entry.requiredText("path", "the model's folder or its name on the hub");
  return { name: entry.text("name") ?? path, path, options: readOptions(entry.record("options")) };
}

/** What of a task's entry is not for the run. */
const TASK_KEYS = ["name", "task", "dataset", "options", "grid"];

/** `- { dataset: chnsenticorp, data: folder }`; every other key is an option of the run. */
function taskOf(
  entry: YamlFields | string,
  readOptions: ReadOptions,
  readOption: ReadOption,
  commonGrid: ProtocolTask["grid"],
): ProtocolTask {
  if (typeof entry === "string") return { name: entry, task: entry, options: {}, grid: commonGrid };
  const [dataset, kind] = [entry.text("dataset"), entry.text("task")];
  if (dataset !== undefined && kind !== undefined) {
    entry.fail("task", "dataset or task, not both", kind, "a known data set's task is known");
  }
  const task =
    dataset ?? kind ?? entry.requiredText("dataset", "a data set's name, or task: with one of zhbert finetune");
  return {
    name: entry.text("name") ?? task,
    task,
    options: { ...readOptions(entry.without(TASK_KEYS)), ...readOptions(entry.record("options")) },
    grid: { ...commonGrid, ...gridOf(entry.record("grid"), readOption) },
  };
}

function optionsOf(fields: YamlFields | undefined, readOption: ReadOption): OptionValues {
  if (fields === undefined) return {};
  const read = fields.scalars().map(([key, value]): [string, OptionValue] => {
    expectFree(fields, key);
    return [readOption(camelCased(key), value, fields.at(key)), value];
  });
  return eachOnce(fields, read);
}

/** Options may have several names: the same one twice would hide the first. */
function eachOnce<Value>(fields: YamlFields, entries: readonly [name: string, value: Value][]): Record<string, Value> {
  const names = entries.map(([name]) => name);
  const twice = names.findIndex((name, i) => names.indexOf(name) !== i);
  if (twice >= 0) {
    const [key, first] = [twice, names.indexOf(names[twice] as string)].map((i) => fields.keys()[i] as string);
    fields.fail(key as string, "each option once", key, `${first} is another name of it`);
  }
  return Object.fromEntries(entries);
}

function gridOf(fields: YamlFields | undefined, readOption: ReadOption): ProtocolTask["grid"] {
  if (fields === undefined) return {};
  return eachOnce(
    fields,
    fields.keys().map((key): [string, readonly OptionValue[]] => {
      expectFree(fields, key);
      const values = fields.scalarList(key);
      if (values.length === 0 || new Set(values).size !== values.length) {
        fields.fail(
          key,
          "at least one value, each once",
          values.length,
          "for example: learning-rate: [2e-5, 3e-5, 5e-5]",
        );
      }
      const names = values.map((value) => readOption(camelCased(key), value, fields.at(key)));
      return [names[0] as string, values];
    }),
  );
}

/** What the protocol sets itself. */
const OWN_OPTIONS = ["seed", "runs", "model", "output", "resume", "overwrite"];

function expectFree(fields: YamlFields, key: string): void {
  if (!OWN_OPTIONS.includes(camelCased(key))) return;
  fields.fail(key, "an option that the protocol does not set itself", key, "models, seeds and output stand at the top");
}

/** learning-rate as learningRate: options may be written as on the command line. */
function camelCased(name: string): string {
  return name.replace(/-+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function expectUnlike(fields: YamlFields, key: string, entries: readonly { readonly name: string }[]): void {
  const folders = entries.map(({ name }) => folderName(name));
  const twice = entries.find((_, i) => folders.indexOf(folders[i] as string) !== i);
  if (twice !== undefined)
    fields.fail(key, "names that are unlike each other", twice.name, "give one of them another name:");
}
