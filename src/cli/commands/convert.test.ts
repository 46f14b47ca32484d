/** The convert command: what it prints, what it says of what does not come along, and its options. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { smallModelFolder, smallWeights } from "../../../test/small-model.ts";
import { ArgumentError, FileError } from "../../errors.ts";

let model: ReturnType<typeof smallModelFolder>;
let out: string;
beforeAll(() => {
  model = smallModelFolder(new Map([...smallWeights()].filter(([name]) => !name.startsWith("cls.seq"))));
  out = mkdtempSync(join(tmpdir(), "zhbert-cli-convert-"));
});
afterAll(() => {
  model.remove();
  rmSync(out, { recursive: true, force: true });
});

test("--json tells the files and what became of every tensor", async () => {
  const to = join(out, "json");
  const [line] = parseLines(await runCommand(["convert", model.path, "-o", to, "--to", "tensorflow", "--json"]));
  expect(line).toMatchObject({
    format: "safetensors",
    dialect: "huggingface",
    to: "tensorflow",
    tensors: 44,
    missing: ["cls.seq_relationship.weight", "cls.seq_relationship.bias"],
    unknown: [],
    dropped: [],
    overflows: {},
  });
  for (const { path, bytes } of line.files) expect(readFileSync(join(to, path)).length).toBe(bytes);
});

test("for people: a table of tensors and one of files", async () => {
  const text = await runCommand(["convert", model.path, "-o", join(out, "table"), "--only", "encoder"]);
  expect(text).toMatch(/model\.safetensors: safetensors, names of huggingface/);
  expect(text).toMatch(/written +39/);
  expect(text).toMatch(/left out: not asked for +5 +cls\.predictions/);
  expect(text).toMatch(/^model\.safetensors +\d+$/m);
});

describe("options", () => {
  test.each([
    ["3KB", /model-00001-of-000\d\d\.safetensors/],
    ["1GiB", /^model\.safetensors/m],
  ])("--max-shard-size %s", async (size, names) => {
    const text = await runCommand(["convert", model.path, "-o", join(out, size), "--max-shard-size", size]);
    expect(text).toMatch(names);
  });

  test.each(["", "0", "much", "5 apples", "-1MB"])("--max-shard-size %j is refused", async (size) => {
    const refused = runCommand(["convert", model.path, "-o", join(out, "never"), `--max-shard-size=${size}`]);
    await expect(refused).rejects.toThrow("a size such as 500MB or 2GiB");
  });

  test("--overwrite is needed for what is there; an option of another target is an error", async () => {
    const args = ["convert", model.path, "-o", join(out, "twice")];
    await runCommand(args);
    await expect(runCommand(args)).rejects.toThrow(FileError);
    await runCommand([...args, "--overwrite"]);
    await expect(runCommand([...args, "--opset", "17"])).rejects.toThrow(ArgumentError);
  });
});
