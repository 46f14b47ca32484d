/**
 * A protocol: models x tasks x grid x seeds as a list of fine-tuning runs, each with a folder of its own. Pure: it is read from
 * YAML, and node/protocol.ts runs it.
 */
import { LineCounter, parseDocument } from "yaml";
import { DataError, nearest, verbatim } from "../errors.ts";
import { sha256 } from "../util/sha256.ts";
import { fromYaml, type YamlFields } from "./yaml-fields.ts";

/** The value of an option of zhbert finetune. */
export type OptionValue = string | number | boolean;
/** Options of zhbert finetune by their camel-cased long names: `{ learningRate: 2e-5 }`. */
export type OptionValues = Readonly<Record<string, OptionValue>>;

/** A model of a protocol. */
export interface ProtocolModel {
  /** In tables. */
  readonly name: string;
  /** A folder, or a name on the hub. */
  readonly path: string;
  readonly options: OptionValues;
}

/** A task of a protocol: a known data set, or files of the user's own. */
export interface ProtocolTask {
  /** In tables. */
  readonly name: string;
  /** A known data set's name, or a task's: what follows `zhbert finetune`. */
  readonly task: string;
  readonly options: OptionValues;
  /** The values to try of some options; the best on dev is reported. */
  readonly grid: Readonly<Record<string, readonly OptionValue[]>>;
}

/** One fine-tuning run. */
export interface ProtocolCell {
  readonly model: ProtocolModel;
  readonly task: ProtocolTask;
  /** The place in the task's grid: the options that it sets. */
  readonly point: OptionValues;
  readonly seed: number;
  /** All options of the run: the protocol's, then the task's, the model's, and the point. */
  readonly options: OptionValues;
  /** Within the protocol's folder; models, tasks, points and seeds do not share one. */
  readonly folder: string;
}

/** What is to be run. */
export interface Protocol {
  readonly title: string;
  /** The folder of results, where the file names one. */
  readonly output?: string;
  readonly seeds: readonly number[];
  readonly models: readonly ProtocolModel[];
  readonly tasks: readonly ProtocolTask[];
  /** The model that others are compared with in per cent; the first when not named. */
  readonly baseline: string;
  readonly cells: readonly ProtocolCell[];
}

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
  return Object.fromEntries(
    fields.scalars().map(([key, value]) => {
      expectFree(fields, key);
      return [readOption(camelCased(key), value, fields.at(key)), value];
    }),
  );
}

function gridOf(fields: YamlFields | undefined, readOption: ReadOption): ProtocolTask["grid"] {
  if (fields === undefined) return {};
  return Object.fromEntries(
    fields.keys().map((key) => {
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

function cellsOf({
  models,
  tasks,
  seeds,
  common,
}: Pick<Protocol, "models" | "tasks" | "seeds"> & { readonly common: OptionValues }): ProtocolCell[] {
  // Seeds outside: an interrupted protocol has a result of every model and task first, not all runs of one.
  return seeds.flatMap((seed) =>
    tasks.flatMap((task) =>
      models.flatMap((model) =>
        pointsOf(task.grid).map((point) => {
          const options = { ...common, ...task.options, ...model.options, ...point };
          return { model, task, point, seed, options, folder: cellFolder({ model, task, point, seed, options }) };
        }),
      ),
    ),
  );
}

function pointCount(grid: ProtocolTask["grid"]): number {
  return Object.values(grid).reduce((product, values) => product * values.length, 1);
}

/** Every combination of the values of a grid; one point without options where there is no grid. */
export function pointsOf(grid: ProtocolTask["grid"]): OptionValues[] {
  let points: OptionValues[] = [{}];
  for (const [name, values] of Object.entries(grid)) {
    points = points.flatMap((point) => values.map((value) => ({ ...point, [name]: value })));
  }
  return points;
}

/** rbt3/chnsenticorp/learningRate-2e-5-seed-1-0f3a9c2b: the digest keeps runs with other options apart. */
function cellFolder({ model, task, point, seed, options }: Omit<ProtocolCell, "folder">): string {
  const digest = digestOf({ model: model.path, task: task.task, options, seed }).slice(0, 8);
  const run = `${Object.keys(point).length === 0 ? "" : `${pointName(point)}-`}seed-${seed}-${digest}`;
  return [folderName(model.name), folderName(task.name), run].join("/");
}

/** A place of a grid as the name of a folder: learningRate-2e-5-epochs-3. */
export function pointName(point: OptionValues): string {
  const named = Object.entries(point).map(([name, value]) => `${name}-${written(value)}`);
  return folderName(named.length === 0 ? "all" : named.join("-"));
}

/** A name as a folder's: letters, digits, dots and dashes, Chinese ones too; never `..`. */
function folderName(name: string): string {
  const plain = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+|[.-]+$/g, "");
  return plain === "" ? `x${digestOf(name).slice(0, 8)}` : plain.slice(0, 80);
}

/** 2e-5, not 0.00002. */
export function written(value: OptionValue): string {
  if (typeof value !== "number") return String(value);
  return value !== 0 && Math.abs(value) < 1e-2 ? value.toExponential() : String(value);
}

/** The SHA-256 digest of a value as JSON with sorted keys: equal values have equal digests. */
export function digestOf(value: unknown): string {
  return sha256(new TextEncoder().encode(JSON.stringify(sorted(value))));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}
