import { expect, test } from "vitest";
import { ArgumentError, nearest, ShapeError, verbatim } from "./errors.ts";

test("a message says where, what was expected and what was found; the hint stands apart", () => {
  const cause = new Error("low");
  const error = new ArgumentError({
    where: "topK",
    expected: "a positive integer",
    got: "zwei",
    hint: "give 5",
    cause,
  });
  expect(error.message).toBe('topK: expected a positive integer, got "zwei"');
  expect(error).toMatchObject({ name: "ArgumentError", code: "ERR_ARGUMENT", hint: "give 5", cause });
});

test("values are shown as they are read: types plain, objects as JSON, long texts cut", () => {
  const shown = (got: unknown) => new ShapeError({ where: "x", expected: "y", got }).message;
  expect(shown(verbatim("float32[13, 7]"))).toBe("x: expected y, got float32[13, 7]");
  expect(shown({ a: [1] })).toBe('x: expected y, got {"a":[1]}');
  expect(shown(undefined)).toBe("x: expected y, got undefined");
  expect(shown("长".repeat(500)).length).toBeLessThan(160);
});

test.each([
  ["ehco", ["echo", "data"], "echo"],
  ["tokenise", ["tokenize", "mask"], "tokenize"],
  ["pretrian", ["pretrain", "data"], "pretrain"],
  ["xyz", ["tokenize", "mask"], undefined],
])("the nearest name to %s", (name, candidates, expected) => {
  expect(nearest(name, candidates)).toBe(expected);
});
