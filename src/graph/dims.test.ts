/** Arithmetic of named axes: laws that hold for every dim. */
import { array, assert, constantFrom, integer, oneof, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { expectShapeError } from "../../test/graph-checks.ts";
import {
  bindShape,
  broadcastShapes,
  coefficientOf,
  type Dim,
  namesOf,
  normalizeAxis,
  product,
  quotient,
} from "./dims.ts";

const anyName = constantFrom("batch", "seq", "head", "n");
const anyDim = record({ coefficient: integer({ min: 1, max: 50 }), names: array(anyName, { maxLength: 3 }) }).map(
  ({ coefficient, names }) => product([coefficient, ...names]),
);
const sizes = { batch: 3, seq: 7, head: 11, n: 13 };
const sizeOf = (dim: Dim) => bindShape("test", [dim], sizes)[0] as number;

describe("product and quotient", () => {
  test("the order of factors does not matter", () => {
    assert(
      property(anyDim, anyDim, anyDim, (a, b, c) => {
        expect(product([a, b, c])).toBe(product([c, b, a]));
        expect(product([product([a, b]), c])).toBe(product([a, product([b, c])]));
      }),
    );
  });

  test("the quotient undoes the product", () => {
    assert(
      property(anyDim, anyDim, (a, b) => {
        expect(quotient(product([a, b]), b)).toBe(a);
        expect(quotient(a, a)).toBe(1);
        expect(quotient(a, 1)).toBe(a);
      }),
    );
  });

  test("a quotient that exists times the divisor is the dividend", () => {
    assert(
      property(anyDim, anyDim, (a, b) => {
        const result = quotient(a, b);
        if (result !== undefined) expect(product([result, b])).toBe(a);
        else expect(coefficientOf(a) % coefficientOf(b) !== 0 || namesOf(b).length > 0).toBe(true);
      }),
    );
  });

  test("sizes multiply as their dims do", () => {
    assert(
      property(array(oneof(anyDim, integer({ min: 0, max: 9 })), { maxLength: 4 }), (dims) => {
        expect(sizeOf(product(dims))).toBe(dims.reduce<number>((total, dim) => total * sizeOf(dim), 1));
      }),
    );
  });

  test("the forms that people see", () => {
    expect(product(["seq", 4, "batch", 3])).toBe("12*batch*seq");
    expect(product([])).toBe(1);
    expect(product(["batch", 0])).toBe(0);
    expect(quotient("12*batch*seq", "4*seq")).toBe("3*batch");
    expect(quotient("batch", "seq")).toBeUndefined();
    expect(quotient(7, 2)).toBeUndefined();
    expect(quotient(7, 0)).toBeUndefined();
    expect([namesOf("4*batch*seq"), coefficientOf("4*batch*seq"), coefficientOf("seq")]).toEqual([
      ["batch", "seq"],
      4,
      1,
    ]);
  });
});

describe("broadcastShapes", () => {
  test("is symmetric, and 1 is neutral", () => {
    assert(
      property(array(anyDim, { maxLength: 4 }), array(constantFrom(0, 1), { maxLength: 4 }), (shape, ones) => {
        const other = shape.map((dim, i) => (ones[i] === 1 ? 1 : dim));
        expect(broadcastShapes("test", shape, other)).toEqual(shape);
        expect(broadcastShapes("test", other, shape)).toEqual(shape);
        expect(broadcastShapes("test", shape.slice(1), shape)).toEqual(shape);
      }),
    );
  });

  test("names the axis that differs", () => {
    expectShapeError(
      () => broadcastShapes("add", ["batch", 5], ["seq", 5]),
      "add",
      "axis 0: batch",
      "[batch, 5]",
      "[seq, 5]",
    );
    expectShapeError(() => broadcastShapes("add", [2, 5], [4]), "add", "axis 1: 5", "[2, 5]", "[4]");
  });
});

test("normalizeAxis", () => {
  expect([normalizeAxis("x", -1, 3), normalizeAxis("x", 0, 3)]).toEqual([2, 0]);
  for (const axis of [3, -4, 0.5, Number.NaN]) expectShapeError(() => normalizeAxis("x", axis, 3), "x", "rank 3");
});

test("bindShape", () => {
  expect(bindShape("x", ["12*batch*seq", 4, "seq"], sizes)).toEqual([252, 4, 7]);
  expectShapeError(() => bindShape("graph", ["batch*time"], sizes), "graph", '"time"');
});
