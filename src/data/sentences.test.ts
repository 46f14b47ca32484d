import { expect, test } from "vitest";
import { splitSentences } from "./sentences.ts";

test("splitSentences cuts after 。！？； and keeps closing quotes with their sentence", () => {
  expect(splitSentences("雨停了。他问：“走吗？”我们出门！路上……没有人")).toEqual([
    "雨停了。",
    "他问：“走吗？”",
    "我们出门！",
    "路上……",
    "没有人",
  ]);
  expect(splitSentences("一是快；二是“稳；”三是省，又好")).toEqual(["一是快；", "二是“稳；”", "三是省，又好"]);
  expect(splitSentences("真的？！（也许吧。）好。")).toEqual(["真的？！", "（也许吧。）", "好。"]);
});

test("splitSentences leaves numbers, addresses and file names whole", () => {
  expect(splitSentences("圆周率约为3.14，见 a.com/?q=1 或 readme.md 文件")).toHaveLength(1);
  expect(splitSentences("It rained. We stayed! 后来晴了")).toEqual(["It rained.", "We stayed!", "后来晴了"]);
});

test("splitSentences drops nothing but white space", () => {
  expect(splitSentences("   ")).toEqual([]);
  expect(splitSentences("。。。")).toEqual(["。。。"]);
  expect(splitSentences(" 一。 二。 ").join("")).toBe("一。二。");
});
