import { describe, expect, test } from "vitest";
import { DataError } from "../../errors.ts";
import type { TaskName } from "../datasets/dataset.ts";
import { columnChoices } from "./columns.ts";
import { readRecords, recordFormat } from "./records.ts";
import { readUserExamples } from "./user-examples.ts";

describe("tables", () => {
  test("quotes hold separators, newlines and quotes; lines are those of the file", async () => {
    const text = 'label,review\r\n1,"好，住得很舒服\n下次再来"\r\n\r\n0,"他说""一般"""\r\n';
    const records = await readRecords("a.csv", text);
    expect(records.columns).toEqual(["label", "review"]);
    expect(records.rows).toEqual([
      ["1", "好，住得很舒服\n下次再来"],
      ["0", '他说"一般"'],
    ]);
    expect(records.where(1)).toBe("a.csv line 5");
  });

  test("in TSV a quote is a quote, unless only quoting makes rows even", async () => {
    const plain = await readRecords("a.tsv", 'text\tlabel\n"好"极了\t1\n他说"不好\t0\n');
    expect(plain.rows[0]).toEqual(['"好"极了', "1"]);
    const spreadsheet = await readRecords("a.tsv", 'text\tlabel\n"第一行\n第二行"\t1\n"有\t制表符"\t0\n');
    expect(spreadsheet.rows).toEqual([
      ["第一行\n第二行", "1"],
      ["有\t制表符", "0"],
    ]);
  });

  test("a quote that never closes and rows of unlike length are errors with their line", async () => {
    await expect(readRecords("a.csv", 'text,label\n好,1\n"差,0\n')).rejects.toThrow(
      "a.csv line 3: expected quotes that close",
    );
    await expect(readRecords("a.csv", "text,label\n好,1\n很好,真的,1\n")).rejects.toThrow(
      "a.csv line 3: expected 2 fields as in the first row, got 3",
    );
  });

  test.each([
    ["a known name", "标签,评论\n1,好\n0,差\n", true],
    ["a word over numbers", "好坏,话\n1,好\n0,差\n1,不错\n", true],
    ["data from the start", "1,好\n0,差\n1,不错\n", false],
  ])("a header is told by %s", async (_, text, hasHeader) => {
    expect((await readRecords("a.csv", text)).hasHeader).toBe(hasHeader);
  });

  test("line ends of two kinds in one file", async () => {
    const { rows } = await readRecords("a.csv", 'text,label\r\n好,1\n"差\n了",0\r\n');
    expect(rows).toEqual([
      ["好", "1"],
      ["差\n了", "0"],
    ]);
  });

  test("semicolons and tabs in a .csv", async () => {
    expect((await readRecords("a.csv", "text;label\n好;1\n")).rows).toEqual([["好", "1"]]);
    expect((await readRecords("a.csv", "text\tlabel\n好\t1\n")).rows).toEqual([["好", "1"]]);
    expect((await readRecords("a.csv", "你好,吗\t1\n不,好\t0\n")).rows).toEqual([
      ["你好,吗", "1"],
      ["不,好", "0"],
    ]);
    expect((await readRecords("a.csv", "有\t的,1\n没有,0\n")).rows[0]).toEqual(["有\t的", "1"]);
  });
});

describe("JSON", () => {
  test.each([
    ["a list", "a.json", '[{"text": "好", "label": 1}]'],
    ["a list under data", "a.json", '{"version": "1", "data": [{"text": "好", "label": 1}]}'],
    ["a list under data, after other fields", "a.json", '{"title": "话", "data": [{"text": "好", "label": 1}]}'],
    ["lines", "a.jsonl", '{"text": "好", "label": 1}\n\n'],
    ["lines in a .json", "a.json", '{"text": "好", "label": 1}\n{"text": "差", "label": 0}\n'],
  ])("%s", async (_, path, text) => {
    const { examples } = await readUserExamples("classify", path, text);
    expect(examples[0]).toEqual({ text: "好", label: "1" });
  });

  test("cut short, it says where", async () => {
    const whole = '[\n {"text": "好", "label": "1"},\n {"text": "差", "label": "0"}\n]';
    for (const end of [whole.length - 1, whole.length - 4, whole.length - 12]) {
      await expect(readRecords("a.json", whole.slice(0, end))).rejects.toThrow(
        /a.json line [34], column \d+: expected the rest/,
      );
    }
    await expect(readRecords("a.json", "[\n{,}]")).rejects.toThrow("a.json line 2, column 2: expected JSON");
    await expect(readRecords("a.jsonl", '{"text": "好"}\n{"text": "差')).rejects.toThrow("a.jsonl line 2, column");
  });

  test("records without a field in common are refused before each gets a cell for every name", async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => `{"text${i}": "好"}`).join("\n");
    await expect(readRecords("a.jsonl", lines)).rejects.toThrow("5000 different fields in 5000 records");
  });

  test("what is no record is an error", async () => {
    await expect(readRecords("a.json", "[1]")).rejects.toThrow(DataError);
    await expect(readRecords("a.json", '{"a": 1,\n"b": 2}')).rejects.toThrow("expected a list of records");
  });
});

test.each([
  ["a.txt", "好\t1\n", "tsv"],
  ["a.txt", '{"text": "好"}\n', "jsonl"],
  ["a.txt", "北 B-LOC\n京 I-LOC\n\n好 O\n", "conll"],
  ["a.csv.gz", "", "csv"],
  ["a.bioes", "", "conll"],
] as const)("the layout of %s %j", (path, text, format) => {
  expect(recordFormat(path, text)).toBe(format);
});

describe("columns", () => {
  test("names people use, and the names of the options", async () => {
    const text = "编号,内容,情感,另一栏\n7,好,1,甲\n8,差,0,乙\n";
    const guessed = await readUserExamples("classify", "a.csv", text);
    expect(guessed.examples[0]).toEqual({ id: "7", text: "好", label: "1" });
    expect(guessed.notes?.[0]?.message).toBe('a.csv: text is "内容", label is "情感", id is "编号"');
    const said = await readUserExamples("classify", "a.csv", text, { columns: { text: "另一栏", label: "3" } });
    expect(said.examples[1]).toEqual({ id: "8", text: "乙", label: "0" });
  });

  test("without a header columns are told by what they hold", async () => {
    const left = await readUserExamples("classify", "a.tsv", "1\t很好吃\n0\t不好吃也不便宜\n1\t好\n");
    expect(left.examples[1]).toEqual({ text: "不好吃也不便宜", label: "0" });
    const right = await readUserExamples("match", "a.tsv", "怎么还款\t如何还款\t1\n怎么借\t能不能退\t0\n");
    expect(right.examples[0]).toEqual({ text: "怎么还款", textPair: "如何还款", label: "1" });
    const texts = await readUserExamples("classify", "a.txt", "只有一句话。\n还有一句话。\n");
    expect(texts.examples).toEqual([{ text: "只有一句话。" }, { text: "还有一句话。" }]);
  });

  test("a column that is not there is an error with those that are", async () => {
    const text = "review,label\n好,1\n";
    await expect(readUserExamples("classify", "a.csv", text, { columns: { text: "reveiw" } })).rejects.toMatchObject({
      message: "a.csv: expected a column reveiw, got the columns review, label",
      hint: "did you mean review?",
    });
    await expect(readUserExamples("match", "a.csv", text)).rejects.toThrow("expected a column for the second text");
    await expect(
      readUserExamples("classify", "a.csv", "好,1\n差,0\n", { columns: { text: "文" } }),
    ).rejects.toMatchObject({
      message: 'a.csv: expected a column 文, got 2 columns without names; the first row is "好", "1"',
      hint: expect.stringContaining("its number"),
    });
  });

  test("a first row of names that nobody knows is a header, and one of texts is none", async () => {
    const text = "review_text,stars\n很好吃,好\n太吵了,差\n不错,好\n";
    await expect(readUserExamples("classify", "a.csv", text)).rejects.toMatchObject({
      message: "a.csv: expected a column for text, got the columns review_text, stars",
    });
    const plain = await readUserExamples("classify", "a.csv", "OK,pos\n很好吃,pos\n太吵了,neg\n");
    expect(plain.examples[0]).toEqual({ text: "OK", label: "pos" });
    expect(plain.notes?.[0]?.message).toBe("a.csv has no header: label is column 2, text is column 1");
    const english = await readUserExamples("classify", "a.csv", "great,pos\nawful,neg\nfine,pos\n");
    expect(english.examples).toHaveLength(3);
    expect((await readUserExamples("classify", "a.txt", "hello\n你好\n再见\n")).examples).toHaveLength(3);
  });

  test("a list of label columns has commas between", () => {
    expect(columnChoices({ text: "t", label: "a,b" })).toEqual({ text: "t", label: ["a", "b"] });
    expect(columnChoices({ label: "a" })).toEqual({ label: "a" });
  });
});

describe("the examples of each task", () => {
  const read = async (task: Parameters<typeof readUserExamples>[0], record: unknown) =>
    (await readUserExamples(task, "a.jsonl", `${JSON.stringify(record)}\n`)).examples[0];

  test("multilabel: lists, parted names, columns of 0 and 1", async () => {
    expect(await read("multilabel", { text: "好", labels: ["甲", "乙"] })).toEqual({
      text: "好",
      labels: ["甲", "乙"],
    });
    expect(await read("multilabel", { text: "好", labels: "甲，乙|丙" })).toEqual({
      text: "好",
      labels: ["甲", "乙", "丙"],
    });
    const columns = { label: ["甲", "乙"] };
    const table = await readUserExamples("multilabel", "a.csv", "text,甲,乙\n好,1,0\n差,0,0\n", { columns });
    expect(table.examples).toEqual([
      { text: "好", labels: ["甲"] },
      { text: "差", labels: [] },
    ]);
  });

  test("regress and embed: a number, or an error with line and column", async () => {
    expect(await read("regress", { sentence1: "甲", sentence2: "乙", score: 2.5 })).toEqual({
      text: "甲",
      textPair: "乙",
      score: 2.5,
    });
    expect(await read("embed", { anchor: "甲", positive: "乙", negative: "丙" })).toEqual({
      text: "甲",
      textPair: "乙",
      negative: "丙",
    });
    await expect(read("regress", { text: "甲", score: "高" })).rejects.toThrow(
      'a.jsonl line 1: score: expected a number, got "高"',
    );
  });

  test("ner: places of entities count characters, or UTF-16 units where the entity's text says so", async () => {
    const text = "𠮷在北京";
    const tagsFor = async (entity: object) => {
      return ((await read("ner", { text, entities: [{ ...entity, label: "LOC" }] })) as { tags?: string[] }).tags;
    };
    const expected = ["O", "O", "B-LOC", "I-LOC"];
    expect(await tagsFor({ start: 2, end: 4 })).toEqual(expected);
    expect(await tagsFor({ start: 2, end: 4, text: "北京" })).toEqual(expected);
    expect(await tagsFor({ start: 3, end: 5, text: "北京" })).toEqual(expected);
    await expect(tagsFor({ start: 1, end: 3, text: "北京" })).rejects.toThrow(
      'entities: expected "北京", the entity\'s text, from 1 to 3, got "在北"',
    );
    await expect(tagsFor({ start: 3, end: 6, text: "北京" })).rejects.toThrow("within the 4 characters");
  });

  test("ner: units with tags, entities by offset, CLUENER's layout", async () => {
    const expected = {
      text: "在北京",
      units: [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
      tags: ["O", "B-LOC", "I-LOC"],
    };
    const lines = await readUserExamples("ner", "a.txt", "在 O\n北 B-LOC\n京 I-LOC\n\n");
    expect(lines.examples).toEqual([expected]);
    expect(await read("ner", { tokens: ["在", "北", "京"], ner_tags: ["O", "B-LOC", "I-LOC"] })).toEqual(expected);
    expect(await read("ner", { text: "在北京", entities: [{ start: 1, end: 3, label: "LOC" }] })).toEqual(expected);
    expect(await read("ner", { text: "在北京", label: { LOC: { 北京: [[1, 2]] } } })).toEqual(expected);
    const nested = [
      { start: 0, end: 3, label: "ORG" },
      { start: 1, end: 2, label: "LOC" },
    ];
    expect((await read("ner", { text: "在北京", entities: nested })) as object).toMatchObject({
      tags: ["B-ORG", "I-ORG", "I-ORG"],
    });
    await expect(read("ner", { text: "在北京", entities: [[1, 4, "LOC"]] })).rejects.toThrow("within the 3 characters");
    await expect(read("ner", { tokens: ["在"], tags: ["O", "O"] })).rejects.toThrow(
      "expected 1 tags, one for each unit, got 2",
    );
  });

  test("qa and choice", async () => {
    const question = { id: 3, context: "北京是首都。", question: "首都是哪里？" };
    expect(await read("qa", { ...question, answers: { text: ["北京"], answer_start: [0] } })).toEqual({
      ...question,
      id: "3",
      answers: [{ text: "北京", start: 0 }],
    });
    const numbers = { context: "城建于1998年，人口12.5万。", question: "哪年？" };
    for (const answers of [1998, [1998], { text: [1998], answer_start: [3] }, [{ text: 1998, answer_start: 3 }]]) {
      expect(await read("qa", { ...numbers, answers })).toMatchObject({ answers: [{ text: "1998", start: 3 }] });
    }
    expect(await read("qa", { ...numbers, answers: 12.5 })).toMatchObject({ answers: [{ text: "12.5", start: 11 }] });
    await expect(read("qa", { ...numbers, answers: true })).rejects.toThrow(
      "expected a text, or a list of answers, got true",
    );
    const choices = ["北京", "上海"];
    for (const answer of ["上海", "B", 1]) {
      expect(await read("choice", { context: "", question: "哪里？", choices, answer })).toMatchObject({
        choices,
        label: 1,
      });
    }
    await expect(read("choice", { question: "哪里？", choices, answer: "广州" })).rejects.toThrow("one of the choices");
  });

  test("qa: two questions with answers and one id are an error with both lines; without answers both are kept", async () => {
    const line = (question: object) =>
      `${JSON.stringify({ id: "a", context: "北京", question: "哪？", ...question })}\n`;
    const labelled = line({ answers: ["北京"] });
    await expect(readUserExamples("qa", "a.jsonl", labelled + labelled)).rejects.toThrow(
      'a.jsonl line 2: expected an id of its own for each question with answers, got "a", which a.jsonl line 1 has too',
    );
    await expect(readUserExamples("qa", "a.jsonl", labelled + line({}))).rejects.toThrow("an id of its own");
    const { examples, notes } = await readUserExamples("qa", "a.jsonl", line({}) + line({}));
    expect(examples).toMatchObject([{ id: "a" }, { id: "a" }]);
    expect(notes?.at(-1)).toMatchObject({ kind: "repeated ids", level: "warning", measured: { questions: 1 } });
    // Where nothing names them, each has its line.
    const nameless = `${JSON.stringify({ context: "北京", question: "哪？", answers: ["北京"] })}\n`;
    expect((await readUserExamples("qa", "a.jsonl", nameless + nameless)).examples).toHaveLength(2);
  });

  test("qa: answers are placed in their passages, and what is elsewhere or nowhere is counted", async () => {
    const line = (id: string, answers: unknown) =>
      `${JSON.stringify({ id, context: "塔在城西。城西有塔。", question: "哪？", answers })}\n`;
    const text = [
      line("stated", [{ text: "城西", answer_start: 5 }]),
      line("moved", [{ text: "城西", answer_start: 4 }]),
      line("searched", "城西"),
      line("absent", [{ text: "城东", answer_start: 2 }]),
      line("none", []),
    ].join("");
    const { examples, notes = [] } = await readUserExamples("qa", "a.jsonl", text);
    expect(examples.map((one) => (one as { answers: unknown }).answers)).toEqual([
      [{ text: "城西", start: 5 }],
      [{ text: "城西", start: 5 }],
      [{ text: "城西", start: 2 }],
      [{ text: "城东" }],
      [],
    ]);
    expect(
      notes.filter(({ kind }) => kind.startsWith("answers")).map(({ level, message }) => [level, message]),
    ).toEqual([
      ["info", "1 of 4 answers are not where the data says; the nearest occurrence was taken (moved)"],
      ["info", "1 of 4 answers come without a place; their first occurrence was taken (searched)"],
      [
        "warning",
        "1 of 4 answers are not in their passage; they count in evaluation, and nothing is learned from them (absent)",
      ],
    ]);
  });

  test("ner: entities that overlap a longer one are counted, and the first are named", async () => {
    const line = (ends: readonly number[]) =>
      `${JSON.stringify({ text: "北京大学在北京", entities: [[0, 4, "ORG"], ...ends.map((end) => [0, end, "LOC"]), [5, 7, "LOC"]] })}\n`;
    const { examples, notes } = await readUserExamples("ner", "a.jsonl", line([2, 3]) + line([]) + line([1, 2, 3, 1]));
    expect(examples[0]).toMatchObject({ tags: ["B-ORG", "I-ORG", "I-ORG", "I-ORG", "O", "B-LOC", "I-LOC"] });
    expect(notes?.at(-1)).toMatchObject({
      kind: "overlapping-entities",
      level: "warning",
      measured: { entities: 6, texts: 2 },
    });
    expect(notes?.at(-1)?.message).toMatch(
      /^6 entities in 2 texts .*\(a\.jsonl line 1: LOC "北京大" in ORG "北京大学"; .*; \.\.\.\)$/,
    );
    expect((await readUserExamples("ner", "a.jsonl", line([]))).notes).toHaveLength(1);
  });

  test("lists that a spreadsheet holds as Python wrote them", async () => {
    const table = async (task: Parameters<typeof readUserExamples>[0], text: string) =>
      (await readUserExamples(task, "a.csv", text)).examples[0];
    expect(await table("multilabel", `text,labels\n好,"[""it's"", 'b']"\n`)).toEqual({
      text: "好",
      labels: ["it's", "b"],
    });
    await expect(table("multilabel", "text,labels\n好,[甲 乙]\n")).rejects.toThrow("labels: expected a list of labels");
    expect(await table("ner", `tokens,ner_tags\n"['北', '京']","['B-LOC', 'I-LOC']"\n`)).toMatchObject({
      text: "北京",
      tags: ["B-LOC", "I-LOC"],
    });
    expect(
      await table("qa", `context,question,answers\n北京,哪？,"[{'text': '京', 'answer_start': 1}]"\n`),
    ).toMatchObject({
      answers: [{ text: "京", start: 1 }],
    });
  });

  test("embed: the names of pairs, negatives and scores, in whatever layout", async () => {
    const embed = async (header: string, row: string) =>
      (await readUserExamples("embed", "a.csv", `${header}\n${row}\n`)).examples[0];
    const pair = { text: "甲", textPair: "乙" };
    for (const header of ["sentence1,sentence2", "anchor,positive", "text_a,text_b", "premise,entailment", "q1,q2"]) {
      expect(await embed(header, "甲,乙"), header).toEqual(pair);
    }
    for (const header of ["anchor,positive,negative", "premise,entailment,contradiction", "text,text_pair,hard_neg"]) {
      expect(await embed(header, "甲,乙,丙"), header).toEqual({ ...pair, negative: "丙" });
    }
    for (const name of ["score", "similarity_score", "label", "rating", "target", "相似度"]) {
      expect(await embed(`sentence1,sentence2,${name}`, "甲,乙,2.5"), name).toEqual({ ...pair, score: 2.5 });
    }
    // A score goes before a label; a label that is no number is no score.
    expect(await embed("text,text_pair,label,score", "甲,乙,1,0.3")).toEqual({ ...pair, score: 0.3 });
    await expect(embed("text,text_pair,label", "甲,乙,neutral")).rejects.toThrow(
      'label: expected a number, got "neutral"',
    );
    const said = { columns: { textPair: "另一句", label: "分" } };
    const { examples } = await readUserExamples("embed", "a.csv", "句子,另一句,分\n甲,乙,4\n", said);
    expect(examples).toEqual([{ ...pair, score: 4 }]);
  });
});

describe("what is wrong in a record is said with what to do", () => {
  const question = { context: "北京是首都。", question: "首都是哪里？" };
  test.each<[TaskName, object, RegExp]>([
    ["regress", { text: "好", score: "高" }, /--score-column/],
    ["ner", { tokens: ["在"], tags: ["O", "O"] }, /give each unit its tag/],
    ["ner", { text: "在北京", entities: [[1, 4, "LOC"]] }, /the end is after the last one/],
    ["qa", { ...question, answers: true }, /"answer_start": 12/],
    ["choice", { ...question, choices: ["北京", "上海"], answer: "广州" }, /its number from 0 or its letter/],
    ["classify", { text: { a: 1 }, label: "好" }, /leave the record out/],
  ])("%s %j", async (task, record, hint) => {
    const failure = await readUserExamples(task, "a.jsonl", `${JSON.stringify(record)}\n`).catch((error) => error);
    expect(failure).toBeInstanceOf(DataError);
    expect(failure.hint).toMatch(hint);
  });
});
