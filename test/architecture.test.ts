/** The layout holds: ranks, no cycles, nothing of Node in the isomorphic part; and the checker itself finds what is wrong. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findViolations, runtimeImports } from "./architecture-rules.ts";
import { parseModules, readSources, type SourceModule } from "./modules.ts";

const modules = parseModules(readSources(fileURLToPath(new URL("../src", import.meta.url))));

describe("the source tree", () => {
  test("keeps ranks, has no cycles and nothing of Node below rank 8", () => {
    expect(modules.length).toBeGreaterThan(20);
    expect(findViolations(modules)).toEqual([]);
  });

  test("starting the program loads no command, engine, segmenter or chart", () => {
    const heavy = /^(onnxruntime-|@node-rs\/|vega|koffi|@bufbuild\/)/;
    const started = [...closure(modules.filter(({ path }) => path === "cli/main.ts"))];
    expect(started.length).toBeGreaterThan(5);
    expect(started.filter(({ path }) => path.startsWith("cli/commands/"))).toEqual([]);
    const packages = started.flatMap(({ imports }) => imports.filter((one) => heavy.test(one.specifier)));
    expect(packages).toEqual([]);
  });
});

/** The modules that are loaded with some modules. */
function closure(roots: readonly SourceModule[]): Set<SourceModule> {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const reached = new Set(roots);
  // A set takes what is added while it is walked.
  for (const module of reached) {
    for (const path of runtimeImports(module)) {
      const next = byPath.get(path);
      if (next !== undefined) reached.add(next);
    }
  }
  return reached;
}

describe("the checker", () => {
  const check = (sources: Record<string, string>): string[] => findViolations(parseModules(sources));
  const errors = { "errors.ts": "export const a = 1;" };

  test("accepts lower ranks, the own folder, types and lazy imports", () => {
    const sources = {
      ...errors,
      "util/bytes.ts": 'import { a } from "../errors.ts"; export const b = a;',
      "text/one.ts":
        'import { b } from "../util/bytes.ts"; import type { Two } from "./two.ts"; export const one: Two = b;',
      "text/two.ts": 'export type Two = number; export const load = () => import("./one.ts");',
      "node/files.ts": 'import fs from "node:fs"; export const size = Buffer.from(fs.sep).length;',
    };
    expect(check(sources)).toEqual([]);
  });

  test.each([
    [
      "a higher rank",
      { ...errors, "text/a.ts": 'import { b } from "../data/b.ts";', "data/b.ts": "export const b = 1;" },
    ],
    ["an equal rank", { "text/a.ts": 'import type { b } from "../graph/b.ts";', "graph/b.ts": "export type b = 1;" }],
    [
      "a re-export of a higher rank",
      { "text/a.ts": 'export { b } from "../node/b.ts";', "node/b.ts": "export const b = 1;" },
    ],
    [
      "a lazy import of a higher rank",
      { "text/a.ts": 'void import("../node/b.ts");', "node/b.ts": "export const b = 1;" },
    ],
    [
      "Node in the public entry",
      { "index.ts": 'export { b } from "./node/b.ts";', "node/b.ts": "export const b = 1;" },
    ],
    ["a missing file", { "text/a.ts": 'import { b } from "./b.js";', "text/b.ts": "export const b = 1;" }],
    ["a path out of src", { "text/a.ts": 'import { b } from "../../bench/b.ts";' }],
    ["a node: module", { "text/a.ts": 'import { readFileSync } from "node:fs";' }],
    ["a Node module without prefix", { "text/a.ts": 'import { readFileSync } from "fs";' }],
    ["a lazy node: module", { "text/a.ts": 'export const load = () => import("node:fs");' }],
    ["a native package", { "runtime/a.ts": 'import type { Tensor } from "onnxruntime-node";' }],
    ["process", { "text/a.ts": "export const a = process.env;" }],
    ["Buffer as a value", { "text/a.ts": "export const a = { bytes: Buffer };" }],
    ["a global through globalThis", { "text/a.ts": "export const a = globalThis.setImmediate;" }],
    ["a file's folder", { "text/a.ts": "export const a = import.meta.dirname;" }],
    ["a default export", { "text/a.ts": "export default 1;" }],
    ["a renamed default export", { "text/a.ts": "const a = 1; export { a as default };" }],
    ["a default function", { "text/a.ts": "export default function a() {}" }],
    ["a command without default export", { "cli/commands/a.ts": "export const a = 1;" }],
    ["export *", { "text/index.ts": 'export * from "./a.ts";', "text/a.ts": "export const a = 1;" }],
    ["an unknown folder", { "misc/a.ts": "export const a = 1;" }],
    ["a name in camel case", { "text/someFile.ts": "export const a = 1;" }],
    [
      "a cycle of two",
      { "text/a.ts": 'export { b } from "./b.ts";', "text/b.ts": 'import "./a.ts"; export const b = 1;' },
    ],
  ])("finds %s", (_, sources) => {
    expect(check(sources as Record<string, string>)).toHaveLength(1);
  });

  test("finds a cycle of three and names it", () => {
    const sources = {
      "text/a.ts": 'import "./b.ts";',
      "text/b.ts": 'import "./c.ts";',
      "text/c.ts": 'import "./a.ts";',
    };
    expect(check(sources)).toEqual(["text/a.ts: cycle text/a.ts -> text/b.ts -> text/c.ts -> text/a.ts"]);
  });

  test("takes a property called like a Node global for what it is", () => {
    const source = "export const a = { process: 1, require(): void {} }; a.process; a.require();";
    expect(check({ "text/a.ts": source })).toEqual([]);
  });
});
