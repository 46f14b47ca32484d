import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { smallModelFolder } from "../../../test/small-model.ts";

let folder: string;
let model: ReturnType<typeof smallModelFolder>;
let file: string;
const lines = ["今天天气很好", "我爱北京", "他来了"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-search-"));
  model = smallModelFolder();
  file = join(folder, "texts.txt");
  writeFileSync(file, `${lines.join("\n")}\n`);
});
afterAll(() => {
  model.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("a text finds itself first, with its line", async () => {
  const stdout = await runCommand(["semantic-search", model.path, file, "我爱北京", "--top-k", "2", "--json"]);
  const [line] = parseLines(stdout) as { query: string; results: { line: number; text: string; score: number }[] }[];
  expect(line?.query).toBe("我爱北京");
  expect(line?.results).toHaveLength(2);
  expect(line?.results[0]).toMatchObject({ line: 2, text: "我爱北京" });
  expect(line?.results[0]?.score).toBeCloseTo(1, 5);
});

test("queries come from standard input too, and the table shows the texts", async () => {
  const stdout = await runCommand(["semantic-search", model.path, file], ["他来了", "今天天气很好"]);
  expect(stdout.indexOf("1.0000")).toBeGreaterThan(0);
  expect(stdout.split("今天天气很好").length).toBeGreaterThan(2);
});
