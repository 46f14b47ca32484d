/**
 * A protocol: models x tasks x grid x seeds as a list of fine-tuning runs, each with a folder of its own. protocol-file.ts reads it
 * from YAML, node/protocol.ts runs it.
 */
import { sha256 } from "../../util/sha256.ts";

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

/** Every run, in the order in which they are made. */
export function cellsOf({
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

/** How many places a grid has. */
export function pointCount(grid: ProtocolTask["grid"]): number {
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

/** File systems hold 255 bytes, which are 85 Chinese characters. */
const MAX_NAME = 80;

/** A name as a folder's: letters, digits, dots and dashes, Chinese ones too; never `..`. Long ones end in a digest. */
export function folderName(name: string): string {
  const plain = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+|[.-]+$/g, "");
  if (plain === "") return `x${digestOf(name).slice(0, 8)}`;
  return plain.length <= MAX_NAME ? plain : `${plain.slice(0, MAX_NAME - 9)}-${digestOf(name).slice(0, 8)}`;
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
