import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { commitOf, startHub, type TestHub } from "../../../test/hub-server.ts";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { FileError } from "../../errors.ts";

let hub: TestHub;
let folder: string;
const weights = Buffer.alloc(9000, 3);

beforeEach(async () => {
  for (const name of ["HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy"]) vi.stubEnv(name, "");
  hub = await startHub({
    "config.json": Buffer.from("{}"),
    "vocab.txt": Buffer.from("[PAD]\n"),
    "model.safetensors": weights,
    "README.md": Buffer.from("card"),
    "onnx/model.onnx": Buffer.from("onnx"),
  });
  folder = mkdtempSync(join(tmpdir(), "zhbert-download-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) =>
  runCommand(["download", "--cache-dir", join(folder, "cache"), "--mirror", hub.url, ...args]);

test("prints the folder", async () => {
  const printed = (await run("rbt3")).trim();
  expect(printed).toBe(join(folder, "cache", "models--hfl--rbt3", "snapshots", commitOf(hub.files)));
  expect(readdirSync(printed).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
  expect((await run("rbt3", "--offline")).trim()).toBe(printed);
});

test("--json prints name, folder and files", async () => {
  const [report] = parseLines(await run("chinese-bert-wwm", "--json", "--include", "*.md,onnx/*"));
  expect(report.name).toBe("hfl/chinese-bert-wwm");
  expect(report.files.map(({ path, bytes }: { path: string; bytes: number }) => [path, bytes])).toEqual([
    ["config.json", 2],
    ["vocab.txt", 6],
    ["model.safetensors", 9000],
    ["README.md", 4],
    ["onnx/model.onnx", 4],
  ]);
  expect(report.files[2].sha256).toMatch(/^[0-9a-f]{64}$/);
});

test("-o copies into a plain folder, --all takes everything", async () => {
  const output = join(folder, "plain");
  expect((await run("hfl/rbt3", "--all", "-o", output)).trim()).toBe(output);
  expect(readdirSync(output, { recursive: true }).map(String).sort()).toEqual(
    ["README.md", "config.json", "model.safetensors", "onnx", join("onnx", "model.onnx"), "vocab.txt"].sort(),
  );
  expect(readFileSync(join(output, "model.safetensors")).equals(weights)).toBe(true);
});

test("-o leaves what is there and the same, and replaces nothing else without being told", async () => {
  const output = join(folder, "plain");
  await run("hfl/rbt3", "-o", output);
  await run("hfl/rbt3", "-o", output);
  writeFileSync(join(output, "config.json"), "mine");
  rmSync(join(output, "vocab.txt"));
  await expect(run("hfl/rbt3", "-o", output)).rejects.toThrow("config.json: expected no file of this name");
  expect(readFileSync(join(output, "config.json"), "utf8")).toBe("mine");
  expect(readdirSync(output).sort()).toEqual(["config.json", "model.safetensors"]);
  await run("hfl/rbt3", "-o", output, "--overwrite");
  expect(readFileSync(join(output, "config.json"), "utf8")).toBe("{}");
  expect(readdirSync(output).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
});

test("asks the environment's hub, and ModelScope where told", async () => {
  vi.stubEnv("HF_ENDPOINT", hub.url);
  await runCommand(["download", "hfl/rbt3", "--cache-dir", folder, "--revision", "v1"]);
  expect(hub.seen[0]?.path).toContain("/revision/v1");
  hub.seen.length = 0;
  await run("dienstag/rbt3", "--source", "modelscope");
  expect(hub.seen[0]?.path).toContain("/api/v1/models/dienstag/rbt3/repo/files");
});

test("fails with a reason offline", async () => {
  await expect(run("hfl/rbt3", "--offline")).rejects.toBeInstanceOf(FileError);
});
