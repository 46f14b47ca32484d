/** Successive halving spends most where it is worth most, and finds its place again after an interruption. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../errors.ts";
import { bestTrials, halvingRungs, nextTrials, type Trial } from "./halving.ts";

describe("the rounds", () => {
  test.each([
    [
      6,
      4,
      [
        [6, 1],
        [3, 2],
        [2, 4],
      ],
    ],
    [
      8,
      8,
      [
        [8, 1],
        [4, 2],
        [2, 4],
        [1, 8],
      ],
    ],
    [
      6,
      5,
      [
        [6, 1],
        [3, 2],
        [2, 5],
      ],
    ],
    [
      2,
      3,
      [
        [2, 1],
        [1, 3],
      ],
    ],
    [1, 5, [[1, 5]]],
    [9, 1, [[9, 1]]],
  ])("of %i places and %i epochs", (places, evaluations, expected) => {
    const rungs = halvingRungs(places, evaluations);
    expect(rungs.map((rung) => [rung.places, rung.evaluations])).toEqual(expected);
  });

  test("cost less than training all to the end", () => {
    const rungs = halvingRungs(16, 16);
    const cost = rungs.reduce(
      (sum, { places, evaluations }, i) => sum + places * (evaluations - (rungs[i - 1]?.evaluations ?? 0)),
      0,
    );
    expect(cost).toBeLessThan((16 * 16) / 4);
  });

  test("of nothing are an error", () => {
    expect(() => halvingRungs(0, 3)).toThrow(ArgumentError);
    expect(() => halvingRungs(3, 1.5)).toThrow(ArgumentError);
  });
});

const trial = (place: string, ...values: number[]): Trial<string> => ({ place, values });
const names = (found: ReturnType<typeof nextTrials<Trial<string>>>) => found?.trials.map(({ place }) => place);

describe("the next trials", () => {
  const rungs = halvingRungs(4, 4);

  test("are all at first, then the better half, then the best", () => {
    const first = [trial("a"), trial("b"), trial("c"), trial("d")];
    expect(names(nextTrials(first, rungs))).toEqual(["a", "b", "c", "d"]);
    const second = [trial("a", 0.1), trial("b", 0.4), trial("c", 0.3), trial("d", 0.2)];
    expect(names(nextTrials(second, rungs))).toEqual(["b", "c"]);
    expect(names(nextTrials(second, rungs, true))).toEqual(["a", "d"]);
    const third = [trial("a", 0.1), trial("b", 0.4, 0.5), trial("c", 0.3, 0.6), trial("d", 0.2)];
    expect(nextTrials(third, rungs)).toEqual({ rung: 2, trials: [third[2]] });
    const done = [trial("a", 0.1), trial("b", 0.4, 0.5), trial("c", 0.3, 0.6, 0.6, 0.7), trial("d", 0.2)];
    expect(nextTrials(done, rungs)).toBeUndefined();
  });

  test("go on within a round that was interrupted", () => {
    const half = [trial("a", 0.1), trial("b"), trial("c", 0.3), trial("d")];
    expect(names(nextTrials(half, rungs))).toEqual(["b", "d"]);
    // What was trained further already does not change who was better in an earlier round.
    const later = [trial("a", 0.5, 0.9), trial("b", 0.4), trial("c", 0.3), trial("d", 0.2)];
    expect(names(nextTrials(later, rungs))).toEqual(["b"]);
  });

  test("leave failed ones out, and their places to others", () => {
    const failed = [{ ...trial("a", 0.9), failed: "NaN" }, trial("b", 0.4), trial("c", 0.3), trial("d", 0.2)];
    expect(names(nextTrials(failed, rungs))).toEqual(["b", "c"]);
    expect(nextTrials([{ ...trial("a"), failed: "NaN" }], halvingRungs(1, 2))).toBeUndefined();
  });

  test("a place is as good as its best evaluation, and one that is not a number is the worst", () => {
    const trials = [trial("a", 0.2, Number.NaN), trial("b", Number.NaN), trial("c", 0.3, 0.1)];
    expect(bestTrials(trials).map(({ place }) => place)).toEqual(["c", "a", "b"]);
    expect(bestTrials(trials, 1).map(({ place }) => place)).toEqual(["c", "a", "b"]);
  });
});
