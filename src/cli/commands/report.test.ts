/** `zhbert report` over folders that pre-training wrote. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pretrainingFixture } from "../../../test/pretraining-data.ts";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { FileError, UsageError } from "../../errors.ts";
import { pretrain } from "../../node/pretrain.ts";

let fixture: Awaited<ReturnType<typeof pretrainingFixture>>;
beforeAll(async () => {
  fixture = await pretrainingFixture();
  const { data, config } = fixture;
  const common = { data, config, steps: 6, loggingSteps: 2, saveSteps: 3, evalSteps: 3, batchSize: 8, threads: 2 };
  for (const [seed, name] of ["first", "second"].entries()) {
    await pretrain({ ...common, output: fixture.path(name), seed });
  }
});
afterAll(() => fixture.remove());

const report = (...args: readonly string[]) => runCommand(["report", ...args, "--threads", "2"]);

test("one run: its file lies in its folder, with texts filled by the first and the last checkpoint", async () => {
  const texts = fixture.path("texts.txt");
  writeFileSync(texts, "天天[MASK]天\n\n地[MASK][MASK]地\n");
  expect(await report(fixture.path("first"), "--texts", texts, "--measure-peak")).toMatch(
    /first\/report\.html: \d+ kB/,
  );
  const html = readFileSync(join(fixture.path("first"), "report.html"), "utf8");
  expect(html).toContain("Step 6 of 6, complete");
  expect(html).toMatch(/<th>text<\/th><th>checkpoint-3<\/th><th>checkpoint-6<\/th>/);
  expect(html).toContain("地[MASK][MASK]地");
  expect(html).toMatch(/whole-word|char/);
  expect(html).toContain("onnxruntime");
});

test("several runs: one file, where --output says; no texts with --no-samples", async () => {
  const file = fixture.path("both.html");
  const [line] = parseLines(
    await report(fixture.path("first"), fixture.path("second"), "-o", file, "--no-samples", "--json"),
  );
  expect(line).toEqual({ file, bytes: readFileSync(file).length, runs: ["first", "second"] });
  const html = readFileSync(file, "utf8");
  expect(html).toContain("2 pre-training runs");
  expect(html).not.toContain("Filled texts");
});

test("damage is noted in the report, which is written all the same", async () => {
  const path = fixture.path("second");
  truncateSync(join(path, "checkpoint-6", "trainer-state.json"), 20);
  rmSync(join(path, "config.json"));
  await report(path, "--no-samples");
  const html = readFileSync(join(path, "report.html"), "utf8");
  expect(html).toMatch(/class="note">[^<]*trainer-state\.json/);
  expect(html).toMatch(/class="note">[^<]*config\.json/);
});

test("a folder that is no run's is refused, and too many are", async () => {
  await expect(report(fixture.data)).rejects.toThrow(FileError);
  expect(existsSync(join(fixture.data, "report.html"))).toBe(false);
  await expect(report(...Array.from({ length: 7 }, () => fixture.path("first")))).rejects.toThrow(UsageError);
});
