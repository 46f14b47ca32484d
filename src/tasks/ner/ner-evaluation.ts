/** What predicted tags are worth: entities, words or tags against those of the data, with what went wrong. */
import { DataError, verbatim } from "../../errors.ts";
import type { Span, TaggedExample } from "../examples.ts";
import {
  type EntityReport,
  type SpanErrorKind,
  type SpanScores,
  scoreSpans,
  spanErrors,
  tagAccuracy,
} from "../metrics/entity-metrics.ts";
import { expectGiven } from "../sequence-task.ts";
import type { Evaluation, EvaluationError, SpanCounts } from "../task.ts";
import type { LabelScheme } from "./ner-settings.ts";
import { spansOf, strictSpans, type TagSpan } from "./tag-schemes.ts";

/** An example with its tags, in the scheme of the labels, and the predicted ones. */
export interface TaggedPair {
  readonly example: TaggedExample;
  readonly expected: readonly string[];
  readonly predicted: readonly string[];
  /** In [0, 1]; how sure the model was of each tag. */
  readonly scores: readonly number[];
}

/** @throws {DataError} when an example has no tags, or predictions are over other units. */
export function pairOf(
  example: TaggedExample,
  expected: readonly string[] | undefined,
  predicted: { readonly tags: readonly string[]; readonly scores: readonly number[] },
): TaggedPair {
  const tags = expectGiven(expected, example, "tags");
  if (tags.length === predicted.tags.length) {
    return { example, expected: tags, predicted: predicted.tags, scores: predicted.scores };
  }
  throw new DataError({
    where: `evaluation data: example ${example.id ?? JSON.stringify(example.text.slice(0, 20))}`,
    expected: `predictions for its ${tags.length} units`,
    got: verbatim(`${predicted.tags.length}`),
  });
}

/** The metrics of predictions, by what the tags are: entities, words, or tags by themselves. */
export function evaluateTags(pairs: readonly TaggedPair[], scheme: LabelScheme): Evaluation {
  const accuracy = tagAccuracy(
    pairs.map(({ expected }) => expected),
    pairs.map(({ predicted }) => predicted),
  );
  const read = (tags: readonly string[]) => spansOf(tags, scheme);
  const [expected, predicted] = [pairs.map((pair) => read(pair.expected)), pairs.map((pair) => read(pair.predicted))];
  const report = scoreSpans(expected, predicted);
  const errors = errorsOf(pairs, expected, predicted);
  if (scheme === "plain") {
    const metrics = { accuracy, macroF1: report.macro.f1 };
    return { metrics, tables: [scoreTable("By tag", report)], confusion: confusionOf(pairs), errors: errors.list };
  }
  const { precision, recall, f1 } = report.micro;
  if (scheme === "words") return { metrics: { precision, recall, f1, accuracy }, errors: errors.list };
  const strict = (tags: readonly string[]) => strictSpans(tags, scheme);
  const strictReport = scoreSpans(
    pairs.map((pair) => strict(pair.expected)),
    pairs.map((pair) => strict(pair.predicted)),
  );
  const metrics = {
    precision,
    recall,
    f1,
    macroF1: report.macro.f1,
    strictPrecision: strictReport.micro.precision,
    strictRecall: strictReport.micro.recall,
    strictF1: strictReport.micro.f1,
    accuracy,
  };
  return { metrics, tables: [scoreTable("By type", report), errors.table], errors: errors.list };
}

/** Of each example, how many spans are right, were predicted, and are true. */
export function countSpans(pairs: readonly TaggedPair[], scheme: LabelScheme): SpanCounts[] {
  const read = (tags: readonly string[]) =>
    new Set(spansOf(tags, scheme).map(({ start, end, type }) => `${start} ${end} ${type}`));
  return pairs.map((pair) => {
    const [expected, predicted] = [read(pair.expected), read(pair.predicted)];
    const right = [...predicted].filter((span) => expected.has(span)).length;
    return [right, predicted.size, expected.size];
  });
}

function scoreTable(title: string, { types, micro, macro }: EntityReport) {
  const row = (name: string, { precision, recall, f1, support }: SpanScores) => [name, precision, recall, f1, support];
  return {
    title,
    columns: ["type", "precision", "recall", "f1", "examples"],
    rows: [...[...types].map(([type, scores]) => row(type, scores)), row("all", micro), row("mean of types", macro)],
  };
}

const KINDS: readonly SpanErrorKind[] = ["missed", "spurious", "type", "boundary"];

/** One entry for each example that has errors; those with the most first, of equals the one that the model was surer of. */
function errorsOf(
  pairs: readonly TaggedPair[],
  expected: readonly (readonly TagSpan[])[],
  predicted: readonly (readonly TagSpan[])[],
) {
  const counts: Record<SpanErrorKind, number> = { missed: 0, spurious: 0, type: 0, boundary: 0 };
  const found: { count: number; error: EvaluationError }[] = [];
  pairs.forEach((pair, i) => {
    const errors = spanErrors(expected[i] ?? [], predicted[i] ?? []);
    for (const { kind } of errors) counts[kind] += 1;
    if (errors.length === 0) return;
    const wanted = errors.flatMap((error) => (error.expected === undefined ? [] : [error.expected]));
    const given = errors.flatMap((error) => (error.predicted === undefined ? [] : [error.predicted]));
    found.push({ count: errors.length, error: errorOf(pair, wanted, given) });
  });
  const list = found.sort((a, b) => b.count - a.count || (b.error.score ?? 0) - (a.error.score ?? 0));
  const table = {
    title: "Errors",
    columns: ["kind", "count"],
    rows: KINDS.map((kind) => [kind, counts[kind]] as const),
  };
  return { table, list: list.map(({ error }) => error) };
}

function errorOf(
  { example, scores }: TaggedPair,
  wanted: readonly TagSpan[],
  given: readonly TagSpan[],
): EvaluationError {
  const { id, text, units } = example;
  const sure = given.flatMap(({ start, end }) => scores.slice(start, end));
  const mark = (kind: "expected" | "predicted") => (span: TagSpan) => ({
    span: placeOf(span, units),
    kind,
    ...labelOf(span),
  });
  return {
    ...(id === undefined ? {} : { id }),
    text,
    expected: shown(wanted, example),
    predicted: shown(given, example),
    ...(sure.length === 0 ? {} : { score: sure.reduce((sum, score) => sum + score, 0) / sure.length }),
    marks: [...wanted.map(mark("expected")), ...given.map(mark("predicted"))],
  };
}

/** Where a span of units is in their text: UTF-16 offsets. */
export function placeOf({ start, end }: TagSpan, units: readonly Span[]): Span {
  return [units[start]?.[0] ?? 0, units[end - 1]?.[1] ?? 0];
}

/** Words have no type. */
function labelOf({ type }: TagSpan): { readonly label?: string } {
  return type === "_" ? {} : { label: type };
}

function shown(spans: readonly TagSpan[], { text, units }: TaggedExample): string {
  if (spans.length === 0) return "nothing";
  const names = spans.map((span) =>
    [text.slice(...placeOf(span, units)), labelOf(span).label].filter(Boolean).join(" "),
  );
  return names.join(", ");
}

function confusionOf(pairs: readonly TaggedPair[]) {
  const labels = [...new Set(pairs.flatMap(({ expected, predicted }) => [...expected, ...predicted]))].sort();
  const places = new Map(labels.map((label, i) => [label, i]));
  const counts = labels.map(() => new Array<number>(labels.length).fill(0));
  for (const { expected, predicted } of pairs) {
    expected.forEach((tag, i) => {
      const row = counts[places.get(tag) as number] as number[];
      const column = places.get(predicted[i] as string) as number;
      row[column] = (row[column] as number) + 1;
    });
  }
  return { labels, counts };
}
