import { expect, test } from "vitest";
import { isBlank, strip } from "./python-space.ts";

test("white space is Python's: separators and NEL are, the byte order mark is not", () => {
  for (const space of [" ", "\t", "\x1c", "\x1f", "\x85", "\xa0", "\u2009", "\u3000", "\u2028"]) {
    expect(isBlank(space)).toBe(true);
    expect(strip(`${space}好 的${space}${space}`)).toBe("好 的");
  }
  for (const ink of ["\ufeff", "\u200b", "\0", "。"]) {
    expect(isBlank(` ${ink} `)).toBe(false);
    expect(strip(` ${ink} `)).toBe(ink);
  }
  expect(isBlank("")).toBe(true);
  expect(strip(" \u3000")).toBe("");
});
