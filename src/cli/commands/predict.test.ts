/** zhbert predict: a result for each line, in order, from texts, files, objects and pairs; and what it refuses. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { smallModelFolder } from "../../../test/small-model.ts";
import { SMALL_LENGTH, smallTaskFolder } from "../../../test/small-task.ts";
import { ConfigError, DataError, FileError, UsageError } from "../../errors.ts";

const classifier = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "中", "好"] });
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-predict-"));
});
afterAll(() => {
  classifier.remove();
  rmSync(folder, { recursive: true, force: true });
});

const predict = (args: readonly string[], lines: readonly string[] = []) =>
  runCommand(["predict", classifier.path, ...args], lines);

describe("predict --json", () => {
  test("prints text and labels of each text, all or the likeliest", async () => {
    const [first, second] = parseLines(await predict(["--json", "我爱北京", "天气不好"]));
    expect(first.text).toBe("我爱北京");
    expect(second.text).toBe("天气不好");
    expect(first.labels).toHaveLength(3);
    expect(Object.keys(first)).toEqual(["text", "labels"]);
    const [cut] = parseLines(await predict(["--json", "-k", "1", "我爱北京"]));
    expect(cut.labels).toEqual(first.labels.slice(0, 1));
  });

  test("keeps the order of lines of all lengths, blank ones too", async () => {
    const lines = Array.from({ length: 200 }, (_, i) => "天气很好".repeat(i % 7).slice(0, (i * 5) % 23));
    const results = parseLines(await predict(["--json"], lines));
    expect(results.map(({ text }) => text)).toEqual(lines);
  });

  test("reads objects by the names that people use, and pairs; labels beside them do not count", async () => {
    const lines = [
      '{"sentence1":"我爱北京","sentence2":"他在中国","label":"unheard of"}',
      "",
      "我爱北京 ||| 他在中国",
      '{"text_pair":"他在中国","text":"我爱北京","id":7}',
    ];
    const results = parseLines(await predict(["--json"], lines));
    expect(results).toHaveLength(3);
    for (const { labels } of results) expect(labels[0].score).toBeCloseTo(results[0].labels[0].score, 5);
  });

  test("from a file to a file, which is whole or not there", async () => {
    const [input, output] = [join(folder, "texts.jsonl"), join(folder, "out.jsonl")];
    writeFileSync(input, '{"text":"我爱北京"}\n{"text":"好"}\n');
    const [summary] = parseLines(await predict(["--json", "--file", input, "-o", output]));
    expect(summary).toEqual({ output, predictions: 2 });
    expect(parseLines(readFileSync(output, "utf8")).map(({ text }) => text)).toEqual(["我爱北京", "好"]);
    writeFileSync(input, '{"text":"我爱北京"}\n{"text":\n');
    const failed = join(folder, "failed.jsonl");
    await expect(predict(["--file", input, "-o", failed])).rejects.toThrow(`${input} line 2, column`);
    expect(() => readFileSync(failed)).toThrow();
  });
});

test("says how many texts had nothing to read", async () => {
  let notes = "";
  const texts = ["我爱北京", "", "　", "好"];
  await runCommand(["predict", classifier.path], texts, (stderr) => {
    notes = stderr;
  });
  expect(notes).toContain("warning: 2 of 4 had no text to read");
  await runCommand(["predict", classifier.path, "我爱北京"], [], (stderr) => {
    notes = stderr;
  });
  expect(notes).not.toContain("no text to read");
});

test("says how many texts were cut, and with --windows reads them to their end", async () => {
  const long = "今天天气很好".repeat(5);
  let stderr = "";
  const run = (args: readonly string[]) =>
    runCommand(["predict", classifier.path, "--json", ...args], [], (text) => {
      stderr = text;
    });
  const [cut] = parseLines(await run(["好", long])).slice(1);
  expect(stderr).toContain("1 of 2 were longer than the model's rows");
  const [, whole] = parseLines(await run(["--windows", "好", long]));
  expect(stderr).not.toContain("longer than");
  expect(whole.labels).not.toEqual(cut.labels);
});

test.each([
  [{ task: "ner", labels: ["O", "B-LOC"] }, /one for ner$/, /leave it out: models for ner read texts of any length/],
  [{ task: "qa" }, /one for qa$/, /leave it out: models for qa/],
  [{ task: "match", labels: ["0", "1"] }, /one for match$/, /a larger --max-seq-length/],
  [{ task: "siamese", labels: ["0", "1"] }, /one for siamese$/, /a larger --max-seq-length/],
])("--windows is refused where it would change nothing: %j", async (settings, message, hint) => {
  const model = smallTaskFolder({ maxSeqLength: SMALL_LENGTH, ...settings });
  try {
    for (const command of [
      ["predict", model.path, "--windows", "好"],
      ["evaluate", model.path, "--windows", "--data", model.path],
    ]) {
      const attempt = runCommand(command, []);
      await expect(attempt).rejects.toThrow(UsageError);
      await expect(attempt).rejects.toMatchObject({
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      });
    }
  } finally {
    model.remove();
  }
});

test("people see labels with their probabilities before the text; control characters cannot move their cursor", async () => {
  const text = await predict(["好\u001b[2J天\u0007"]);
  expect(text).toMatch(/^\S+ \d+\.\d %, .*, .* {2}好\\u001b\[2J天\\u0007\n$/);
});

test("--explain writes a page, and with --json gives each character's part beside the result", async () => {
  const page = join(folder, "why.html");
  const args = ["--json", "--explain", page, "--explain-steps", "60", "--attention", "我爱 北京", "天气 ||| 很好"];
  const [first, second] = parseLines(await predict(args));
  expect(first.explanation.label).toBe(first.labels[0].label);
  expect(first.explanation.tokens.map(({ text }: { text: string }) => text)).toEqual([..."我爱北京"]);
  expect(second.explanation.tokens.map(({ source }: { source: number }) => source)).toEqual([0, 0, 1, 1]);
  expect(first.explanation.completenessError).toBeLessThan(1e-3);
  const html = readFileSync(page, "utf8");
  expect(html.match(/<section>/g)).toHaveLength(2);
  expect(html).toContain("attention of layer 2, head 3");
  await expect(predict(["--attention", "好"])).rejects.toThrow("--attention: expected --explain FILE");
});

describe("other tasks", () => {
  const folders = {
    ner: smallTaskFolder({ task: "ner", maxSeqLength: SMALL_LENGTH, labels: ["O", "B-LOC", "I-LOC"] }),
    qa: smallTaskFolder({ task: "qa", maxSeqLength: SMALL_LENGTH }),
    regress: smallTaskFolder({ task: "regress", maxSeqLength: SMALL_LENGTH }),
    choice: smallTaskFolder({ task: "choice", maxSeqLength: SMALL_LENGTH }),
    multilabel: smallTaskFolder({ task: "multilabel", maxSeqLength: SMALL_LENGTH, labels: ["吃", "住"] }),
  };
  afterAll(() => {
    for (const one of Object.values(folders)) one.remove();
  });
  const run = (task: keyof typeof folders, args: readonly string[], lines: readonly string[] = []) =>
    runCommand(["predict", folders[task].path, ...args], lines);

  test("entities: places in the text, and marked in it for people", async () => {
    const text = "我在北京大学，他在上中";
    const [{ entities, ...others }] = parseLines(await run("ner", ["--json", text]));
    expect(others).toEqual({ text });
    expect(entities.length).toBeGreaterThan(0);
    for (const { entity, text: own, start, end } of entities) {
      expect([entity, own]).toEqual(["LOC", text.slice(start, end)]);
    }
    const shown = await run("ner", [text]);
    expect(shown.match(/LOC/g)).toHaveLength(entities.length);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    const plain = shown.replace(/\u001b\[\d+m/g, "").replace(/\[(.*?) LOC\]/g, "$1");
    expect(plain).toBe(`${text}\n`);
    const [constrained] = parseLines(await run("ner", ["--json", "--constrained", text]));
    expect(constrained.entities).not.toEqual(entities);
    await expect(run("choice", ["--constrained"], ["{}"])).rejects.toThrow("constrained decoding: expected a model");
  });

  test("answers: from objects, or of lines about one passage", async () => {
    const context = "今天 北京天气很好，他在上大的一个人中了。".repeat(3);
    const passage = join(folder, "passage.txt");
    writeFileSync(passage, context);
    const object = JSON.stringify({ id: "q7", question: "他在", context });
    const [answer] = parseLines(await run("qa", ["--json"], [object]));
    expect(Object.keys(answer)).toEqual(["id", "answer", "start", "end", "score"]);
    expect(answer).toMatchObject({ id: "q7", answer: context.slice(answer.start, answer.end) });
    const [asked] = parseLines(await run("qa", ["--json", "--context", passage, "-k", "3", "他在"]));
    expect(asked.answer).toBe(answer.answer);
    expect(asked.answers).toHaveLength(3);
    expect(await run("qa", ["--context", passage, "他在"])).toContain("他在 → ");
    await expect(run("qa", ["他在"])).rejects.toThrow("expected a JSON object");
    let stderr = "";
    await runCommand(["predict", folders.qa.path, "--context", passage, "他在".repeat(20)], [], (text) => {
      stderr = text;
    });
    expect(stderr).toContain("1 of 1 questions were too long and were cut; passages are read");
  });

  test("--explain: every entity, answers, choices; as HTML and JSON, with attention", async () => {
    const page = join(folder, "tasks.html");
    const flags = ["--json", "--explain", page, "--explain-steps", "2", "--attention"];
    const text = "我在北京大学，他在上中";
    const [{ entities, explanations }] = parseLines(await run("ner", [...flags, text]));
    expect(
      explanations.map(({ label, span }: { label: string; span: object }) => ({ entity: label, ...span })),
    ).toEqual(entities.map(({ score: _, ...entity }: { score: number }) => ({ source: 0, ...entity })));
    expect(readFileSync(page, "utf8").match(/<h2>LOC /g)).toHaveLength(entities.length);
    expect(readFileSync(page, "utf8")).toContain("attention of layer 2, head 3");
    const question = '{"question":"他在","context":"我在北京大学，他在上中"}';
    const [answer] = parseLines(await run("qa", flags, [question]));
    expect(answer.explanation.span).toMatchObject({ text: answer.answer, start: answer.start });
    expect(readFileSync(page, "utf8")).toContain(`<h2>${answer.answer}: `);
    expect(readFileSync(page, "utf8")).toContain("attention of layer 2, head 3");
    const [choice] = parseLines(await run("choice", flags, ['{"question":"人","choices":["一","大","中"]}']));
    expect(choice.explanation.label).toBe(choice.choices[0].choice);
    expect(readFileSync(page, "utf8")).toContain("Attention in sequence 3 of 3");
  });

  test("numbers of pairs, choices, and labels that hold by themselves", async () => {
    const [pair] = parseLines(await run("regress", ["--json", "我爱 ||| 北京"]));
    expect(pair).toEqual({ textA: "我爱", textB: "北京", score: expect.any(Number) });
    expect(await run("regress", ["我爱 ||| 北京"])).toMatch(/^-?\d+\.\d{4} {2}我爱 \|\|\| 北京\n$/);
    const question = '{"question":"人","choices":["一","大","中"]}';
    const [choice] = parseLines(await run("choice", ["--json"], [question]));
    expect(choice.choices).toHaveLength(3);
    expect(await run("choice", [], [question])).toMatch(/^人 → .* \d/);
    const [both] = parseLines(await run("multilabel", ["--json", "好"]));
    expect(both.labels).toHaveLength(2);
    expect(await run("multilabel", ["好"])).toContain("好\n");
  });
});

test("an id that is given comes back", async () => {
  const [labelled] = parseLines(await predict(["--json"], ['{"id":"q7","text":"好"}']));
  expect(Object.keys(labelled)).toEqual(["id", "text", "labels"]);
  expect(labelled.id).toBe("q7");
});

describe("refuses", () => {
  test.each<[string[], string[], new (...args: never[]) => Error, string]>([
    [["--file", "x.txt", "好"], [], UsageError, "--file"],
    [["--context", "x.txt", "好"], [], UsageError, "--context"],
    [[], ['{"words":"好"}'], DataError, "standard input line 1"],
    [["--explain", join("package.json", "page.html"), "好"], [], FileError, "a file that can be written"],
    [[], ["好", '{"text":["好"]}'], DataError, "standard input line 2"],
  ])("%j with %j", async (args, lines, kind, message) => {
    const failure = await predict(args, lines).catch((error) => error);
    expect(failure).toBeInstanceOf(kind);
    expect(failure.message).toContain(message);
    // Columns are named by options of other commands only.
    expect(failure.hint).not.toContain("-column");
  });

  test("a model that was not fine-tuned", async () => {
    const base = smallModelFolder();
    const failure = await runCommand(["predict", base.path, "好"]).catch((error) => error);
    base.remove();
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.hint).toContain("zhbert finetune");
  });
});
