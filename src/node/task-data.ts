/** Labelled data for fine-tuning and evaluation: a published data set in a folder, or anyone's files, as examples by split. */

import type { FileEncoding } from "../data/decode-text.ts";
import { ArgumentError, DataError, FileError, verbatim } from "../errors.ts";
import type { Dataset, ExamplesByTask, ReadExamples, TaskName } from "../tasks/datasets/dataset.ts";
import { findDataset } from "../tasks/datasets/datasets.ts";
import { splitFiles } from "../tasks/datasets/split-files.ts";
import type { TaggedExample, TextExample } from "../tasks/examples.ts";
import { type NamedData, namedData } from "../tasks/named-data.ts";
import type { ColumnChoices } from "../tasks/records/columns.ts";
import type { DataNote } from "../tasks/records/data-note.ts";
import { inferLabels } from "../tasks/records/labels.ts";
import type { RecordFormat } from "../tasks/records/records.ts";
import { holdOut, isLabelled, sampleExamples } from "../tasks/records/split-examples.ts";
import { readUserExamples } from "../tasks/records/user-examples.ts";
import { several } from "../util/several.ts";
import { filesUnder, readTextFile } from "./labelled-files.ts";

/** Where labelled data is and how it is read. */
export interface TaskDataOptions {
  /** A data set's name (`chnsenticorp`), or a task's (`classify`) for people's own data. */
  readonly name: string;
  /** With a task's name: the data set that it is to learn, such as `sts-b` for `embed`. */
  readonly dataset?: string;
  /** The data set's folder; of people's own data, one with train.*, dev.* and test.*. */
  readonly folder?: string;
  /** Files of splits; each stands for the folder's. */
  readonly train?: string;
  readonly dev?: string;
  readonly test?: string;
  /** What is loaded: train, dev and test when left out; of a data set also its further splits (trial, challenge). */
  readonly splits?: readonly string[];
  /** Of these only the first one that has labels is read, and those before it. */
  readonly isOneEnough?: boolean;
  /** Of people's own data. */
  readonly columns?: ColumnChoices;
  readonly format?: RecordFormat;
  readonly header?: boolean;
  /** Told by the bytes when left out. */
  readonly encoding?: FileEncoding;
  /** More training examples are left out, drawn by the seed. */
  readonly maxTrainExamples?: number;
  /** 0.1: of the training examples, held out where there is no dev split. */
  readonly devShare?: number;
  /** 0; of the draws. */
  readonly seed?: number;
}

/** Examples by split. */
export interface TaskSplits<Example> {
  readonly train?: readonly Example[];
  readonly dev?: readonly Example[];
  readonly test?: readonly Example[];
  readonly [split: string]: readonly Example[] | undefined;
}

/** Labelled data, loaded. */
export interface TaskData<Kind extends TaskName = TaskName> {
  /** The name of the task. */
  readonly task: string;
  /** The kind of the examples. */
  readonly kind: Kind;
  /** Undefined for people's own data. */
  readonly dataset: Dataset | undefined;
  /** For tables: the data set's title, or the task's name. */
  readonly title: string;
  readonly splits: TaskSplits<ExamplesByTask[Kind]>;
  /** The files that were read, by split. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** Whether dev is a part of the training file. */
  readonly isDevHeldOut: boolean;
  /** classify, match, multilabel: the labels in the order of the model's outputs; ner: the data set's entity types. */
  readonly labels: readonly string[] | undefined;
  /** ner: the tags of the training file, also of examples that are held out or outside of the sample. */
  readonly tags?: readonly string[];
  /** Labels in words, where the data set has such. */
  readonly labelNames: Readonly<Record<string, string>>;
  /** What people should know: columns taken, encodings guessed, records left out, sizes that differ, what was held out. */
  readonly notes: readonly DataNote[];
}

/** Data of any kind; `kind` tells which. */
export type AnyTaskData = { readonly [Kind in TaskName]: TaskData<Kind> }[TaskName];

type AnyExample = ExamplesByTask[TaskName];

/** Train, dev and test, and what further splits the data set has; those that are not there are left out when loaded. */
export function everySplit({ name, dataset = name }: Pick<TaskDataOptions, "name" | "dataset">): string[] {
  return [...new Set([...DEFAULT_SPLITS, ...Object.keys(findDataset(dataset)?.splits ?? {})])];
}

const DEFAULT_SPLITS = ["train", "dev", "test"];
const DEFAULT_DEV_SHARE = 0.1;

/**
 * Loads labelled data; splits that are not there are left out.
 * @throws {ArgumentError} when the name is no data set's and no task's, or nothing says where the data is.
 * @throws {FileError} when files are missing. @throws {DataError} when they cannot be read, with their line.
 * @throws {CorpusError} when they are no text in one encoding.
 */
export async function loadTaskData(options: TaskDataOptions): Promise<AnyTaskData> {
  const loader = new TaskDataLoader(options);
  return loader.load();
}

class TaskDataLoader {
  readonly #options: TaskDataOptions;
  readonly #definition: NamedData["definition"];
  readonly #kind: TaskName;
  readonly #dataset: NamedData["dataset"];
  readonly #notes: DataNote[] = [];
  readonly #splits: Record<string, readonly AnyExample[]> = {};
  readonly #files: Record<string, readonly string[]> = {};
  #isDevHeldOut = false;

  constructor(options: TaskDataOptions) {
    this.#options = options;
    const { definition, dataset } = namedData(options.name, options.dataset);
    this.#definition = definition;
    this.#kind = definition.reads;
    this.#dataset = dataset;
  }

  async load(): Promise<AnyTaskData> {
    const { folder, splits = DEFAULT_SPLITS, isOneEnough = false, maxTrainExamples, seed = 0 } = this.#options;
    const paths = folder === undefined ? [] : await filesUnder(folder);
    for (const split of splits) {
      await this.#loadSplit(split, paths);
      if (isOneEnough && this.#splits[split]?.some((example) => isLabelled(this.#kind, example))) break;
    }
    if (Object.keys(this.#splits).length === 0) throw this.#nothingFound(paths, splits);
    if (splits.includes("train")) this.#checkTrain();
    // Those of the whole file: a rare one may be among what is held out, or outside of the sample.
    const [inferred, tags] = [this.#inferredLabels(), this.#tags()];
    if (splits.includes("dev")) this.#holdOutDev();
    const train = this.#splits["train"];
    if (train !== undefined && maxTrainExamples !== undefined && train.length > maxTrainExamples) {
      this.#splits["train"] = sampleExamples(train, maxTrainExamples, seed);
      const message = `${count(maxTrainExamples)} of ${count(train.length)} training examples are taken, drawn by seed ${seed}`;
      this.#note("train-sample", "info", message, { taken: maxTrainExamples, there: train.length });
    }
    const dataset = this.#dataset;
    return {
      task: this.#definition.name,
      kind: this.#kind,
      dataset,
      title: dataset?.title ?? this.#definition.name,
      splits: this.#splits,
      files: this.#files,
      isDevHeldOut: this.#isDevHeldOut,
      labels: dataset?.labels ?? inferred,
      ...(tags === undefined ? {} : { tags }),
      labelNames: dataset?.labelNames ?? {},
      notes: this.#notes,
    } as AnyTaskData;
  }

  async #loadSplit(split: string, paths: readonly string[]): Promise<void> {
    const { folder = "" } = this.#options;
    const named = this.#options[split as "train" | "dev" | "test"];
    const used = new Set(Object.values(this.#files).flat());
    const free = paths.filter((path) => !used.has(join(folder, path)));
    const found =
      typeof named === "string" ? [named] : splitFiles(free, this.#namesOf(split)).map((path) => join(folder, path));
    if (found.length === 0) return;
    const examples = await this.#read(found, split);
    const labelled = examples.reduce((sum, example) => sum + (isLabelled(this.#kind, example) ? 1 : 0), 0);
    if (labelled === 0 && split === "dev" && named === undefined) return;
    const isMissed = split !== "train" || !this.#definition.learnsWithoutLabels;
    if (labelled < examples.length && isMissed) this.#noteUnlabelled(split, labelled, examples.length);
    // What has no label among others that have cannot be measured on; training refuses it, as it may be a mistake.
    const isMixed = split !== "train" && labelled > 0 && labelled < examples.length;
    this.#files[split] = found;
    this.#splits[split] = isMixed ? examples.filter((example) => isLabelled(this.#kind, example)) : examples;
    this.#checkSize(split, examples.length);
  }

  #namesOf(split: string): readonly (string | readonly string[])[] {
    if (this.#dataset === undefined) return ownNames[split] ?? [`${split}.*`];
    const known = this.#dataset.splits[split];
    if (known !== undefined || DEFAULT_SPLITS.includes(split)) return known?.files ?? [];
    const expected = `a split of ${this.#dataset.title}: ${Object.keys(this.#dataset.splits).join(", ")}`;
    throw new ArgumentError({ where: "split", expected, got: split });
  }

  async #read(paths: readonly string[], split: string): Promise<readonly AnyExample[]> {
    const { encoding, columns, format, header } = this.#options;
    const examples: AnyExample[] = [];
    const skipped = new Map<string, number>();
    for (const path of paths) {
      const { text, encoding: found, isGuessed } = await readTextFile(path, encoding);
      if (isGuessed)
        this.#note(
          "encoding",
          "info",
          `${path} is read as ${found.toUpperCase()}, as its bytes look`,
          {},
          `--encoding ${found}`,
        );
      const read =
        this.#dataset === undefined
          ? await readUserExamples(this.#kind, path, text, {
              ...(columns === undefined ? {} : { columns }),
              ...(format === undefined ? {} : { format }),
              ...(header === undefined ? {} : { header }),
            })
          : asKind(this.#kind, await this.#dataset.read({ path, text }, split));
      for (const example of read.examples) examples.push(example);
      for (const [reason, times] of Object.entries(read.skipped ?? {})) {
        if (times > 0) skipped.set(reason, (skipped.get(reason) ?? 0) + times);
      }
      this.#notes.push(...(read.notes ?? []));
    }
    for (const [reason, times] of skipped) {
      this.#note("skipped", "info", `${split}: ${count(times)} records are left out: ${reason}`, { skipped: times });
    }
    if (examples.length > 0) return examples;
    const where = paths.join(", ");
    throw new DataError({
      where,
      expected: "examples",
      got: verbatim("an empty file"),
      hint: "check that the file is complete",
    });
  }

  #checkTrain(): void {
    const train = this.#splits["train"];
    if (train === undefined || this.#definition.learnsWithoutLabels) return;
    if (train.some((example) => isLabelled(this.#kind, example))) return;
    throw new DataError({
      where: (this.#files["train"] ?? []).join(", "),
      expected: "labels to train on",
      got: verbatim("none"),
      hint: whereLabelsAre[this.#kind] ?? "say where they are with --label-column (or --score-column)",
    });
  }

  #holdOutDev(): void {
    const { devShare = DEFAULT_DEV_SHARE, seed = 0 } = this.#options;
    const { train, dev } = this.#splits;
    if (dev !== undefined || train === undefined) return;
    if (!train.some((example) => isLabelled(this.#kind, example))) {
      this.#note(
        "no-dev",
        "info",
        "examples without labels cannot be measured on: none are held out",
        {},
        "--dev FILE",
      );
      return;
    }
    const parts = holdOut(train, devShare, seed);
    if (parts.train.length === 0 || parts.heldOut.length === 0) {
      const few = several(train.length, "training example");
      const reason =
        parts.heldOut.length > 0 ? `${few} of one text cannot be parted` : `nothing can be held out of ${few}`;
      const message = `there is no dev split, and ${reason}: nothing is measured while training`;
      this.#note("no-dev", "warning", message, { there: train.length }, "--dev FILE, or a higher --dev-share");
      return;
    }
    this.#splits["train"] = parts.train;
    this.#splits["dev"] = parts.heldOut;
    this.#isDevHeldOut = true;
    const message = `there is no dev split: ${count(parts.heldOut.length)} of ${count(train.length)} training examples are held out, drawn by seed ${seed}`;
    this.#note("held-out", "info", message, { heldOut: parts.heldOut.length, there: train.length }, "--dev FILE");
  }

  #checkSize(split: string, found: number): void {
    const known = this.#dataset?.splits[split]?.count;
    if (known === undefined || [known].flat().includes(found)) return;
    const published = [known]
      .flat()
      .map((size) => count(size))
      .join(" or ");
    const message = `${this.#dataset?.title} ${split} has ${count(found)} examples here and ${published} where it is published: scores are comparable only on the same data`;
    this.#note("split-size", "warning", message, { found, published: [known].flat()[0] as number });
  }

  #noteUnlabelled(split: string, labelled: number, all: number): void {
    const isNone = labelled === 0;
    const what = isNone ? "no labels" : `${count(all - labelled)} of ${count(all)} examples without a label`;
    const leftOut = split === "train" ? "" : ": they are left out";
    const message = `${split} has ${what}${isNone ? ": it can be predicted, not evaluated" : leftOut}`;
    this.#note("unlabelled", split === "test" && isNone ? "info" : "warning", message, { labelled, examples: all });
  }

  #inferredLabels(): readonly string[] | undefined {
    if (!["classify", "match", "multilabel"].includes(this.#kind)) return undefined;
    const { train, dev, test } = this.#splits;
    const labels = new Set<string>();
    for (const example of train ?? dev ?? test ?? []) {
      const { label, labels: several } = example as { label?: string; labels?: readonly string[] };
      for (const name of several ?? (label === undefined ? [] : [label])) labels.add(name);
    }
    return inferLabels(labels);
  }

  #tags(): readonly string[] | undefined {
    const { train } = this.#splits;
    if (this.#kind !== "ner" || train === undefined) return undefined;
    const tags = new Set<string>();
    for (const example of train as readonly TaggedExample[]) for (const tag of example.tags ?? []) tags.add(tag);
    return [...tags];
  }

  #nothingFound(paths: readonly string[], splits: readonly string[]): Error {
    const { folder, name } = this.#options;
    if (folder === undefined) {
      const got = verbatim("neither a folder nor files");
      const hint = this.#dataset === undefined ? "say --train FILE (and --dev, --test)" : "say --data FOLDER";
      return new ArgumentError({ where: name, expected: "where the data is", got, hint });
    }
    const howElse = splits.includes("train")
      ? "name files one by one with --train, --dev and --test"
      : "give the file itself, or name another split";
    const names = splits.map((split) => `${split}: ${this.#namesOf(split).flat().slice(0, 3).join(" or ")}`);
    const shown = paths.length === 0 ? "no files" : `${paths.slice(0, 6).join(", ")}${paths.length > 6 ? ", ..." : ""}`;
    const source =
      this.#dataset === undefined ? "" : `; ${this.#dataset.title} is published by ${this.#dataset.source}`;
    return new FileError({
      where: folder,
      expected: `the files of ${this.#dataset?.title ?? "a data set"} (${names.join("; ")})`,
      got: verbatim(shown),
      hint: `${howElse}${source}`,
    });
  }

  #note(
    kind: string,
    level: "info" | "warning",
    message: string,
    measured: Record<string, number> = {},
    run?: string,
  ): void {
    const hasNumbers = Object.keys(measured).length > 0;
    this.#notes.push({
      kind,
      level,
      message,
      ...(hasNumbers ? { measured } : {}),
      ...(run === undefined ? {} : { run }),
    });
  }
}

/** Where no option names a column. */
const whereLabelsAre: Readonly<Partial<Record<TaskName, string>>> = {
  ner: "give a unit and its tag a line (--format conll), or records with tags or entities",
  qa: "give questions with their answers, as SQuAD's files or records have them",
  choice: "give each question its answer: as text, number from 0 or letter",
};

/** Names that people give their own splits. */
const ownNames: Readonly<Record<string, readonly string[]>> = {
  train: ["train.*", "training.*", "*_train.*", "*.train.*"],
  dev: ["dev.*", "valid.*", "validation.*", "val.*", "eval.*", "*_dev.*", "*.dev.*"],
  test: ["test.*", "testing.*", "*_test.*", "*.test.*"],
};

/** Pairs with a label of 0 or 1 are scored by it; scored pairs are what vectors are measured on as they are. */
function asKind(kind: TaskName, read: ReadExamples<AnyExample>): ReadExamples<AnyExample> {
  if (kind !== "embed") return read;
  const examples = read.examples.map((example) => {
    const { label, ...rest } = example as TextExample;
    return label === undefined || !/^[01]$/.test(label) ? rest : { ...rest, score: Number(label) };
  });
  return { ...read, examples };
}

function count(number: number): string {
  return number.toLocaleString("en");
}

function join(folder: string, path: string): string {
  return folder === "" || folder.endsWith("/") ? `${folder}${path}` : `${folder}/${path}`;
}
