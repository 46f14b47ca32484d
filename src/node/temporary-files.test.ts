import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileAtomic } from "./files.ts";
import { temporaryName } from "./temporary-files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-temporary-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process that has begun to write a file in the folder and goes on living. */
async function writingProcess() {
  const files = fileURLToPath(new URL("./files.ts", import.meta.url));
  const script = `const { createAtomicFile } = await import(${JSON.stringify(files)});
    await createAtomicFile(${JSON.stringify(join(folder, "x.bin"))});
    console.log("begun");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return async () => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
}

test("what a killed process left is gone after the next file is written; that of a living one stays", async () => {
  const [killFirst, killSecond] = [await writingProcess(), await writingProcess()];
  await killFirst();
  expect(readdirSync(folder)).toHaveLength(2);
  await writeFileAtomic(join(folder, "y.txt"), "y");
  expect(readdirSync(folder)).toHaveLength(2);
  expect(readdirSync(folder)).toContain("y.txt");
  await killSecond();
});

test("files of another machine stay, and those of an earlier process with this one's number go", async () => {
  const elsewhere = temporaryName().replace(/^\.[0-9a-f]{8}-\d+/, ".00000000-1");
  const [old, own] = [temporaryName(), temporaryName()];
  for (const name of [elsewhere, old, own, ".notes.zhbert-tmp"]) writeFileSync(join(folder, name), "half");
  utimesSync(join(folder, old), 1000, 1000);
  await writeFileAtomic(join(folder, "y.txt"), "y");
  expect(readdirSync(folder).sort()).toEqual([elsewhere, own, ".notes.zhbert-tmp", "y.txt"].sort());
});
