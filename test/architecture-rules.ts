/** The rules of the source tree, as functions from parsed modules to the violations found; empty when all is well. */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import type { SourceModule } from "./modules.ts";

/** Import only from a lower rank or from your own folder. The entry src/index.ts may use all that is isomorphic. */
const RANKS: Readonly<Record<string, number>> = {
  "errors.ts": 0,
  util: 0.5,
  text: 1,
  graph: 1,
  checkpoint: 1,
  data: 2,
  onnx: 2,
  model: 2,
  runtime: 3,
  inference: 4,
  train: 5,
  tasks: 6,
  compress: 7,
  serve: 7,
  report: 7,
  "index.ts": 7.5,
  node: 8,
  cli: 9,
};
const FIRST_NODE_RANK = 8;

/** Folders of many files of one kind, where a name maps to a file by its default export. */
const OPEN_SETS = ["cli/commands", "checkpoint/formats", "text/segmenters", "tasks"];

/** The entry for Node is all of the isomorphic one and more; elsewhere exports are named. */
const STAR_EXPORTER = "node/index.ts";

/** Packages that only work in Node: native modules, the terminal. */
const NODE_PACKAGES = [
  "onnxruntime-node",
  "@node-rs/jieba",
  "koffi",
  "commander",
  "cli-progress",
  "cli-table3",
  "picocolors",
];

const builtins = new Set(builtinModules);

/** All violations, each as `path: what is wrong`. */
export function findViolations(modules: readonly SourceModule[]): string[] {
  return [...modules.flatMap((module) => checkModule(module, modules)), ...findCycles(modules)];
}

function checkModule(module: SourceModule, modules: readonly SourceModule[]): string[] {
  const complaints = [...checkName(module), ...checkExports(module), ...checkPlatform(module)];
  for (const { specifier } of module.imports.filter((one) => one.specifier.startsWith("."))) {
    complaints.push(...checkImport(module.path, specifier, modules));
  }
  return complaints.map((complaint) => `${module.path}: ${complaint}`);
}

function checkName({ path }: SourceModule): string[] {
  const unplaced = RANKS[topOf(path)] === undefined ? [`the folder ${topOf(path)} has no rank`] : [];
  // The protobuf generator names its files itself.
  const isKebab = /^_?[a-z0-9]+(-[a-z0-9]+)*(_pb)?\.ts$/.test(posix.basename(path));
  return isKebab ? unplaced : [...unplaced, "the file's name is not in kebab-case"];
}

function checkExports(module: SourceModule): string[] {
  const folder = posix.dirname(module.path);
  const complaints = [];
  if (module.hasDefaultExport && !OPEN_SETS.includes(folder)) complaints.push("default export outside an open set");
  if (folder === "cli/commands" && !module.hasDefaultExport) complaints.push("a command without a default export");
  if (module.hasStarExport && module.path !== STAR_EXPORTER) complaints.push("export * hides what is public");
  return complaints;
}

function checkPlatform(module: SourceModule): string[] {
  if (rankOf(module.path) >= FIRST_NODE_RANK) return [];
  const foreign = module.imports
    .map(({ specifier }) => specifier)
    .filter((name) => name.startsWith("node:") || builtins.has(name) || NODE_PACKAGES.includes(name));
  return [
    ...foreign.map((name) => `imports ${name} below rank ${FIRST_NODE_RANK}`),
    ...module.nodeGlobals.map((name) => `uses the Node global ${name} below rank ${FIRST_NODE_RANK}`),
  ];
}

function checkImport(path: string, specifier: string, modules: readonly SourceModule[]): string[] {
  const target = posix.join(posix.dirname(path), specifier);
  // package.json and assets lie outside src.
  if (target.startsWith("..")) return [`imports ${specifier} from outside src`];
  if (!modules.some((module) => module.path === target)) return [`imports ${specifier}, which is no source file`];
  const isAllowed = topOf(path) === topOf(target) || rankOf(target) < rankOf(path);
  return isAllowed ? [] : [`rank ${rankOf(path)} imports ${target} of rank ${rankOf(target)}`];
}

/** Cycles of imports that exist at run time (type imports are erased, dynamic ones come later). */
function findCycles(modules: readonly SourceModule[]): string[] {
  const edges = new Map(modules.map((module) => [module.path, runtimeImports(module)]));
  const finished = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      cycles.push(`${path}: cycle ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`);
      return;
    }
    if (finished.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    finished.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return cycles;
}

/** The source files that a module imports at run time when it is loaded, by path. */
export function runtimeImports({ path, imports }: SourceModule): string[] {
  return imports
    .filter(({ specifier, isType, isDynamic }) => specifier.startsWith(".") && !isType && !isDynamic)
    .map(({ specifier }) => posix.join(posix.dirname(path), specifier));
}

function topOf(path: string): string {
  return path.split("/")[0] as string;
}

function rankOf(path: string): number {
  return RANKS[topOf(path)] ?? Number.NaN;
}
