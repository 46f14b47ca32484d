/** Reading comprehension files: both layouts, places that are wrong, answers that are none, files that are broken. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { cmrc2018 } from "./cmrc2018.ts";
import { readQuestionFile } from "./question-file.ts";

const CONTEXT = "𠮷野家在城东，灯塔在城西。灯塔高三十米。";

const squadText = (answers: unknown, extra: object = {}) =>
  JSON.stringify({
    data: [{ paragraphs: [{ context: CONTEXT, qas: [{ id: "q", question: "灯塔在哪？", answers, ...extra }] }] }],
  });

const read = (text: string, options = {}) => readQuestionFile({ path: "dev.json", text }, options);
const startsOf = (answers: unknown) => read(squadText(answers)).examples[0]?.answers?.map(({ start }) => start);

test("places are taken in code points, in UTF-16 units, or at the nearest occurrence", () => {
  // 灯塔 stands at code points 7 and 13, UTF-16 units 8 and 14.
  const at = (stated: number) => startsOf([{ text: "灯塔", answer_start: stated }]);
  expect([7, 8, 13, 12, 10, 999].map(at)).toEqual([[8], [8], [14], [14], [8], [14]]);
});

test("what is elsewhere than the data says is counted and listed", () => {
  const { repairs, notes } = read(
    squadText([
      { text: "灯塔", answer_start: 7 },
      { text: "城西", answer_start: 11 },
      { text: "三十米", answer_start: 2 },
      { text: "城南", answer_start: 0 },
    ]),
  );
  expect(repairs.map(({ text, place, start }) => [text, place, start])).toEqual([
    ["城西", "in UTF-16 units", 11],
    ["三十米", "moved", 17],
    ["城南", "absent", undefined],
  ]);
  expect(notes?.map(({ level, measured }) => [level, measured])).toEqual([
    ["info", { answers: 1, of: 4 }],
    ["info", { answers: 1, of: 4 }],
    ["warning", { answers: 1, of: 4 }],
  ]);
});

test("the native layout has texts without places, some of them numbers, spelt as the file spells them", () => {
  const context = `${CONTEXT}建于1998年。`;
  const qas = `[{ "query_id": "Q", "query_text": "哪年？", "answers": ["城西", 39764.0, 4.9, 1998] }]`;
  const { examples } = read(`[{ "context_id": "C", "context_text": "${context}", "qas": ${qas} }]`);
  expect(examples).toEqual([
    {
      id: "Q",
      context,
      question: "哪年？",
      answers: [{ text: "城西", start: 11 }, { text: "39764.0" }, { text: "4.9" }, { text: "1998", start: 23 }],
    },
  ]);
});

test("no answer, a secret one, yes and no", () => {
  const answersOf = (text: string, options = {}) => read(text, options).examples[0];
  expect(answersOf(squadText([], { is_impossible: true }))?.answers).toEqual([]);
  expect(answersOf(squadText([{ text: "", answer_start: -1 }], { is_impossible: "true" }))?.answers).toEqual([]);
  expect(answersOf(squadText([], { is_impossible: "" }))?.answers).toBeUndefined();
  expect(answersOf(squadText([{ text: "FAKE_ANSWER_1", answer_start: -1 }]))?.answers).toBeUndefined();
  const yes = read(squadText([{ text: "YES", answer_start: -1 }]), { yesNo: true });
  expect(yes.examples[0]).toMatchObject({ answers: [{ text: "YES" }], yesNo: "yes" });
  expect(yes.repairs).toEqual([]);
  const word = read(squadText([{ text: "constructor", answer_start: 0 }]), { yesNo: true });
  expect(word.examples[0]?.yesNo).toBeUndefined();
  expect(word.repairs).toMatchObject([{ text: "constructor", place: "absent" }]);
});

test("an annotator who found nothing stays one of three", () => {
  const three = [
    { text: "城西", answer_start: 10 },
    { text: "", answer_start: -1 },
    { text: "NO", answer_start: -1 },
  ];
  const text = squadText(three, { is_impossible: "false" });
  const { examples } = read(text, { yesNo: true });
  expect(examples[0]?.answers).toEqual([{ text: "城西", start: 11 }, { text: "" }, { text: "NO" }]);
  expect(examples[0]?.yesNo).toBeUndefined();
});

test("a file that is cut short is refused where it ends, another layout by the path of the value", () => {
  const whole = squadText([{ text: "灯塔", answer_start: 7 }]);
  for (const end of [1, 20, whole.length >> 1, whole.length - 1]) {
    expect(() => read(whole.slice(0, end)), whole.slice(0, end)).toThrow(/dev\.json line 1, column \d+: .*cut short/);
  }
  expect(() => read('{"data": [{"paragraphs": [{"context": 5, "qas": []}]}]}')).toThrow(
    /^dev\.json: data\[0\]\.paragraphs\[0\]\.context: expected a text, got 5$/,
  );
  expect(() => read(squadText([{ text: "灯塔", answer_start: "7" }]))).toThrow(/answers\[0\]\.answer_start/);
  expect(() => read('"text"')).toThrow(/expected an object/);
});

test("an id that stands twice is an error with both places where there are answers, else it is told", () => {
  const twice = (question: object) => {
    const qas = [1, 2].map(() => ({ query_id: "Q", query_text: "在哪？", ...question }));
    return read(JSON.stringify([{ context_text: CONTEXT, qas }]));
  };
  expect(() => twice({ answers: ["城西"] })).toThrow(
    'dev.json: [0].qas[1]: expected an id of its own for each question with answers, got "Q", which dev.json: [0].qas[0] has too',
  );
  const { examples, notes } = twice({});
  expect(examples).toHaveLength(2);
  expect(notes).toMatchObject([{ kind: "repeated ids", level: "warning", measured: { questions: 1 } }]);
});

describeShared("data/tasks/cmrc2018.tar.xz", "the published files of CMRC 2018", (archive) => {
  const readPublished = (path: string) => {
    const options = { encoding: "utf8", maxBuffer: 1 << 26 } as const;
    return readQuestionFile({ path, text: execFileSync("tar", ["-xJOf", archive, `cmrc2018/${path}`], options) });
  };
  const kinds = ({ repairs }: ReturnType<typeof readPublished>) => {
    const counts: Record<string, number> = {};
    for (const { place } of repairs) counts[place] = (counts[place] ?? 0) + 1;
    return counts;
  };

  test.each([
    ["squad-style/cmrc2018_train.json", "train", { "in UTF-16 units": 21 }],
    ["squad-style/cmrc2018_dev.json", "dev", { "in UTF-16 units": 7, absent: 193 }],
    ["squad-style/cmrc2018_trial.json", "trial", { "in UTF-16 units": 5 }],
    ["squad-style/cmrc2018_test_no_answers.json", "test", {}],
  ])("%s", (path, split, expected) => {
    const file = readPublished(path);
    expect([cmrc2018.splits[split]?.count].flat()).toContain(file.examples.length);
    expect(kinds(file)).toEqual(expected);
    for (const { context, answers } of file.examples) {
      for (const { text, start } of answers ?? []) {
        if (start !== undefined) expect(context.slice(start, start + text.length)).toBe(text);
      }
    }
  });

  test("both layouts of dev hold the same questions and answers", () => {
    const [styled, native] = ["squad-style", "native"].map((folder) => readPublished(`${folder}/cmrc2018_dev.json`));
    const plain = (file: typeof native) =>
      file?.examples.map(({ id, question, answers }) => [id, question.trim(), answers?.map(({ text }) => text.trim())]);
    expect(plain(native)).toEqual(plain(styled));
  });
});
