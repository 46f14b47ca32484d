/** Counts with their nouns. */
import { expect, test } from "vitest";
import { several } from "./several.ts";

test("one is singular, also where rounding makes it one", () => {
  expect([0, 1, 1.001, 2, 2.5, 12_345].map((count) => several(count, "thread"))).toEqual([
    "0 threads",
    "1 thread",
    "1 thread",
    "2 threads",
    "2.5 threads",
    "12,345 threads",
  ]);
});
