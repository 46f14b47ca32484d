/** Time by step: counted in thousandths, repeated from a trace, and never backwards. */
import { expect, test } from "vitest";
import { parseBudgetState, TimeBudget } from "./time-budget.ts";

const HOUR = 3_600_000;
const NEW = { elapsedMs: 0, trace: [] };

/** A budget of an hour whose clock is `times`, in hours, one for each reading. */
function budget(times: readonly number[], state: ConstructorParameters<typeof TimeBudget>[2] = NEW) {
  let at = 0;
  return new TimeBudget(1, () => times[at++]! * HOUR, state);
}

test("thousandths of the time, and the steps at which they began", () => {
  const time = budget([5, 5, 5.0005, 5.0021, 5.0021, 7]);
  expect([0, 1, 2, 3].map((step) => time.partsAt(step))).toEqual([0, 0, 2, 2]);
  expect(time.state().trace).toEqual([0, 2, 2]);
  expect(time.partsAt(4)).toBe(1000);
  expect(time.state().trace.slice(0, 4)).toEqual([0, 2, 2, 4]);
  expect(time.state().trace).toHaveLength(1001);
});

test("a clock that jumps back costs nothing, and time goes on after it", () => {
  const time = budget([5, 5.0025, 1, 1.001]);
  expect([0, 1, 2].map((step) => time.partsAt(step))).toEqual([2, 2, 3]);
});

test("a resumed run goes on where it stood: the time between does not count", () => {
  const first = budget([0, 0, 0.25]);
  first.partsAt(0);
  expect(first.partsAt(1)).toBe(250);
  const second = budget([90, 90, 90.25], first.state());
  expect([1, 2].map((step) => second.partsAt(step))).toEqual([250, 500]);
});

test("a trace is repeated whatever the clock says, from any step on", () => {
  const times = [0, 0, 0.1, 0.15, 0.4, 0.4, 0.9, 1.2];
  const first = budget(times);
  const parts = [0, 1, 2, 3, 4, 5, 6].map((step) => first.partsAt(step));
  expect(parts.at(-1)).toBe(1000);
  const slow = budget(
    times.map(() => 0),
    { ...NEW, replay: first.state().trace },
  );
  expect([0, 1, 2].map((step) => slow.partsAt(step))).toEqual(parts.slice(0, 3));
  const resumed = budget(
    times.map((time) => 3 * time),
    slow.state(),
  );
  expect([2, 3, 4, 5, 6].map((step) => resumed.partsAt(step))).toEqual(parts.slice(2));
  expect(() => budget([0], { ...NEW, replay: [0, 1] })).toThrow("replay: expected a run by hours that came to its end");
});

test("a damaged state is refused", () => {
  expect(parseBudgetState({ elapsedMs: 3, trace: [0, 0, 2] }, "x")).toEqual({ elapsedMs: 3, trace: [0, 0, 2] });
  for (const wrong of [
    { elapsedMs: -1, trace: [] },
    { elapsedMs: 1, trace: [2, 1] },
    { elapsedMs: 1, trace: [0.5] },
    { elapsedMs: 1 },
    3,
    { elapsedMs: 1, trace: [], replay: [3, 2] },
  ])
    expect(() => parseBudgetState(wrong, "state: budget")).toThrow("state: budget: expected elapsedMs of 0 or more");
});
