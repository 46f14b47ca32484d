/**
 * A published data set by name: its files, how they are read, and what is known of it. Nothing is downloaded: people have the
 * files. To add one, write a file with a `defineDataset({ ... })` beside this one and name it in datasets.ts.
 */

import type {
  ChoiceExample,
  MultiLabelExample,
  QuestionExample,
  ScoredExample,
  SimilarityExample,
  TaggedExample,
  TextExample,
} from "../examples.ts";
import type { DataNote } from "../records/data-note.ts";

/** The kinds of labelled data, each by the task that first comes to mind; a task says which kind it reads. */
export interface ExamplesByTask {
  readonly classify: TextExample;
  readonly match: TextExample;
  readonly multilabel: MultiLabelExample;
  readonly regress: ScoredExample;
  readonly ner: TaggedExample;
  readonly qa: QuestionExample;
  readonly choice: ChoiceExample;
  readonly embed: SimilarityExample;
}

/** A kind of labelled data. */
export type TaskName = keyof ExamplesByTask;

/** The text of one file of a data set. */
export interface DatasetFile {
  /** The path in the data set's folder, with `/`; some layouts say the label by it. Messages name it. */
  readonly path: string;
  /** The whole text, decoded, without a byte order mark. */
  readonly text: string;
}

/** What a reader makes of one file. */
export interface ReadExamples<Example> {
  readonly examples: readonly Example[];
  /** How many records were left out, by the reason in words: `{ "no label that annotators agree on": 37 }`. */
  readonly skipped?: Readonly<Record<string, number>>;
  readonly notes?: readonly DataNote[];
}

/** The files of a split, and how much is in them. */
export interface DatasetSplit {
  /**
   * The names under which the split is found, the best first; a name in a list needs all of the list (`["a.json", "b.json"]`).
   *
   * A name is the end of a path (`train.tsv`, `full/dev.json`), in any letter case, packed or not (.gz, .xz, .zst); `*` stands
   * for anything within a file's or folder's name, and such a name takes every file that it matches.
   */
  readonly files: readonly (string | readonly string[])[];
  /** How many examples the split has where it is published; several where publications differ. */
  readonly count?: number | readonly number[];
}

/** A published data set. */
export interface Dataset<Task extends TaskName = TaskName> {
  /** On the command line: lower case, without spaces. */
  readonly name: string;
  /** Other names that people use for it, in lower case. */
  readonly aliases?: readonly string[];
  /** In tables; the key of the published scores and learning rates where there are such. */
  readonly title: string;
  readonly task: Task;
  /** Where it was published: an address, and the paper. */
  readonly source: string;
  /** As its source states it; "none stated" where it states none. */
  readonly licence: string;
  /** By name: train, dev, test, and what else there is (trial, challenge). */
  readonly splits: Readonly<Record<string, DatasetSplit>>;
  /**
   * The examples of one file.
   * @param split - the split's name; splits of one data set may have different layouts.
   * @throws {DataError} at what is not the data set's layout; `where` names file and line.
   */
  read(
    file: DatasetFile,
    split: string,
  ): ReadExamples<ExamplesByTask[Task]> | Promise<ReadExamples<ExamplesByTask[Task]>>;
  /** The labels (for ner: entity types) as the files spell them, in the order of the model's outputs. */
  readonly labels?: readonly string[];
  /** Labels in words: `{ "0": "negative" }`. */
  readonly labelNames?: Readonly<Record<string, string>>;
  /** By which the best checkpoint is chosen: "accuracy", "f1", "spearman". */
  readonly primaryMetric: string;
  /** Tokens that the published results were had with, or that hold nearly all texts. */
  readonly maxSeqLength: number;
}

/** A data set of any task; `task` tells which. */
export type AnyDataset = { readonly [Task in TaskName]: Dataset<Task> }[TaskName];

/** A data set, checked by its types. */
export function defineDataset<Task extends TaskName>(dataset: Dataset<Task>): Dataset<Task> {
  return dataset;
}
