/** Files that stand where a model's file should: pointers of Git LFS, and pages that a server sent instead of a file. */
import { CheckpointError, verbatim } from "../errors.ts";
import type { ByteSource, ModelFiles } from "./source.ts";

/** Enough to tell either by; no format of weights begins so. */
const HEAD_BYTES = 128;

const PLACEHOLDERS: readonly { readonly begin: RegExp; readonly got: string; readonly hint: string }[] = [
  {
    begin: /^version https:\/\/git-lfs\.github\.com\/spec\//,
    got: "a pointer of Git LFS, which stands for it in a clone",
    hint: "run git lfs pull in the clone, or fetch the model with zhbert download",
  },
  {
    begin: /^\ufeff?\s*<(?:!doctype html|html)\b/i,
    got: "a web page",
    hint: "fetch the file itself (on the hub .../resolve/main/..., not .../blob/main/...), or use zhbert download",
  },
];

/** The same files; opening one that only stands for another is an error that says what to do. */
export function refusePlaceholders(files: ModelFiles): ModelFiles {
  return {
    name: files.name,
    paths: files.paths,
    async open(path) {
      const source = await files.open(path);
      expectFileItself(source);
      return source;
    },
  };
}

/** @throws {CheckpointError} for a pointer of Git LFS or a web page. */
function expectFileItself(source: ByteSource): void {
  const head = new TextDecoder().decode(source.slice(0, Math.min(HEAD_BYTES, source.size)));
  const found = PLACEHOLDERS.find(({ begin }) => begin.test(head));
  if (found === undefined) return;
  const { got, hint } = found;
  throw new CheckpointError({ where: source.name, expected: "the file itself", got: verbatim(got), hint });
}
