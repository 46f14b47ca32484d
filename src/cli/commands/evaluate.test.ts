/** zhbert evaluate: metrics by name, predictions kept, a report; both kinds of data, and options of the wrong one. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pretrainingFixture } from "../../../test/pretraining-data.ts";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { SMALL_LENGTH, smallTaskFolder } from "../../../test/small-task.ts";
import { DataError, UsageError } from "../../errors.ts";
import { pretrain } from "../../node/pretrain.ts";

const classifier = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "中", "好"] });
let folder: string;
let data: string;
let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-evaluate-"));
  data = join(folder, "test.tsv");
  writeFileSync(data, "text\tlabel\n我爱北京\t好\n天气\t差\n不好\t差\n一个人\t中\n");
  fixture = await pretrainingFixture();
  await pretrain(fixture.options("model", { steps: 2 }));
});
afterAll(() => {
  classifier.remove();
  fixture.remove();
  rmSync(folder, { recursive: true, force: true });
});

const evaluate = (args: readonly string[]) => runCommand(["evaluate", classifier.path, ...args]);

describe("a fine-tuned model", () => {
  test("one object with every metric by name, as the predictions say", async () => {
    const file = join(folder, "predictions.jsonl");
    const [result] = parseLines(await evaluate(["--data", data, "--json", "--predictions", file]));
    const predictions = parseLines(readFileSync(file, "utf8"));
    const right = predictions.filter(({ labels, expected }) => labels[0].label === expected).length;
    expect(predictions.map(({ text }) => text)).toEqual(["我爱北京", "天气", "不好", "一个人"]);
    expect(result).toMatchObject({ task: "classify", split: "test", examples: 4, accuracy: right / 4 });
    const counts: number[][] = result.confusion.counts;
    expect(counts.flat().reduce((sum, count) => sum + count, 0)).toBe(4);
  });

  test("people see metrics, classes, confusions and errors; the report holds the texts", async () => {
    const report = join(folder, "report.html");
    const text = await evaluate(["--data", data, "--report", report]);
    for (const expected of ["accuracy", "By label", "rows expected", "worst errors"]) expect(text).toContain(expected);
    const html = readFileSync(report, "utf8");
    expect(html).toContain("Confusion matrix");
    expect(html).toContain("一个人");
  });

  test("labels of a published data set are shown with their words, and stay as they are in JSON", async () => {
    const model = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["0", "1"] });
    const [file, report] = ["chnsenticorp.tsv", "chnsenticorp.html"].map((name) => join(folder, name)) as [
      string,
      string,
    ];
    writeFileSync(file, "label\ttext_a\n1\t我爱北京\n0\t天气\n");
    const args = ["evaluate", model.path, "--data", file, "--dataset", "chnsenticorp"];
    expect(await runCommand([...args, "--report", report])).toMatch(
      /precision, recall, f1 and rocAuc are of the label 1 \(positive\)[\s\S]*0 \(negative\)/,
    );
    expect(readFileSync(report, "utf8")).toContain("are of the label 1 (positive)");
    expect(readFileSync(report, "utf8")).toContain("1 (positive)");
    expect(parseLines(await runCommand([...args, "--json"]))[0].confusion.labels).toEqual(["0", "1"]);
    model.remove();
  });

  test("takes the columns that are named, and the first examples only", async () => {
    const own = join(folder, "own.csv");
    writeFileSync(own, "a,b,c\n好,我爱北京,x\n差,天气,y\n");
    const args = ["--data", own, "--text-column", "b", "--label-column", "a", "--json"];
    expect(parseLines(await evaluate(args))[0]).toMatchObject({ examples: 2 });
    expect(parseLines(await evaluate([...args, "--max-examples", "1"]))[0]).toMatchObject({ examples: 1 });
  });

  test("takes a file in the format that is said, examples by their names, and says what is warned of", async () => {
    const file = join(folder, "unnamed.txt");
    writeFileSync(file, "key,text,label\nq1,我爱北京,好\nq2,天气,\n");
    let notes = "";
    const args = ["--data", file, "--format", "csv", "--id-column", "key", "--max-examples", "1"];
    await runCommand(["evaluate", classifier.path, ...args], [], (stderr) => {
      notes = stderr;
    });
    expect(notes).toContain("warning: test has 1 of 2 examples without a label");
    const wrong = evaluate([...args.slice(0, 5), "missing"]);
    await expect(wrong).rejects.toThrow("expected a column missing");
  });

  test("a folder's test split, or its dev split where there is no other with labels; the rest is not read", async () => {
    const dev = mkdtempSync(join(folder, "dev-"));
    writeFileSync(join(dev, "dev.tsv"), "text\tlabel\n我爱北京\t好\n天气\t差\n");
    expect(parseLines(await evaluate(["--data", dev, "--json"]))[0]).toMatchObject({ split: "dev", examples: 2 });
    writeFileSync(join(dev, "test.tsv"), "text\n我爱北京\n");
    expect(parseLines(await evaluate(["--data", dev, "--json"]))[0]).toMatchObject({ split: "dev", examples: 2 });
    writeFileSync(join(dev, "test.tsv"), "text\tlabel\n天气\t差\n");
    writeFileSync(join(dev, "dev.tsv"), "text\tlabel\n只有一列\n");
    expect(parseLines(await evaluate(["--data", dev, "--json"]))[0]).toMatchObject({ split: "test", examples: 1 });
  });

  test("examples without a label among others are left out; a file without any is refused before anything is computed", async () => {
    const [some, none] = ["some.tsv", "none.tsv"].map((name) => join(folder, name)) as [string, string];
    writeFileSync(some, "text\tlabel\n我爱北京\t好\n天气\t\n不好\t差\n");
    expect(parseLines(await evaluate(["--data", some, "--json"]))[0]).toMatchObject({ examples: 2 });
    writeFileSync(none, "text\tname\n我爱北京\t好\n天气\t差\n");
    let notes = "";
    const refused = runCommand(["evaluate", classifier.path, "--data", none], [], (stderr) => {
      notes = stderr;
    });
    await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining("--label-column") });
    expect(notes).not.toContain("texts");
  });

  test("a file that cannot be written is told before anything is computed, and leaves nothing behind", async () => {
    const before = readdirSync(folder);
    for (const option of ["--report", "--predictions"]) {
      let notes = "";
      const args = ["--data", data, option, join(data, "under-a-file")];
      const failure = await runCommand(["evaluate", classifier.path, ...args], [], (stderr) => {
        notes = stderr;
      }).catch((error) => error);
      expect(failure.message).toContain("a file that can be written");
      expect(notes).not.toContain("texts");
    }
    expect(readdirSync(folder)).toEqual(before);
  });

  test("a file of a published data set is of the split that it is named for", async () => {
    const model = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["0", "1"] });
    const file = join(folder, "dev.tsv");
    writeFileSync(file, "label\ttext_a\n1\t我爱北京\n0\t天气\n");
    const args = ["evaluate", model.path, "--data", file, "--dataset", "chnsenticorp", "--json"];
    expect(parseLines(await runCommand(args))[0]).toMatchObject({ split: "dev" });
    expect(parseLines(await runCommand([...args, "--split", "train"]))[0]).toMatchObject({ split: "train" });
    model.remove();
  });

  test("warns of texts with nothing to read, in the report as well", async () => {
    const [file, report] = ["empty.tsv", "empty.html"].map((name) => join(folder, name)) as [string, string];
    writeFileSync(file, "text\tlabel\n我爱北京\t好\n \t差\n");
    let notes = "";
    await runCommand(["evaluate", classifier.path, "--data", file, "--report", report], [], (stderr) => {
      notes = stderr;
    });
    expect(notes).toContain("warning: test has 1 empty text (the first is example 2)");
    expect(readFileSync(report, "utf8")).toContain("1 empty text");
  });

  test("refuses labels that it was not trained with", async () => {
    const unseen = join(folder, "unseen.tsv");
    writeFileSync(unseen, "text\tlabel\n我爱北京\t极好\n天气\t差\n");
    const failure = await evaluate(["--data", unseen]).catch((error) => error);
    expect(failure).toBeInstanceOf(DataError);
    expect(failure.message).toMatch(/^label of "我爱北京": .*"极好"$/);
  });

  test("looks for such labels in the whole file before it computes", async () => {
    const late = join(folder, "late.tsv");
    writeFileSync(late, `text\tlabel\n${"我爱北京\t好\n".repeat(6000)}天气\t极好\n`);
    let notes = "";
    const refused = runCommand(["evaluate", classifier.path, "--data", late], [], (stderr) => {
      notes = stderr;
    });
    await expect(refused).rejects.toThrow(/^label of "天气": .*"极好"$/);
    expect(notes).not.toContain("texts");
  });
});

describe("other tasks", () => {
  test("answers: marked in their passages, and by id in the file that CMRC's script reads", async () => {
    const model = smallTaskFolder({ task: "qa", maxSeqLength: SMALL_LENGTH });
    const context = "今天 北京天气很好，他在上大的一个人中了。";
    const lines = [
      { id: "a", context, question: "他在", answers: [{ text: "北京", answer_start: 3 }] },
      { id: "b", context, question: "天气", answers: [{ text: "很好", answer_start: 7 }] },
    ];
    const [questions, answers, report] = ["qa.jsonl", "answers.json", "qa.html"].map((name) => join(folder, name));
    writeFileSync(questions as string, lines.map((line) => JSON.stringify(line)).join("\n"));
    const args = ["--data", questions as string, "--predictions", answers as string, "--report", report as string];
    const [result] = parseLines(await runCommand(["evaluate", model.path, "--json", ...args]));
    model.remove();
    expect(result).toMatchObject({ task: "qa", examples: 2, average: expect.any(Number), f1: expect.any(Number) });
    expect(Object.keys(JSON.parse(readFileSync(answers as string, "utf8")))).toEqual(["a", "b"]);
    const html = readFileSync(report as string, "utf8");
    if (result.average < 1) expect(html).toMatch(/class="(expected|agreed|predicted)">[^<]*[\u4e00-\u9fff]/);
  });

  test("several labels: each in a column of its own", async () => {
    const model = smallTaskFolder({ task: "multilabel", maxSeqLength: SMALL_LENGTH, labels: ["北", "京"] });
    const file = join(folder, "labels.csv");
    writeFileSync(file, "text,北,京\n我爱北京,1,1\n天气,0,0\n");
    const args = ["--data", file, "--label-column", "北,京", "--json"];
    const [result] = parseLines(await runCommand(["evaluate", model.path, ...args]));
    model.remove();
    expect(result.tables[0].rows.map(([label, , , , examples]: unknown[]) => [label, examples])).toEqual([
      ["北", 1],
      ["京", 1],
    ]);
  });

  test("entities: by type, and marked where they are and where they were found", async () => {
    const model = smallTaskFolder({ task: "ner", maxSeqLength: SMALL_LENGTH, labels: ["O", "B-LOC", "I-LOC"] });
    const [tagged, report] = ["ner.txt", "ner.html"].map((name) => join(folder, name)) as [string, string];
    writeFileSync(tagged, "我 O\n爱 O\n北 B-LOC\n京 I-LOC\n\n他 O\n在 O\n上 B-LOC\n");
    const text = await runCommand(["evaluate", model.path, "--data", tagged, "--report", report]);
    model.remove();
    expect(text).toContain("LOC");
    expect(text).toContain("2 examples");
    expect(readFileSync(report, "utf8")).toMatch(/class="(expected|agreed|predicted|mistyped)">/);
  });
});

describe("a pre-trained model", () => {
  const measure = (args: readonly string[]) =>
    runCommand(["evaluate", fixture.path("model"), "--data", fixture.data, "--threads", "1", ...args]);

  test("is measured on a folder of zhbert data, masks drawn anew on demand", async () => {
    const [stored] = parseLines(await measure(["--json"]));
    expect(stored).toMatchObject({ split: "held-out", instances: 24, masking: "char" });
    const [drawn] = parseLines(await measure(["--json", "--masking", "whole-word", "--seed", "4"]));
    expect(drawn).toMatchObject({ masking: "whole-word", seed: 4 });
    expect(drawn.mlmLoss).toBeGreaterThan(0);
    expect(await measure(["--split", "train", "--max-examples", "10"])).toContain("10 instances (train)");
  });

  test("refuses options of the other kind of data", async () => {
    await expect(measure(["--label-column", "x"])).rejects.toThrow("--label-column: expected labelled data");
    await expect(measure(["--split", "test"])).rejects.toThrow("--split");
    await expect(evaluate(["--data", data, "--masking", "char"])).rejects.toThrow("--masking: expected a folder");
    await expect(evaluate([])).rejects.toThrow(UsageError);
  });
});
