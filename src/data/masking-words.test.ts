import { expect, test } from "vitest";
import { formatMaskingWords, parseMaskingWords } from "./masking-words.ts";

test("words come back from their file, one a line", () => {
  const words = {
    phrases: ["上 海"],
    entities: ["北 京 大 学", 'pro ##ba "x"'],
    similarWords: [["快 乐", "高 兴"], ["山"]],
  };
  const text = formatMaskingWords(words);
  expect(parseMaskingWords(text, "masking.json")).toEqual(words);
  expect(text.split("\n")).toContain('    ["快 乐","高 兴"],');
  expect(parseMaskingWords(formatMaskingWords({}), "masking.json")).toEqual({});
});

test.each([
  ["{", /masking\.json: expected JSON/],
  ["3", /a JSON object/],
  ['{"phrases":"上"}', /phrases: expected a list of words/],
  ['{"entities":[1]}', /entities: expected a list of words/],
  ['{"similarWords":["上"]}', /similarWords: expected a list of words/],
  ['{"similarWords":{}}', /similarWords: expected a list of lists/],
])("%s is refused", (text, message) => {
  expect(() => parseMaskingWords(text, "masking.json")).toThrow(message);
});
