/** Figures of classes and labels against scikit-learn 1.9.1 (zero_division 0). */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../errors.ts";
import { classMetrics, labelMetrics, type PrecisionRecallF1, rocAuc } from "./classification-metrics.ts";

const EXPECTED = [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 0, 1, 2];
/** Class 3 is only predicted; class 4 is on neither side. */
const PREDICTED = [0, 0, 1, 0, 2, 1, 1, 0, 2, 2, 1, 2, 0, 1, 3];

function expectFigures(found: PrecisionRecallF1, precision: number, recall: number, f1: number): void {
  expect(found.precision).toBeCloseTo(precision, 14);
  expect(found.recall).toBeCloseTo(recall, 14);
  expect(found.f1).toBeCloseTo(f1, 14);
}

describe("one class each", () => {
  const found = classMetrics(EXPECTED, PREDICTED, 5);

  test("averages", () => {
    expect(found.accuracy).toBeCloseTo(2 / 3, 14);
    expectFigures(found.macro, 0.5375, 0.5041666666666667, 0.5151515151515151);
    expectFigures(found.weighted, 0.73, 2 / 3, 0.6909090909090909);
    expectFigures(found.micro, 2 / 3, 2 / 3, 2 / 3);
    expect(found.matthews).toBeCloseTo(0.5231552474475615, 14);
  });

  test("by class, with how many examples have it", () => {
    const [first, second, third, fourth, fifth] = found.byClass;
    expectFigures(first as PrecisionRecallF1, 0.8, 2 / 3, 8 / 11);
    expectFigures(second as PrecisionRecallF1, 0.6, 0.75, 2 / 3);
    expectFigures(third as PrecisionRecallF1, 0.75, 0.6, 2 / 3);
    expect([fourth, fifth]).toEqual([fifth, { precision: 0, recall: 0, f1: 0, support: 0 }]);
    expect(found.byClass.map(({ support }) => support)).toEqual([6, 4, 5, 0, 0]);
  });

  test("confusion: a row for each expected class", () => {
    expect(found.confusion).toEqual([
      [4, 1, 1, 0, 0],
      [1, 3, 0, 0, 0],
      [0, 1, 3, 1, 0],
      [0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0],
    ]);
  });

  test("a model that always says one class has accuracy but no correlation", () => {
    const majority = classMetrics([0, 0, 0, 1], [0, 0, 0, 0], 2);
    expect(majority).toMatchObject({ accuracy: 0.75, matthews: 0 });
    expect(majority.macro.f1).toBeCloseTo(6 / 14, 14);
  });

  test("examples that cannot be compared are refused", () => {
    expect(() => classMetrics([0, 1], [0], 2)).toThrow("metrics: expected as many examples on both sides");
    expect(() => classMetrics([], [], 2)).toThrow(ArgumentError);
    expect(() => classMetrics([0, 2], [0, 1], 2)).toThrow("metrics: expected classes in 0 .. 1, got 2 and 1");
    expect(() => classMetrics([0, 1], [0, -1], 2)).toThrow(ArgumentError);
  });
});

describe("area under the receiver operating characteristic", () => {
  const positive = [true, false, true, true, false, false, true, false];

  test("ties count half", () => {
    expect(rocAuc(positive, [0.9, 0.8, 0.7, 0.7, 0.7, 0.2, 0.3, 0.3])).toBeCloseTo(0.65625, 14);
  });

  test("1 when every positive is above, undefined without both kinds, and an answer even for what is no number", () => {
    expect(rocAuc([false, true, true], [-1, 0, 3])).toBe(1);
    expect(rocAuc([true, true], [0.1, 0.9])).toBeUndefined();
    expect(rocAuc([true, false], [Number.NaN, Number.NaN])).toBeTypeOf("number");
  });
});

describe("any number of labels", () => {
  const expected = [[0, 2], [], [0, 1], [1], [0], [2]];
  const found = labelMetrics(expected, [[0], [], [2, 1, 0], [], [3, 0], [2]], 4);

  test("averages", () => {
    expectFigures(found.macro, 0.625, 0.5, 0.5416666666666666);
    expectFigures(found.micro, 5 / 7, 5 / 7, 5 / 7);
    expectFigures(found.weighted, 0.8571428571428571, 5 / 7, 0.7619047619047619);
    expectFigures(found.samples, 0.5277777777777778, 0.5833333333333334, 0.5222222222222223);
    expect(found.exactMatch).toBeCloseTo(1 / 3, 14);
    expect(found.hammingLoss).toBeCloseTo(1 / 6, 14);
  });

  test("by label", () => {
    expect(found.byLabel).toEqual([
      { precision: 1, recall: 1, f1: 1, support: 3 },
      { precision: 1, recall: 0.5, f1: 2 / 3, support: 2 },
      { precision: 0.5, recall: 0.5, f1: 0.5, support: 2 },
      { precision: 0, recall: 0, f1: 0, support: 0 },
    ]);
  });

  test("a label said twice counts once; one that is not there is refused", () => {
    expect(labelMetrics([[0, 0]], [[0]], 2)).toMatchObject({ exactMatch: 1, hammingLoss: 0 });
    expect(() => labelMetrics([[0]], [[4]], 4)).toThrow("metrics: expected labels in 0 .. 3, got 4");
    expect(() => labelMetrics([], [], 4)).toThrow(ArgumentError);
  });
});
