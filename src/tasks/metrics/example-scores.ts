/** What each example contributes to a task's metric, so that two models can be compared on the same examples. */
import type { ExampleScores } from "../protocol/protocol-results.ts";
import type { AnyTask } from "../task.ts";

/** A metric is the mean over its examples when both agree so far; beyond are other means, such as F1 over classes. */
const TOLERANCE = 1e-9;

/**
 * The primary metric of each example by itself, or its counts of spans; undefined where the metric of all is neither their mean
 * nor an F1 over spans (the mean over classes, a correlation).
 * @param value - the metric over all examples.
 */
export function exampleScores(
  task: AnyTask,
  examples: readonly unknown[],
  predictions: readonly unknown[],
  value: number | undefined,
): ExampleScores | undefined {
  const metric = task.primaryMetric;
  if (value === undefined || examples.length === 0) return undefined;
  if (metric === "f1" && task.spanCounts !== undefined) {
    return { metric, parts: 3, values: task.spanCounts(examples, predictions).flat() };
  }
  const values: number[] = [];
  let sum = 0;
  for (const [i, example] of examples.entries()) {
    const own = task.evaluate([example], [predictions[i]]).metrics[metric];
    if (own === undefined || !Number.isFinite(own)) return undefined;
    values.push(own);
    sum += own;
  }
  return Math.abs(sum / examples.length - value) > TOLERANCE ? undefined : { metric, parts: 1, values };
}
