/** Where the units of a text are, by what units are. */
import { expect, test } from "vitest";
import { characterUnits, joinUnits, unitKindOf, unitsOfText } from "./text-units.ts";

const cut = (text: string, kind: "characters" | "runs" | "words") =>
  unitsOfText(text, kind).map(([start, end]) => text.slice(start, end));

test("plain text is cut into characters, runs or words", () => {
  const text = "用iPhone 15拍了3.5分😀 Café";
  expect(cut(text, "characters")).toEqual([...text]);
  expect(cut(text, "runs")).toEqual(["用", "iPhone", "15", "拍", "了", "3.5", "分", "😀", "Café"]);
  expect(cut(text, "words")).toEqual(["用iPhone", "15拍了3.5分😀", "Café"]);
  expect(characterUnits("x".repeat(600)).at(-1)).toEqual([599, 600]);
});

test("data tells how text is to be cut", () => {
  expect(unitKindOf([joinUnits([..."在WTO"])])).toBe("characters");
  expect(unitKindOf([joinUnits(["在", "WTO"])])).toBe("runs");
  expect(unitKindOf([joinUnits(["我们", "在", "WTO"])])).toBe("words");
  expect(unitKindOf([joinUnits([..."一".repeat(500), "北京"])])).toBe("characters");
  expect(unitKindOf([])).toBe("characters");
});
