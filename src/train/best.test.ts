/** The best evaluation, and how long ago it was. */
import { expect, test } from "vitest";
import { parseBest, withEvaluation } from "./best.ts";

test("counts evaluations since the lowest loss; equal and missing numbers are no better", () => {
  let best = withEvaluation(undefined, 1, Number.NaN);
  expect(best).toBeUndefined();
  const seen = [3, 2, 2, Number.NaN, 1].map((loss, i) => (best = withEvaluation(best, i + 2, loss)));
  expect(seen).toEqual([
    { step: 2, value: 3, since: 0 },
    { step: 3, value: 2, since: 0 },
    { step: 3, value: 2, since: 1 },
    { step: 3, value: 2, since: 2 },
    { step: 6, value: 1, since: 0 },
  ]);
});

test("of a metric the highest value is the best", () => {
  let best = withEvaluation(undefined, 1, 0.5, true);
  const seen = [0.4, Number.NaN, 0.6].map((value, i) => (best = withEvaluation(best, i + 2, value, true)));
  expect(seen.map((entry) => [entry!.step, entry!.value, entry!.since])).toEqual([
    [1, 0.5, 1],
    [1, 0.5, 2],
    [4, 0.6, 0],
  ]);
});

test("a damaged one is refused", () => {
  expect(parseBest({ step: 3, value: 1.5, since: 2 }, "x")).toEqual({ step: 3, value: 1.5, since: 2 });
  expect(parseBest({ step: 3, loss: 1.5, since: 2 }, "of an earlier version").value).toBe(1.5);
  for (const wrong of [undefined, {}, { step: -1, value: 1, since: 0 }, { step: 1, value: "1", since: 0 }])
    expect(() => parseBest(wrong, "state: best")).toThrow("state: best: expected a step, a value and a count");
});
