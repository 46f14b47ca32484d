import { expect, test } from "vitest";
import { listOf } from "./list-cells.ts";

test.each([
  ['["好", "it\'s"]', ["好", "it's"]],
  // What Python's repr gives: quotes by what the string holds.
  ["['好', '差']", ["好", "差"]],
  [`["it's", '好']`, ["it's", "好"]],
  [`['他说"好"', "it's"]`, ['他说"好"', "it's"]],
  [String.raw`['it\'s "it"', 'a\\b', '一\n二', '\x41\u4e00\U0001f600']`, ['it\'s "it"', "a\\b", "一\n二", "A一😀"]],
  ["[{'text': '北京', 'answer_start': 3}]", [{ text: "北京", answer_start: 3 }]],
  ["[True, None, 1.5, 'True']", [true, null, 1.5, "True"]],
  ["[]", []],
  [["as it is"], ["as it is"]],
])("%s", (cell, list) => {
  expect(listOf(cell)).toEqual(list);
});

test.each([["[好, 差]"], ["['好'"], ["好"], ["{'a': 1}"], [String.raw`['\U99999999]`], [5], [undefined]])(
  "%s is no list",
  (cell) => {
    expect(listOf(cell)).toBeUndefined();
  },
);
