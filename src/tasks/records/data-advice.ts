/**
 * What labelled data itself says about how training will go, before an hour is spent on it: each note has a measurement behind
 * it and says what to do. What needs a tokeniser is in token-advice.ts.
 */

import { several } from "../../util/several.ts";
import type { ExamplesByTask, TaskName } from "../datasets/dataset.ts";
import { type DataNote, percent } from "./data-note.ts";
import { countLabels } from "./labels.ts";

/** An example of any task. */
export type AnyExample = ExamplesByTask[TaskName];

/** Examples by split, as loadTaskData gives them. */
export type ExampleSplits = Readonly<Record<string, readonly AnyExample[] | undefined>>;

/** How often each label occurs in each split: for a table that is shown before training. */
export interface LabelCounts {
  readonly splits: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    /** By split, in the order of `splits`. */
    readonly counts: readonly number[];
    /** Of the first split, in [0, 1]. */
    readonly share: number;
  }[];
}

/** The commonest class has so many times the examples of the rarest: a model then learns to ignore the rare one. */
const IMBALANCE = 10;
/** Classifiers of the literature have at most some hundred labels; so many in little data are texts or numbers. */
const MANY_LABELS = 20;
/** A share of examples that are also in training: fewer are accidents of collecting, more change the scores. */
const OVERLAP_SHARE = 0.005;
/** Of spaces between Chinese characters: running text has next to none, segmented text one for every two characters. */
const SEGMENTED_SHARE = 0.2;

const count = (number: number): string => number.toLocaleString("en");

/**
 * What is noticed of labelled data.
 * @param splits - `train` first of all; others are compared with it.
 * @param isPublished - of a published data set, whose overlaps and contradictions are in the published scores as well.
 */
export function dataNotes(task: TaskName, splits: ExampleSplits, isPublished = false): DataNote[] {
  return [
    ...labelNotes(task, splits),
    ...emptyNotes(task, splits),
    ...[...overlapNotes(task, splits), ...contradictionNotes(splits["train"] ?? [])].map((note) =>
      isPublished ? asPublished(note) : note,
    ),
    ...segmentationNotes(splits["train"] ?? Object.values(splits)[0] ?? []),
  ];
}

/** Nothing is to be changed about it: scores compare with published ones on the same data only. */
function asPublished(note: DataNote): DataNote {
  const { kind, message, measured = {} } = note;
  // None is published with one file twice: somebody has copied it.
  if (kind === "overlap" && isSameData(measured["share"] ?? 0)) return note;
  return { kind, level: "info", message: `${message} (the data set is published like this)`, measured };
}

/**
 * How often each label occurs, by split; undefined for tasks without classes.
 * @param labels - the order of rows; those of the data when left out.
 */
export function labelCounts(
  task: TaskName,
  splits: ExampleSplits,
  labels?: readonly string[],
): LabelCounts | undefined {
  if (!["classify", "match", "multilabel", "ner"].includes(task)) return undefined;
  const counted = Object.entries(splits).flatMap(([split, examples]) =>
    examples === undefined ? [] : [{ split, counts: countLabels(examples.flatMap(classesOf)) }],
  );
  const names = new Set([...(labels ?? []), ...counted.flatMap(({ counts }) => [...counts.keys()])]);
  const total = [...(counted[0]?.counts.values() ?? [])].reduce((sum, number) => sum + number, 0);
  return {
    splits: counted.map(({ split }) => split),
    rows: [...names].map((label) => ({
      label,
      counts: counted.map(({ counts }) => counts.get(label) ?? 0),
      share: (counted[0]?.counts.get(label) ?? 0) / Math.max(1, total),
    })),
  };
}

/** The classes that an example counts for; of tags the types of entities, at their first unit. */
function classesOf(example: AnyExample): readonly string[] {
  if ("units" in example) {
    const starts = example.tags?.filter(
      (tag, i) => tag !== "O" && !/^[IMELi]-/.test(tag) && tag !== example.tags?.[i - 1],
    );
    return starts?.map((tag) => tag.replace(/^[A-Z]-/, "")) ?? [];
  }
  if ("labels" in example) return example.labels ?? [];
  return "label" in example && typeof example.label === "string" ? [example.label] : [];
}

function labelNotes(task: TaskName, splits: ExampleSplits): DataNote[] {
  const table = labelCounts(task, splits);
  if (table === undefined || table.splits[0] !== "train") return [];
  const notes: DataNote[] = [];
  const trained = table.rows.filter(({ counts }) => (counts[0] ?? 0) > 0);
  if (trained.length === 1 && task !== "ner") {
    const message = `all training examples have the label ${trained[0]?.label}: there is nothing to tell apart`;
    notes.push({ kind: "one-class", level: "warning", message, measured: { classes: 1 } });
  }
  const examples = splits["train"]?.length ?? 0;
  if (trained.length > Math.max(MANY_LABELS, examples / 4) && task !== "ner") {
    const message = `${count(examples)} training examples have ${count(trained.length)} different labels, such as ${JSON.stringify(trained[0]?.label.slice(0, 30))}: is it the right column?`;
    const measured = { labels: trained.length, examples };
    notes.push({ kind: "many-labels", level: "warning", message, measured, run: "--label-column NAME" });
  }
  table.splits.slice(1).forEach((split, i) => {
    const unseen = table.rows.filter(({ counts }) => (counts[0] ?? 0) === 0 && (counts[i + 1] ?? 0) > 0);
    if (unseen.length === 0) return;
    const examples = unseen.reduce((sum, { counts }) => sum + (counts[i + 1] ?? 0), 0);
    const message = `${split} has ${list(unseen.map(({ label }) => label))}, which no training example has (${several(examples, "time")}): no model can learn ${unseen.length === 1 ? "it" : "them"} from this data`;
    notes.push({ kind: "unseen-labels", level: "warning", message, measured: { labels: unseen.length, examples } });
  });
  const numbers = trained.map(({ counts }) => counts[0] ?? 0);
  // No spread: a wrong column can give as many labels as examples.
  const rarest = numbers.reduce((least, number) => Math.min(least, number), Number.POSITIVE_INFINITY);
  const commonest = numbers.reduce((most, number) => Math.max(most, number), 0);
  if (trained.length > 1 && commonest / rarest >= IMBALANCE && task !== "ner") {
    const [most, least] = [commonest, rarest].map(
      (number) => trained.find(({ counts }) => counts[0] === number)?.label,
    );
    notes.push({
      kind: "imbalance",
      level: "warning",
      message: `the label ${most} has ${count(commonest)} training examples and ${least} has ${count(rarest)}: accuracy says little of the rare ones, look at macro F1`,
      measured: { commonest, rarest, majorityShare: commonest / numbers.reduce((sum, number) => sum + number, 0) },
      run: "--class-weights balanced",
    });
  }
  return notes;
}

/** Which splits have examples without a character to read. */
export function emptyNotes(task: TaskName, splits: ExampleSplits): DataNote[] {
  return Object.entries(splits).flatMap(([split, examples = []]): DataNote[] => {
    const places = examples.flatMap((example, i) => (isEmpty(task, example) ? [i] : []));
    if (places.length === 0) return [];
    const message = `${split} has ${several(places.length, "empty text")} (the first is example ${(places[0] as number) + 1})`;
    const measured = { empty: places.length, examples: examples.length };
    return [
      {
        kind: "empty-texts",
        level: "warning",
        message,
        measured,
        run: "take them out, or name another column of texts",
      },
    ];
  });
}

/** Whether a text of an example has nothing to read, or a pair lacks one. */
export function isEmpty(task: TaskName, example: AnyExample): boolean {
  // A question may be in its choices alone, which end a sentence of the passage.
  const texts = "choices" in example ? example.choices : textsOf(example);
  return texts.some((text) => text.trim() === "") || (task === "match" && texts.length < 2);
}

/** All that a model reads of an example. */
export function textsOf(example: AnyExample): readonly string[] {
  if ("context" in example)
    return "choices" in example ? [example.question, ...example.choices] : [example.context, example.question];
  return "textPair" in example && example.textPair !== undefined ? [example.text, example.textPair] : [example.text];
}

/**
 * What stays of a text when case, width, spaces and punctuation do not count: copies often differ in these alone. A text of
 * nothing else is itself.
 */
function keyOf(example: AnyExample): string {
  const texts = textsOf(example);
  const key = texts.join("\u0001").normalize("NFKC").toLowerCase();
  const letters = key.replace(/[\p{P}\p{S}\s]+/gu, "");
  return letters.length < texts.length ? key : letters;
}

function isSameData(share: number): boolean {
  return share > 0.99;
}

function overlapNotes(task: TaskName, splits: ExampleSplits): DataNote[] {
  const { train, ...others } = splits;
  if (train === undefined || task === "embed") return [];
  const seen = new Set(train.map(keyOf));
  return Object.entries(others).flatMap(([split, examples = []]): DataNote[] => {
    const overlapping = examples.filter((example) => seen.has(keyOf(example))).length;
    const share = overlapping / Math.max(1, examples.length);
    if (share < OVERLAP_SHARE) return [];
    const isEqual = isSameData(share);
    const message = isEqual
      ? `${split} is the training data again (${percent(share)} of its examples): its scores say how well a model remembers`
      : `${count(overlapping)} of ${count(examples.length)} examples of ${split} are also in train, apart from spaces and punctuation: scores are higher than on new texts`;
    const run = isEqual
      ? `another --${split} FILE, or none: a part of train is then held out`
      : `take them out of ${split} or of train`;
    return [{ kind: "overlap", level: "warning", message, measured: { overlapping, share }, run }];
  });
}

/** The same text with two labels: the best possible score is below 1. */
function contradictionNotes(train: readonly AnyExample[]): DataNote[] {
  const labels = new Map<string, string>();
  const conflicting = new Set<string>();
  for (const example of train) {
    if (!("label" in example) || "choices" in example || example.label === undefined) continue;
    const key = keyOf(example);
    const before = labels.get(key);
    if (before === undefined) labels.set(key, example.label);
    else if (before !== example.label) conflicting.add(key);
  }
  if (conflicting.size === 0) return [];
  const share = conflicting.size / Math.max(1, labels.size);
  const message = `${count(conflicting.size)} texts of train (${percent(share)}) occur with different labels`;
  return [
    {
      kind: "contradictions",
      level: share > 0.01 ? "warning" : "info",
      message,
      measured: { texts: conflicting.size, share },
    },
  ];
}

const SAMPLE = 2000;

function segmentationNotes(examples: readonly AnyExample[]): DataNote[] {
  let characters = 0;
  let spaces = 0;
  for (const text of examples.slice(0, SAMPLE).flatMap(textsOf)) {
    characters += text.match(/\p{sc=Han}/gu)?.length ?? 0;
    spaces += text.match(/(?<=\p{sc=Han}) (?=\p{sc=Han})/gu)?.length ?? 0;
  }
  const share = spaces / Math.max(1, characters);
  if (share < SEGMENTED_SHARE) return [];
  return [
    {
      kind: "segmented",
      level: "info",
      message: `texts look segmented into words (${share.toFixed(2)} spaces for each Chinese character): the model reads characters and needs none, whole words matter in pre-training only`,
      measured: { spacesPerCharacter: share },
      run: "the texts as they were before segmentation; predictions then fit text that people type",
    },
  ];
}

function list(names: readonly string[]): string {
  const shown = names
    .slice(0, 5)
    .map((name) => JSON.stringify(name))
    .join(", ");
  return `the label${names.length === 1 ? "" : "s"} ${shown}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
}
