/** `zhbert protocol` and `zhbert search` at the command line: real runs of a small model, and what is wrong in what they are given. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { smallModelFolder } from "../../../test/small-model.ts";
import { DataError, UsageError } from "../../errors.ts";

let folder: string;
let model: ReturnType<typeof smallModelFolder>;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-test-"));
  model = smallModelFolder();
  mkdirSync(join(folder, "data"));
  for (const name of ["train", "dev", "test"]) {
    const rows = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? "今天气很好\t天" : "我爱北京\t京"));
    writeFileSync(join(folder, "data", `${name}.tsv`), ["text\tlabel", ...rows].join("\n"));
  }
  file = join(folder, "p.yaml");
});
afterAll(() => {
  model.remove();
  rmSync(folder, { recursive: true, force: true });
});

const write = (text: string) => writeFileSync(file, text);
const head = () => `runs: 1\nmodels: [{ name: small, path: ${JSON.stringify(model.path)} }]\n`;
const task = "{ task: classify, data: data, max-seq-length: 12, epochs: 1, batch-size: 4 }";

describe("protocol", () => {
  test("runs what --list shows, prints tables and writes the report", async () => {
    write(`${head()}tasks: [${task}]`);
    const listed = parseLines(await runCommand(["protocol", file, "--list", "--json"]));
    expect(listed).toMatchObject([{ model: "small", task: "classify", seed: 1, options: { epochs: 1, batchSize: 4 } }]);
    const text = await runCommand(["protocol", file, "--threads", "1"]);
    expect(text).toMatch(/Results on test: maximum \(mean\) of the runs, in %\n.*\n.*\nsmall +\d/);
    expect(readFileSync(join(folder, "p", "report.html"), "utf8")).toContain("Results on test");
    // The second time everything is there already.
    let told = "";
    const lines = parseLines(
      await runCommand(["protocol", file, "--threads", "1", "--json"], [], (stderr) => {
        told = stderr;
      }),
    );
    expect(told).toContain("1 of 1 runs are finished already");
    expect(lines.at(-1)).toMatchObject({ runs: 1, failed: 0, missing: 0 });
  });

  test.each([
    ["learning-rat: 2e-5", UsageError, /p\.yaml line 4: tasks\[0\]\.learning-rat: expected an option.*"learningRat"/],
    ["epochs: -1", UsageError, /line 4: tasks\[0\]\.epochs: expected a value of this option/],
    ["optimizer: sgd", UsageError, /optimizer: expected one of .*got "sgd"/],
    ["recompute: 3", UsageError, /recompute: expected true or false, got 3/],
    ["lr: true", UsageError, /lr: expected a value, got true/],
    ["seed: 3", DataError, /seed: expected an option that the protocol does not set itself/],
    ["epochs: [1, 2]", DataError, /epochs: expected a text, a number, true or false/],
  ])("refuses %s with its line", async (option, kind, message) => {
    write(`${head()}tasks:\n  - { task: classify, data: data, ${option} }`);
    const run = runCommand(["protocol", file, "--list"]);
    await expect(run).rejects.toThrow(kind);
    await expect(run).rejects.toThrow(message);
  });
});

describe("search", () => {
  const args = () => ["search", "classify", "--model", model.path, "--data", join(folder, "data"), "--threads", "1"];

  test("prints the places, the best first, and the command for several seeds", async () => {
    const output = join(folder, "search");
    const options = ["--max-seq-length", "12", "--learning-rates", "1e-3,1e-6", "--batch-sizes", "4", "--epochs", "2"];
    const text = await runCommand([...args(), ...options, "-o", output]);
    expect(text).toMatch(/best: learningRate 1e-[36], batchSize 4, epochs 2/);
    expect(text).toMatch(
      /zhbert finetune classify --model \S+ --learning-rate 0\.0+1 --batch-size 4 --epochs 2 --runs 3/,
    );
    expect(text).toContain("stopped early");
    expect(existsSync(join(output, "learningRate-1e-3-batchSize-4-epochs-2", "metrics.jsonl"))).toBe(true);
  });

  test.each([
    [["--learning-rates", "1e-3,fast"], /--learning-rates/],
    [["--batch-sizes", "0"], /--batch-sizes/],
    [["--epochs", "2,2"], /--epochs: expected each value once/],
  ])("refuses %j", async (options, message) => {
    await expect(runCommand([...args(), ...options])).rejects.toThrow(UsageError);
    await expect(runCommand([...args(), ...options])).rejects.toThrow(message);
  });

  test("wants a model", async () => {
    await expect(runCommand(["search", "classify"])).rejects.toThrow(/--model: expected a model/);
  });
});
