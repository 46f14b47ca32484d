/** Reference material that may lie beside the checkout; tests that use it say when it is absent. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";

/** The absolute path of a file or folder of the shared reference material, or undefined where it is absent. */
export function shared(path: string): string | undefined {
  const absolute = fileURLToPath(new URL(`../../shared/${path}`, import.meta.url));
  return existsSync(absolute) ? absolute : undefined;
}

/** A describe block that needs shared reference material; skipped with a printed reason where it is absent. */
export function describeShared(path: string, title: string, body: (absolute: string) => void): void {
  const absolute = shared(path);
  if (absolute !== undefined) {
    describe(title, () => body(absolute));
    return;
  }
  console.log(`skipped: ${title}: ../shared/${path} is not there`);
  describe(title, () => test.skip(`../shared/${path} is not there`));
}
