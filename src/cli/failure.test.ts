/** Exit codes: what is wrong in the command line, and what is wrong elsewhere. */
import { expect, test } from "vitest";
import { ArgumentError, DataError, UsageError } from "../errors.ts";
import type { Output } from "./command.ts";
import { reportFailure } from "./failure.ts";

const codeOf = (error: unknown): number =>
  reportFailure(error, { debug: false, output: { note: () => undefined } as unknown as Output });
const detail = { where: "x", expected: "a", got: "b" };

test("an option's value that the library refuses is wrong use, as one that the command line refuses", () => {
  expect(codeOf(new UsageError(detail))).toBe(2);
  expect(codeOf(new ArgumentError(detail))).toBe(2);
  expect(codeOf(new DataError(detail))).toBe(1);
  expect(codeOf(new Error("x"))).toBe(1);
});

test("an array that finds no memory is no defect of the program; one of a length below 0 is", () => {
  const notes: string[] = [];
  const output = { note: (text: string) => notes.push(text) } as unknown as Output;
  reportFailure(new RangeError("Array buffer allocation failed"), { debug: false, output });
  expect(notes).toEqual([
    "error: out of memory: Array buffer allocation failed",
    expect.stringMatching(/^hint: lower the batch size or the sequence length; zhbert plan/),
  ]);
  const thrownBy = (length: number) => {
    try {
      return new Float32Array(length);
    } catch (error) {
      return error;
    }
  };
  for (const length of [2 ** 53 - 1, -1]) reportFailure(thrownBy(length), { debug: false, output });
  const told = notes.filter((note) => note.startsWith("error"));
  expect(told.slice(1)).toEqual([
    expect.stringContaining("out of memory: Invalid typed array length: 9007199254740991"),
    expect.stringContaining("unexpected RangeError: Invalid typed array length: -1"),
  ]);
});
