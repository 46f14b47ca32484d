/** Files that only stand for others are told by what they are, whatever their name; real ones pass. */
import { expect, test } from "vitest";
import { refusePlaceholders } from "./placeholders.ts";
import { memoryFiles } from "./source.ts";

const POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 411577189\n";

test.each([
  ["pytorch_model.bin", POINTER, "a pointer of Git LFS", "git lfs pull"],
  ["model-00001-of-00002.safetensors", POINTER, "a pointer of Git LFS", "git lfs pull"],
  ["config.json", "<!DOCTYPE html>\n<html><body>Not found</body></html>", "a web page", "resolve/main"],
  ["vocab.txt", "\ufeff <html lang='zh'>", "a web page", "resolve/main"],
])("%s", async (path, content, got, hint) => {
  const files = refusePlaceholders(memoryFiles("model", new Map([[path, new TextEncoder().encode(content)]])));
  const error = await files.open(path).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "CheckpointError", hint: expect.stringContaining(hint) });
  expect((error as Error).message).toContain(got);
});

test.each(["", "<s>\n<html>", "\x80\x02}", "version 2"])("%j is a file like any other", async (content) => {
  const bytes = new TextEncoder().encode(content);
  const source = await refusePlaceholders(memoryFiles("model", new Map([["a", bytes]]))).open("a");
  expect(source.size).toBe(bytes.length);
});
