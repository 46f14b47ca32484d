/** The quantize command: its table and JSON lines, the task's metric, and bad use. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { smallTaskFolder } from "../../../test/small-task.ts";
import { UsageError } from "../../errors.ts";

const CHARACTERS = [..."今天气很好我爱北京的一是不了在人有他这中大来上"];
const texts = Array.from({ length: 12 }, (_, i) =>
  Array.from({ length: 2 + i }, (__, at) => CHARACTERS[(7 * i + 5 * at) % CHARACTERS.length]).join(""),
);
const root = mkdtempSync(join(tmpdir(), "zhbert-cli-quantize-"));
const calibration = join(root, "texts.txt");
const data = join(root, "dev.tsv");
let model: ReturnType<typeof smallTaskFolder>;

beforeAll(() => {
  model = smallTaskFolder({ task: "classify", maxSeqLength: 16, labels: ["0", "1"] });
  writeFileSync(calibration, `${texts.join("\n")}\n\n今天 ||| 很好\n`);
  writeFileSync(data, `label\ttext\n${texts.map((text, i) => `${i % 2}\t${text}`).join("\n")}\n`);
});
afterAll(() => {
  model.remove();
  rmSync(root, { recursive: true, force: true });
});

const quantize = (name: string, ...more: string[]) =>
  runCommand(["quantize", model.path, "--calibrate", calibration, "-o", join(root, name), "--threads", "1", ...more]);

test("a table of the forms, and the most sensitive layers", async () => {
  const text = await quantize("table", "--data", data);
  expect(text).toMatch(/^form +MB +of float +cosine +pooled_output +in float +accuracy +loss$/m);
  expect(text).toMatch(/^float32 +0\.0 +100 % +1 +1 +all +\d+\.\d\d % +0\.00 %$/m);
  expect(text).toMatch(/^static +0\.0 +\d\d % +0\.\d{5} +0\.\d{5} +\d +\d+\.\d\d % +-?\d+\.\d\d %$/m);
  expect(text).toMatch(/cosine to float32 on 3 held-out texts; calibrated on 10/);
  expect(text).toMatch(/accuracy on 12 examples/);
  expect(text).toMatch(/static is written to .*table: model\.safetensors/);
  expect(text).toMatch(/^bert\.[\w.]+ +\d\.\de-\d/m);
});

test("--json gives a line for each form, then what was written", async () => {
  const lines = parseLines(await quantize("json", "--mode", "dynamic", "--target-cosine", "0", "--json"));
  expect(lines.slice(0, 3).map(({ form, isWritten }) => [form, isWritten])).toEqual([
    ["float32", false],
    ["static", false],
    ["dynamic", true],
  ]);
  expect(lines[2]).toMatchObject({ kept: [], cosine: expect.any(Number), bytes: expect.any(Number) });
  expect(lines[3]).toMatchObject({ mode: "dynamic", texts: { calibration: 10, heldOut: 3 } });
  expect(lines[3].layers).toHaveLength(13);
});

test("predict and evaluate run what was written; fine-tuning it is refused with what to do", async () => {
  await quantize("used");
  const [line] = parseLines(await runCommand(["predict", join(root, "used"), "今天很好", "--threads", "1", "--json"]));
  expect(line.labels).toHaveLength(2);
  const args = ["evaluate", join(root, "used"), "--data", data, "--threads", "1", "--json"];
  expect(parseLines(await runCommand(args))[0]).toMatchObject({ examples: 12 });
  const train = ["finetune", "classify", "--model", join(root, "used"), "--train", data, "-o", join(root, "never")];
  const refused = runCommand(train).catch((error) => error);
  expect(await refused).toMatchObject({
    message: expect.stringMatching(/expected a weight of float32/),
    hint: expect.stringMatching(/train the float model/),
  });
});

test("without texts it says what for", async () => {
  const none = runCommand(["quantize", model.path, "-o", join(root, "none")]);
  await expect(none).rejects.toThrow(UsageError);
  await expect(none).rejects.toThrow(/--calibrate: expected a file of texts/);
});

test.each([
  ["--target-cosine", "2", /0 to 1/],
  ["--max-float", "1", /below 1/],
  ["--mode", "int4", /static|dynamic/],
])("%s %s is refused", async (flag, value, message) => {
  await expect(quantize("bad", flag, value)).rejects.toThrow(message);
});
