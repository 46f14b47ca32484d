/**
 * The isomorphic entry as a bundler makes it for browsers: nothing of Node in it, what is heavy in chunks of its own, and
 * models that load and compute where only the web's globals are. ONNX Runtime for Node.js stands for the one of the web.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { type BuildResult, build } from "esbuild";
import * as h5wasm from "h5wasm";
import { afterAll, expect, test } from "vitest";
import { type LazyTensors, lazyTensors, type OutputFile } from "../src/checkpoint/format.ts";
import pytorch from "../src/checkpoint/formats/pytorch.ts";
import tensorflow from "../src/checkpoint/formats/tensorflow.ts";
import { zipChunks } from "../src/checkpoint/zip-writer.ts";
import { BertModel } from "../src/inference/bert-model.ts";
import { configToJson } from "../src/model/config.ts";
import { fromHuggingFaceNames } from "../src/model/weight-names.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { BertTokenizer } from "../src/text/tokenizer.ts";
import { askModel, type PageFiles } from "./browser-page.ts";
import { root } from "./cli-process.ts";
import { smallConfig, smallVocabulary, smallWeights } from "./small-model.ts";

const outdir = mkdtempSync(join(tmpdir(), "zhbert-bundle-"));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

type Bundle = BuildResult<{ metafile: true; write: true }>;

/** Bundles a module's source for browsers, without polyfills. */
function bundle(contents: string): Promise<Bundle> {
  return build({
    stdin: { contents, resolveDir: join(root, "test"), sourcefile: "page.ts", loader: "ts" },
    absWorkingDir: root,
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    splitting: true,
    metafile: true,
    outdir,
    outExtension: { ".js": ".mjs" },
    logLevel: "silent",
  });
}

/** What a browser would not find in a bundle: imports that are left, and those that fail when they are reached. */
function foreignImports({ metafile, warnings }: Bundle): string[] {
  const left = Object.values(metafile.outputs).flatMap(({ imports }) => imports.filter(({ external }) => external));
  return [...left.map(({ path }) => path), ...warnings.map(({ text }) => text)];
}

/** The modules that are there as soon as the bundle's entry is loaded, and the packages of these. */
function loadedAtOnce({ metafile }: Bundle): { modules: string[]; packages: string[] } {
  const entry = Object.keys(metafile.outputs).find((path) => metafile.outputs[path]?.entryPoint?.endsWith("page.ts"));
  const chunks = new Set(entry === undefined ? [] : [entry]);
  // A set takes what is added while it is walked.
  for (const chunk of chunks) {
    const needed = metafile.outputs[chunk]?.imports.filter(({ kind }) => kind === "import-statement") ?? [];
    for (const { path } of needed) chunks.add(path);
  }
  const modules = [...chunks].flatMap((chunk) =>
    Object.entries(metafile.outputs[chunk]?.inputs ?? {}).flatMap(([path, { bytesInOutput }]) =>
      bytesInOutput > 0 ? [path] : [],
    ),
  );
  const packages = modules.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  return { modules, packages: [...new Set(packages)] };
}

test("everything is bundled without anything of Node, and the heavy libraries come when they are needed", async () => {
  const whole = await bundle('export * from "../src/index.ts";');
  expect(foreignImports(whole)).toEqual([]);
  const { modules, packages } = loadedAtOnce(whole);
  expect(modules.length).toBeGreaterThan(100);
  expect(packages).toEqual(["@bufbuild/protobuf"]);
});

test.each(["index.ts", "text/index.ts"])("of %s a tokenizer takes along the text's modules only", async (entry) => {
  const made = await bundle(`export { BertTokenizer, Vocabulary } from "../src/${entry}";`);
  const { modules } = loadedAtOnce(made);
  expect(modules.length).toBeGreaterThan(5);
  expect(modules.filter((path) => !/^(src\/(text|util|errors)|test\/page\.ts$)/.test(path))).toEqual([]);
});

test.each([
  'import { sep } from "node:path"; export const a = sep;',
  'import { sep } from "path"; export const a = sep;',
  'export const a = () => import("node:fs");',
  'export const a = () => import("node:fs").catch(() => undefined);',
  'export { createOnnxRuntime } from "../src/node/onnxruntime.ts";',
])("the check finds what is of Node: %s", async (source) => {
  const found = await bundle(source).then(foreignImports, (error: Error) => [error.message]);
  expect(found.join()).toMatch(/node:|Could not resolve/);
});

test("models from an address, a zip and HDF5 compute with the web's globals alone", async () => {
  const { href } = pathToFileURL(join(outdir, "stdin.mjs"));
  expect(foreignImports(await bundle('export * from "./browser-page.ts";'))).toEqual([]);
  const runtime = createOnnxRuntime({ threads: 1 });
  const tokenizer = new BertTokenizer(smallVocabulary);
  const weights = lazyTensors(smallWeights());
  const expected = await askModel(new BertModel({ config: smallConfig, weights, tokenizer, runtime }));
  await runtime.dispose();
  const { globals, answers } = await runInPage(href, weights);
  expect(globals).toEqual([]);
  expect(answers).toEqual({ folder: expected, zip: expected, hdf5: expected });
}, 20_000);

/** All but setImmediate, without which the engine does not run; architecture.test.ts sees that nothing else uses it. */
const NODE_GLOBALS = ["process", "Buffer", "global", "require", "module"];

/**
 * Runs in a thread: the engine is loaded, what browsers lack is removed, the network replaced (Node's own needs Node's
 * globals), and the page begins.
 */
const PAGE = `
  import { parentPort, workerData } from "node:worker_threads";
  const { ort, page, names, site, files } = workerData;
  const { default: engine } = await import(ort);
  for (const name of names) delete globalThis[name];
  globalThis.fetch = async (url) => {
    const found = site.get(url);
    return { ok: found !== undefined, status: found ? 200 : 404, headers: new Map(), arrayBuffer: async () => found.buffer };
  };
  const { usePage } = await import(page);
  const globals = names.filter((name) => name in globalThis);
  parentPort.postMessage({ globals, answers: await usePage(engine, files) });
`;

/** What a page answers that has a model's weights in three forms. */
async function runInPage(page: string, weights: LazyTensors): Promise<{ globals: string[]; answers: object }> {
  await h5wasm.ready;
  const ort = pathToFileURL(createRequire(import.meta.url).resolve("onnxruntime-node")).href;
  const { site, files } = pageFiles(weights);
  const code = new URL(`data:text/javascript,${encodeURIComponent(PAGE)}`);
  const worker = new Worker(code, { workerData: { ort, page, names: NODE_GLOBALS, site, files } });
  return new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", (status) => reject(new Error(`the page ended with ${status} and no answer`)));
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const concat = (chunks: Iterable<Uint8Array>) => new Uint8Array(Buffer.concat([...chunks]));

/** A server's folder with PyTorch's form, a zip with TensorFlow's, and files in memory with Keras's. */
function pageFiles(weights: LazyTensors): { site: Map<string, Uint8Array>; files: PageFiles } {
  const folder = "https://models.example/small";
  const written = (files: Iterable<OutputFile> = []) =>
    [...files].map(({ path, chunks }): [string, Uint8Array] => [path, concat(chunks)]);
  const config = bytes(JSON.stringify(configToJson(smallConfig)));
  const vocabulary: [string, Uint8Array] = ["vocab.txt", bytes(smallVocabulary.toText())];
  const torch = [...written(pytorch.write?.(weights)), ["config.json", config] as const, vocabulary];
  const google = [
    ...written(tensorflow.write?.(fromHuggingFaceNames(weights, "tensorflow"))),
    ["bert_config.json", config] as const,
    vocabulary,
  ];
  const zip = concat(zipChunks(google.map(([path, content]) => ({ path: `small/${path}`, read: () => content }))));
  const hdf5 = new Map([["tf_model.h5", hdf5File(fromHuggingFaceNames(weights, "keras"))], vocabulary]);
  return {
    site: new Map(torch.map(([path, content]) => [`${folder}/${path}`, content])),
    files: { folder, zip: zip.buffer, hdf5: hdf5.set("config.json", config) },
  };
}

/** Tensors as datasets of an HDF5 file, in groups by the parts of their names. */
function hdf5File(tensors: LazyTensors): Uint8Array {
  const file = new h5wasm.File("/page.h5", "w");
  const groups = new Map<string, h5wasm.Group>([["", file]]);
  const groupOf = (path: string): h5wasm.Group => {
    const end = path.lastIndexOf("/");
    const group = groups.get(path) ?? groupOf(path.slice(0, Math.max(0, end))).create_group(path.slice(end + 1));
    groups.set(path, group);
    return group;
  };
  for (const [name, tensor] of tensors) {
    const end = name.lastIndexOf("/");
    const data = tensor.read().data as Float32Array;
    groupOf(name.slice(0, Math.max(0, end))).create_dataset({
      name: name.slice(end + 1),
      data,
      shape: [...tensor.shape],
    });
  }
  file.close();
  return (h5wasm.FS as NonNullable<typeof h5wasm.FS>).readFile("/page.h5").slice();
}
