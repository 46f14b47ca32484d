import { lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test, vi } from "vitest";
import { ModelCache } from "./hub-cache.ts";

// A file system without links, as Windows without developer mode has.
vi.mock("node:fs/promises", async (original) => ({
  ...(await original<object>()),
  symlink: () => Promise.reject(Object.assign(new Error("no links"), { code: "EPERM" })),
}));

test("files are copied where there are no links", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zhbert-cache-"));
  try {
    const cache = new ModelCache(folder, "hfl/rbt3");
    const commit = "a".repeat(40);
    mkdirSync(dirname(cache.blob("b")), { recursive: true });
    writeFileSync(cache.blob("b"), "text");
    await cache.link(commit, "sub/vocab.txt", "b");
    const path = join(cache.snapshot(commit), "sub", "vocab.txt");
    expect(lstatSync(path).isSymbolicLink()).toBe(false);
    expect(readFileSync(path, "utf8")).toBe("text");
    expect(await cache.has(commit, "sub/vocab.txt", 4)).toBe(true);
    expect(await cache.filesOf(commit)).toEqual(["sub/vocab.txt"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
