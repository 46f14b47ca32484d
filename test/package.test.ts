/**
 * The package as its users get it: packed, installed into an empty folder and used from fresh processes.
 * Needs the npm registry, as `npm ci` does. ONNXRUNTIME_NODE_INSTALL=skip is what the README tells users to set.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "./cli-process.ts";
import { type ModuleImport, parseModules } from "./modules.ts";

const exec = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "zhbert-package-"));
const installed = join(folder, "node_modules/zhbert");
let packedFiles: readonly string[] = [];

/** The user's environment: without what npm tells the scripts that it runs, such as our own .npmrc. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  ONNXRUNTIME_NODE_INSTALL: "skip",
  NO_COLOR: "1",
};

async function inFolder(file: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  try {
    return await exec(file, args, { cwd: folder, env });
  } catch (error) {
    const { message, stdout } = error as Error & { stdout?: string };
    // The compiler's complaints are on stdout.
    throw new Error(`${message}\n${stdout ?? ""}`, { cause: error });
  }
}

/** What a module prints, run from a file in the user's folder. */
async function runModule(name: string, source: string): Promise<string> {
  writeFileSync(join(folder, name), source);
  return (await inFolder(process.execPath, [name])).stdout;
}

beforeAll(async () => {
  const packed = await exec("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
    env,
  });
  const [info] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  packedFiles = info.files.map(({ path }) => path);
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const quiet = ["--prefer-offline", "--no-audit", "--no-fund"];
  await inFolder("npm", ["install", "--ignore-scripts=false", ...quiet, join(folder, info.filename)]);
  // The data folder that the examples train on.
  const sentences = Array.from(
    { length: 40 },
    (_, i) => `第${i}天，今天天气很好，我们去公园看花。\n${i % 4 === 3 ? "\n" : ""}`,
  );
  writeFileSync(join(folder, "corpus.txt"), sentences.join(""));
  const options = ["-o", "data/", "--dupe-factor", "1", "--max-seq-length", "32"];
  const zhbert = (...args: string[]) => inFolder(join(folder, "node_modules/.bin/zhbert"), args);
  await zhbert("data", "corpus.txt", ...options);
  // The models that the examples predict with: one step each.
  const [review, tag] = [(i: number) => `${i % 2}\t第${i}次服务很好\n`, "北\tB-LOC\n京\tI-LOC\n好\tO\n\n"];
  const answer = { text: ["北京大学"], answer_start: [2] };
  const question = (id: number) => ({
    id: `${id}`,
    context: "他在北京大学工作。",
    question: "他在哪里工作？",
    answers: answer,
  });
  const labelled = {
    classify: ["sentiment", "reviews.tsv", `label\ttext\n${Array.from({ length: 8 }, (_, i) => review(i)).join("")}`],
    ner: ["ner", "tags.txt", tag.repeat(8)],
    qa: ["qa", "questions.jsonl", Array.from({ length: 8 }, (_, i) => `${JSON.stringify(question(i))}\n`).join("")],
  } as const;
  await zhbert("pretrain", "data/", "-o", "base/", "--config", "tiny", "--steps", "1");
  for (const [task, [output, file, text]] of Object.entries(labelled)) {
    writeFileSync(join(folder, file), text);
    const small = ["--max-seq-length", "32", "--doc-stride", "8", "--steps", "1", "--batch-size", "4"];
    await zhbert("finetune", task, "--model", "base/", "--train", file, "-o", output, ...small);
  }
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed files", () => {
  test("are the build, the vocabulary and the papers", () => {
    const others = packedFiles.filter((path) => !path.startsWith("dist/")).sort();
    const papers = ["CHANGELOG.md", "LICENSE", "NOTICE", "README.md", "README.zh-CN.md"];
    expect(others).toEqual([...papers, "assets/vocab.txt", "package.json"].sort());
    expect(packedFiles.filter((path) => /\.test\.|shared|fixture|\.map$/.test(path))).toEqual([]);
  });

  test("come from sources that exist: nothing stale is left in dist", () => {
    const sources = new Set(readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }));
    const built = packedFiles
      .filter((path) => path.endsWith(".js"))
      .map((path) => path.replace(/^dist\/(.*)\.js$/, "$1.ts"));
    expect(built.filter((path) => !sources.has(path))).toEqual([]);
  });
});

test("the lock file holds the binaries of all platforms, without which npm ci refuses it", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { optionalDependencies?: Record<string, string>; resolved?: string }>;
  };
  const paths = Object.keys(lock.packages);
  const wanted = Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}));
  const missing = wanted.filter((name) => !paths.some((path) => path.endsWith(`node_modules/${name}`)));
  expect(missing, "run: npx tsx scripts/complete-lock.ts").toEqual([]);
  expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
});

describe("the installed program", () => {
  const zhbert = (...args: string[]) => inFolder(join(folder, "node_modules/.bin/zhbert"), args);

  test("helps", async () => {
    expect((await zhbert("--help")).stdout).toContain("Usage: zhbert");
  });

  test("tokenizes with its own vocabulary", async () => {
    const { stdout } = await zhbert("tokenize", "使用语言模型。", "--json");
    expect(JSON.parse(stdout).tokens).toEqual(["[CLS]", ..."使用语言模型。", "[SEP]"]);
  });
});

describe("the installed library", () => {
  const namesOf = async (entry: string): Promise<string[]> =>
    JSON.parse(await runModule("names.mjs", `console.log(JSON.stringify(Object.keys(await import("${entry}"))))`));

  test("loads by each public entry", async () => {
    for (const entry of ["zhbert", "zhbert/node", "zhbert/text"])
      expect((await namesOf(entry)).length).toBeGreaterThan(0);
  });

  test("has everything of the isomorphic entry in Node too", async () => {
    const inNode = new Set(await namesOf("zhbert"));
    expect((await namesOf("./node_modules/zhbert/dist/index.js")).filter((name) => !inNode.has(name))).toEqual([]);
  });

  test.each(["index", "text/index"])("holds nothing of Node in the modules that %s reaches", (entry) => {
    const imports = reachableImports(entry);
    expect(imports.length).toBeGreaterThan(3);
    const packages = new Set(imports.map(({ specifier }) => specifier).filter((name) => !name.startsWith(".")));
    const allowed = entry === "index" ? /^(@bufbuild\/protobuf(\/(codegenv2|wire))?|h5wasm|vega)$/ : /^$/;
    expect([...packages].filter((name) => !allowed.test(name))).toEqual([]);
  });
});

/** The imports of all modules that a compiled entry reaches, at once or lazily. */
function reachableImports(entry: string): ModuleImport[] {
  const built = packedFiles.filter((path) => path.endsWith(".js"));
  // Compiled modules are parsed like sources; `./x.js` in them names `x.js`.
  const texts = built.map((path) => [path.slice("dist/".length), readFileSync(join(installed, path), "utf8")]);
  const modules = new Map(parseModules(Object.fromEntries(texts)).map((module) => [module.path, module]));
  const reached = new Set([`${entry}.js`]);
  for (const path of reached) {
    for (const { specifier } of modules.get(path)?.imports ?? []) {
      if (specifier.startsWith(".")) reached.add(join(path, "..", specifier));
    }
  }
  return [...reached].flatMap((path) => modules.get(path)?.imports ?? []);
}

describe.each(["README.md", "README.zh-CN.md"])("the examples of %s", (file) => {
  const text = readFileSync(join(root, file), "utf8");
  // What follows `// ->` is what the line before prints. Two steps of training stand for the many that a user takes.
  const examples = [...text.matchAll(/^```ts run\n(.*?)^```/gms)].map(([, code]) =>
    (code as string).replace(/steps: \d+/, "steps: 2, overwrite: true"),
  );

  test("run and print what they say", async () => {
    expect(examples.length).toBeGreaterThan(0);
    for (const [i, code] of examples.entries()) {
      const said = [...code.matchAll(/^\/\/ -> (.*)$/gm)].map(([, line]) => line);
      const printed = (await runModule(`example-${i}.mjs`, code)).trimEnd().split("\n");
      if (said.length > 0) expect(printed).toEqual(said);
    }
  });

  test("type-check against the packed declarations", async () => {
    mkdirSync(join(folder, "types"), { recursive: true });
    for (const [i, code] of examples.entries()) writeFileSync(join(folder, `types/example-${i}.ts`), code);
    const options = "--noEmit --strict --target es2023 --module nodenext --skipLibCheck --lib es2023,dom --types node";
    const typeRoots = ["--typeRoots", join(root, "node_modules/@types")];
    const files = examples.map((_, i) => `types/example-${i}.ts`);
    const tsc = (flags: string) =>
      inFolder(join(root, "node_modules/.bin/tsc"), [...flags.split(" "), ...typeRoots, ...files]);
    await tsc(options);
    // As Vite and others have it, which take the browser's declarations unless told.
    const bundler = options.replace("nodenext", "esnext --moduleResolution bundler");
    await tsc(`${bundler} --customConditions node`);
    for (const [i, code] of examples.entries())
      writeFileSync(join(folder, `types/example-${i}.ts`), code.replaceAll('"zhbert"', '"zhbert/node"'));
    await tsc(bundler);
  });
});
