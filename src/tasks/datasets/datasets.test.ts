import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { describeShared } from "../../../test/shared.ts";
import { publishedScores } from "../../model/zoo-scores.ts";
import { loadTaskData } from "../../node/task-data.ts";
import { taskDefinitions } from "../tasks.ts";
import { datasets, findDataset } from "./datasets.ts";
import { splitFiles } from "./split-files.ts";

/** Reads a text of a data set's layout; the sentences are own ones. */
async function read(name: string, path: string, text: string, split = "train") {
  const dataset = findDataset(name);
  if (dataset === undefined) throw new Error(`no data set ${name}`);
  return dataset.read({ path, text }, split);
}

test("every data set is found by its names, and knows its task and splits", () => {
  expect(datasets.length).toBeGreaterThanOrEqual(10);
  const names = datasets.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  expect(new Set(names).size).toBe(names.length);
  for (const dataset of datasets) {
    expect(taskDefinitions.map(({ reads }) => reads)).toContain(dataset.task);
    expect(findDataset(dataset.title.toUpperCase())?.name ?? findDataset(dataset.name)?.name).toBe(dataset.name);
    for (const label of Object.keys(dataset.labelNames ?? {})) expect(dataset.labels).toContain(label);
  }
  expect(findDataset("BQ-Corpus")?.name).toBe("bq_corpus");
  expect(findDataset("imdb")).toBeUndefined();
});

test("the documentation has a row for each", () => {
  const rows = readFileSync(new URL("../../../docs/tasks-data.md", import.meta.url), "utf8");
  expect(
    datasets.filter(({ name }) => !new RegExp(`^\\|[^|]*\`${name}\``, "m").test(rows)).map(({ name }) => name),
  ).toEqual([]);
});

test("titles are those of the published scores", () => {
  const titles = new Set(datasets.map(({ title }) => title));
  const known = Object.keys(publishedScores["LERT-base"] ?? {}).concat(Object.keys(publishedScores["BERT-wwm"] ?? {}));
  expect(known.filter((title) => !titles.has(title))).toEqual([]);
});

describe("the files of a split", () => {
  const paths = [
    "a/train.tsv",
    "a/b/train.tsv",
    "c3-m-dev.json",
    "c3-d-dev.json.gz",
    "train/体育/1.txt",
    "train/体育/2.txt",
    "xtrain.csv",
  ];
  test.each([
    ["the nearest, in any folder", ["train.tsv"], ["a/train.tsv"]],
    ["an alternative", ["train.json", "b/train.tsv"], ["a/b/train.tsv"]],
    ["all of a list, packed as well", [["c3-m-dev.json", "c3-d-dev.json"]], ["c3-m-dev.json", "c3-d-dev.json.gz"]],
    ["a list of which one lacks", [["c3-m-dev.json", "c3-x-dev.json"]], []],
    ["all that match a star", ["train/体育/*.txt"], ["train/体育/1.txt", "train/体育/2.txt"]],
    ["no ends of other names", ["train.csv"], []],
  ])("%s", (_, names, expected) => {
    expect(splitFiles(paths, names)).toEqual(expected);
  });
});

describe("published layouts", () => {
  test("ChnSentiCorp with the label first, as CSV and without a header", async () => {
    const expected = [{ text: "房间很干净", label: "1" }];
    expect((await read("chnsenticorp", "train.tsv", "label\ttext_a\n1\t房间很干净\n")).examples).toEqual(expected);
    expect((await read("chnsenticorp", "a.csv", "label,review\n1,房间很干净\n")).examples).toEqual(expected);
    expect((await read("chnsenticorp", "train.tsv", "1\t房间很干净\n")).examples).toEqual(expected);
  });

  test("pairs: lines of another length are counted, tests may lack labels, CLUE's are JSON lines", async () => {
    const lines = "怎么还款\t如何还款\t1\n怎么借\t能退吗\t0\n坏行\n";
    expect(await read("lcqmc", "train.txt", lines)).toEqual({
      examples: [
        { text: "怎么还款", textPair: "如何还款", label: "1" },
        { text: "怎么借", textPair: "能退吗", label: "0" },
      ],
      skipped: { "1 fields in a line": 1 },
    });
    const unlabelled = await read("afqmc", "test.txt", "怎么还款\t如何还款\n", "test");
    expect(unlabelled.examples).toEqual([{ text: "怎么还款", textPair: "如何还款" }]);
    const json = await read("afqmc", "train.json", '{"sentence1": "甲", "sentence2": "乙", "label": "0"}\n');
    expect(json.examples).toEqual([{ text: "甲", textPair: "乙", label: "0" }]);
  });

  test("OCNLI leaves out and counts what annotators do not agree on", async () => {
    const line = (label: string) => `${JSON.stringify({ sentence1: "他来了", sentence2: "有人来了", label })}\n`;
    const { examples, skipped } = await read("ocnli", "dev.json", line("entailment") + line("-"), "dev");
    expect(examples).toEqual([{ text: "他来了", textPair: "有人来了", label: "entailment" }]);
    expect(skipped).toEqual({ 'the label "-"': 1 });
  });

  test("XNLI: the translated training file, and the Chinese of all languages", async () => {
    const train = await read(
      "xnli",
      "multinli.train.zh.tsv",
      "premise\thypo\tlabel\n他 用 New York 的 票 。\t他 没 来 。\tcontradictory\n",
    );
    expect(train.examples).toEqual([{ text: "他用New York的票。", textPair: "他没来。", label: "contradiction" }]);
    const dev = [
      "language\tgold_label\tsentence1_parse\tsentence1\tsentence2",
      "de\tneutral\t\tEr kam.\tWer?",
      "zh\tneutral\t\t他来了。\t谁？",
      "zh\t-\t\t他走了。\t谁？",
      "zh\tneutral\t\t他",
    ];
    expect(await read("xnli", "xnli.dev.tsv", `${dev.join("\n")}\n`, "dev")).toEqual({
      examples: [{ text: "他来了。", textPair: "谁？", label: "neutral" }],
      skipped: { "another language": 1, 'the label "-"': 1, "4 fields in a line": 1 },
    });
  });

  test("labels of no data set are counted one by one, many of them together", async () => {
    const lines = (labels: readonly string[]) =>
      `label\ttext_a\n1\t好\n${labels.map((one) => `${one}\t差\n`).join("")}`;
    expect(await read("chnsenticorp", "train.tsv", lines(["2", "2", "toString"]))).toEqual({
      examples: [{ text: "好", label: "1" }],
      skipped: { 'the label "2"': 2, 'the label "toString"': 1 },
    });
    const many = Array.from({ length: 90 }, (_, i) => `第${i}句`);
    const { skipped } = await read("chnsenticorp", "train.tsv", lines(many));
    expect(Object.values(skipped ?? {})).toEqual([90]);
    expect(Object.keys(skipped ?? {})[0]).toMatch(/^labels that the data set does not have: "第0句", .* and 85 more$/);
  });

  test("THUCNews in one file and in folders", async () => {
    expect((await read("thucnews", "cnews.train.txt", "体育\t球队赢了。\n")).examples).toEqual([
      { text: "球队赢了。", label: "体育" },
    ]);
    expect((await read("thucnews", "train/财经/7.txt", "股市上涨\n详情\n")).examples).toEqual([
      { text: "股市上涨\n详情", label: "财经" },
    ]);
  });

  test("C3, and the STS benchmark with bars", async () => {
    const document = [
      ["甲：你好。", "乙：再见。"],
      [{ question: "谁先说？", choice: ["甲", "乙"], answer: "甲" }],
      "9",
    ];
    expect((await read("c3", "c3-d-train.json", JSON.stringify([document]))).examples).toEqual([
      { id: "9-0", context: "甲：你好。\n乙：再见。", question: "谁先说？", choices: ["甲", "乙"], label: 0 },
    ]);
    await expect((async () => read("c3", "a.json", '[[["甲"], [{"question": "?"}], "1"]]'))()).rejects.toThrow(
      "document 1 question 1",
    );
    expect((await read("sts-b", "cnsd_sts_dev.txt", "0001||他在跑。||他跑步。||4.5\n")).examples).toEqual([
      { id: "0001", text: "他在跑。", textPair: "他跑步。", score: 4.5 },
    ]);
  });

  test("a file of another layout says so", async () => {
    await expect((async () => read("chnsenticorp", "train.tsv", "好\t差\t中\t一般\n"))()).rejects.toThrow(
      "expected lines of label, tab, text",
    );
  });
});

describeShared("data/tasks", "the real files", (folder) => {
  const unpacked = mkdtempSync(join(tmpdir(), "zhbert-tasks-"));
  afterAll(() => rmSync(unpacked, { recursive: true, force: true }));

  test.each([
    ["chnsenticorp", { train: 9600, dev: 1200, test: 1200 }, {}],
    ["lcqmc", { dev: 8802, test: 12_500 }, {}],
    ["bq_corpus", { dev: 10_000, test: 10_000 }, {}],
    ["afqmc", { train: 34_334, dev: 4316, test: 3861 }, {}],
    ["tnews", { train: 53_360, dev: 10_000 }, {}],
    ["ocnli", { train: 50_437, dev: 2950, test: 3000 }, { skipped: 2 }],
  ])("%s has its published sizes and labels", async (name, sizes, kinds: { skipped?: number }) => {
    execFileSync("tar", ["-xJf", join(folder, `${name}.tar.xz`), "-C", unpacked]);
    const data = await loadTaskData({ name, folder: join(unpacked, name) });
    expect(
      Object.fromEntries(Object.entries(data.splits).map(([split, examples]) => [split, examples?.length])),
    ).toEqual(sizes);
    const warnings = data.notes.filter(({ level }) => level === "warning");
    expect(warnings).toEqual([]);
    expect(data.notes.filter(({ kind }) => kind === "skipped")).toHaveLength(kinds.skipped ?? 0);
    const examples: readonly { readonly label?: string }[] = Object.values<readonly object[] | undefined>(
      data.splits,
    ).flatMap((some) => some ?? []);
    const found = new Set(examples.map(({ label }) => label));
    found.delete(undefined);
    expect([...found].sort()).toEqual([...(data.labels ?? [])].sort());
  });

  test.each(["train.10k.json", "train.3k.json"])("OCNLI's smaller %s has its published size", async (file) => {
    execFileSync("tar", ["-xJf", join(folder, "ocnli.tar.xz"), "-C", unpacked]);
    const train = join(unpacked, "ocnli", "official", file);
    const { notes } = await loadTaskData({ name: "ocnli", train, splits: ["train"] });
    expect(notes.map(({ kind }) => kind)).toEqual(["skipped"]);
  });
});
