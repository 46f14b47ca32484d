/** A protocol's runs are those of its file, in folders of their own; what is wrong in the file is said with its line. */
import { describe, expect, test } from "vitest";
import { DataError, UsageError } from "../../errors.ts";
import { pointName } from "./protocol.ts";
import { parseProtocol, type ReadOption } from "./protocol-file.ts";

const text = `
title: Small models
output: runs/small
runs: 2
baseline: RoBERTa
options: { max-seq-length: 128 }
models:
  - hfl/rbt3
  - { name: RoBERTa, path: models/chinese-roberta-wwm-ext, options: { batch-size: 16 } }
tasks:
  - dataset: chnsenticorp
    data: data/chnsenticorp
    grid: { learning-rate: [2e-5, 1e-4] }
  - { name: 评论, task: classify, train: train.csv, epochs: 5, options: { batchSize: 8 } }
`;

const parse = (source: string, readOption?: ReadOption) => parseProtocol(source, "p.yaml", readOption);

describe("a protocol", () => {
  test("is models x tasks x grid x seeds, all runs of a seed before the next", () => {
    const { cells, seeds, title, output, baseline } = parse(text);
    expect({ seeds, title, output, baseline }).toEqual({
      seeds: [1, 2],
      title: "Small models",
      output: "runs/small",
      baseline: "RoBERTa",
    });
    expect(cells).toHaveLength(2 * (2 * 2 + 2));
    expect(cells.map(({ seed }) => seed)).toEqual([...Array(6).fill(1), ...Array(6).fill(2)]);
    expect(new Set(cells.map(({ folder }) => folder)).size).toBe(cells.length);
  });

  test("options of the protocol, the task, the model and the point are laid over each other", () => {
    const { cells } = parse(text);
    expect(cells[3]?.options).toEqual({
      maxSeqLength: 128,
      data: "data/chnsenticorp",
      batchSize: 16,
      learningRate: 1e-4,
    });
    expect(cells[4]?.options).toEqual({ maxSeqLength: 128, train: "train.csv", epochs: 5, batchSize: 8 });
    expect(cells[5]?.options).toMatchObject({ batchSize: 16 });
  });

  test("folders tell what is in them, and other options have other folders", () => {
    const [first] = parse(text).cells;
    expect(first?.folder).toMatch(/^hfl-rbt3\/chnsenticorp\/learningRate-2e-5-seed-1-[0-9a-f]{8}$/);
    const [longer] = parse(text.replace("128", "256")).cells;
    expect(longer?.folder).not.toBe(first?.folder);
    // The order of names and what does not concern a run make no difference.
    const [same] = parse(text.replace("Small models", "Others")).cells;
    expect(same?.folder).toBe(first?.folder);
    expect(parse(text).cells[4]?.folder).toContain("/评论/");
  });

  test("long names that begin alike have folders of their own", () => {
    const long = "一".repeat(100);
    const { cells } = parse(`models: [${long}a, ${long}b]\ntasks: [x]\nruns: 1`);
    expect(new Set(cells.map(({ folder }) => folder.split("/")[0])).size).toBe(2);
    expect(pointName({ [long]: 1 })).not.toBe(pointName({ [long]: 2 }));
    expect(pointName({ [long]: 1 })).toHaveLength(80);
  });

  test("no name leads out of the protocol's folder", () => {
    const { cells } = parse("models: [../../etc, ...]\ntasks: ['../x']\nruns: 1");
    for (const { folder } of cells) expect(folder.split("/")).not.toContain("..");
    expect(cells[0]?.folder).toMatch(/^etc\/x\//);
  });

  test("anchors and aliases stand for what they name", () => {
    const { cells } = parse(
      "models: [a]\nruns: 1\ntasks:\n  - { dataset: x, options: &o { epochs: 2 } }\n  - { dataset: y, options: *o }",
    );
    expect(cells.map(({ options }) => options["epochs"])).toEqual([2, 2]);
  });

  test("three runs when nothing is said", () => {
    expect(parse("models: [a]\ntasks: [b]").seeds).toEqual([1, 2, 3]);
    expect(parse("models: [a]\ntasks: [b]\nseeds: [7]").seeds).toEqual([7]);
  });

  test("options are read by the command's own parsers", () => {
    const seen: string[] = [];
    parse(text, (name, value, where) => {
      seen.push(`${where} ${name}=${value}`);
      return name;
    });
    expect(seen).toContain("p.yaml line 13: tasks[0].grid.learning-rate learningRate=0.0001");
    expect(seen).toContain("p.yaml line 14: tasks[1].epochs epochs=5");
    const renamed = parse(text, (name) => (name === "epochs" ? "numTrainEpochs" : name));
    expect(renamed.cells.some(({ options }) => options["numTrainEpochs"] === 5)).toBe(true);
    const short: ReadOption = (name) => (name === "lr" ? "learningRate" : name);
    for (const kind of ["options", "grid"]) {
      const twice = `models: [a]\ntasks: [b]\n${kind}: { learning-rate: 1e-5, lr: 2e-5 }`;
      expect(() => parse(twice, short)).toThrow(new RegExp(`line 3: ${kind}.lr: expected each option once, got "lr"`));
    }
    const refuse: ReadOption = (name, value, where) => {
      throw new UsageError({ where, expected: "an option", got: `${name} ${value}` });
    };
    expect(() => parse(text, refuse)).toThrow(UsageError);
  });
});

describe("what is wrong in a protocol", () => {
  const valid = "models: [a]\ntasks: [b]\n";

  test.each([
    ["", /p\.yaml: expected names with values.*an empty file/],
    ["- a", /p\.yaml: expected names with values/],
    ["models: [a", /p\.yaml line 1: expected YAML/],
    [`${valid}modles: [c]`, /p\.yaml line 3: modles: expected a known name/],
    ["tasks: [b]", /models: expected a list of at least one, got none/],
    ["models: []\ntasks: [b]", /line 1: models: expected a list of at least one/],
    ["models: [{ name: x }]\ntasks: [b]", /models\[0\]\.path: expected the model's folder/],
    ["models: [a, a]\ntasks: [b]", /unlike each other, got "a"/],
    ["models: [a]\ntasks: [{ dataset: x, task: ner }]", /dataset or task, not both/],
    [`${valid}runs: 0`, /runs: expected a whole number from 1 to 1000, got 0/],
    [`${valid}runs: many`, /runs: expected a number, got "many"/],
    [`${valid}seeds: [1, 1]`, /seeds: expected whole numbers of 0 or more, each once, got 1/],
    [`${valid}seeds: [-1]`, /got -1/],
    [`${valid}seeds: 3`, /seeds: expected a list of numbers, got 3/],
    [`${valid}seeds: [1]\nruns: 2`, /seeds or runs, not both/],
    [`${valid}baseline: c`, /baseline: expected the name of one of the models/],
    [`${valid}options: { seed: 1 }`, /line 3: options\.seed: expected an option that the protocol does not set itself/],
    [`${valid}options: { epochs: [1, 2] }`, /options\.epochs: expected a text, a number, true or false/],
    [`${valid}grid: { epochs: [] }`, /grid\.epochs: expected at least one value/],
    [
      `${valid}runs: 1000\ngrid: { a: [${Array.from({ length: 101 }, (_, i) => i)}] }`,
      /at most 10000 runs in all, got 101000/,
    ],
  ])("%j", (source, message) => {
    expect(() => parse(source)).toThrow(message);
    expect(() => parse(source)).toThrow(DataError);
  });

  test("aliases that double again and again are refused, not followed", () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) => `a${i}: &a${i} [*a${Math.max(0, i - 1)}, *a${Math.max(0, i - 1)}]`,
    );
    expect(() => parse(`a: &a0 [x]\n${levels.slice(1).join("\n")}\nmodels: *a29\ntasks: [b]`)).toThrow(DataError);
  });
});
