/**
 * Reads the shape of source files (imports, exports, globals) from TypeScript's own syntax trees, for the checks of
 * architecture.test.ts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  isCallExpression,
  isExportAssignment,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isMetaProperty,
  isPropertyAccessExpression,
  isStringLiteral,
  ModifierFlags,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { createVirtualFileSystem } from "typescript/unstable/fs";
import { API } from "typescript/unstable/sync";

/** One import or re-export. */
export interface ModuleImport {
  readonly specifier: string;
  /** Erased by the compiler. */
  readonly isType: boolean;
  /** `import(...)`, run when it is reached. */
  readonly isDynamic: boolean;
}

/** What a source file imports, exports and uses of the platform. */
export interface SourceModule {
  /** Relative to src/: `text/tokenizer.ts`. */
  readonly path: string;
  readonly imports: readonly ModuleImport[];
  readonly hasDefaultExport: boolean;
  readonly hasStarExport: boolean;
  /** Names of Node globals that are used, each once. */
  readonly nodeGlobals: readonly string[];
}

/** Globals that Node has and browsers lack. */
const NODE_GLOBALS = new Set(
  "process Buffer __dirname __filename require global setImmediate clearImmediate".split(" "),
);
const NODE_META_PROPERTIES = new Set(["dirname", "filename"]);

/** The texts of all source files below a folder but the tests, by path relative to it. */
export function readSources(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(folder, path), "utf8")]));
}

/** Parses source texts, by path. */
export function parseModules(sources: Readonly<Record<string, string>>): SourceModule[] {
  const paths = Object.keys(sources);
  const files = Object.fromEntries(paths.map((path) => [`/src/${path}`, sources[path] as string]));
  const compilerOptions = { noLib: true, noResolve: true, types: [], allowJs: true, noEmit: true };
  const config = JSON.stringify({ compilerOptions, files: paths.map((path) => `src/${path}`) });
  const api = new API({ cwd: "/", fs: createVirtualFileSystem({ "/tsconfig.json": config, ...files }) });
  try {
    const program = api.updateSnapshot({ openProject: "/tsconfig.json" }).getProjects()[0]?.program;
    return paths.map((path) => {
      const file = program?.getSourceFile(`/src/${path}`);
      if (file === undefined) throw new Error(`${path} was not parsed`);
      return readModule(path, file);
    });
  } finally {
    api.close();
  }
}

function readModule(path: string, file: SourceFile): SourceModule {
  const imports: ModuleImport[] = [];
  const globals = new Set<string>();
  let hasDefaultExport = false;
  let hasStarExport = false;
  const visit = (node: Node): void => {
    imports.push(...importsOf(node));
    hasDefaultExport ||= isDefaultExport(node);
    hasStarExport ||= isExportDeclaration(node) && node.exportClause === undefined;
    const name = nodeGlobal(node);
    if (name !== undefined) globals.add(name);
    node.forEachChild(visit);
  };
  visit(file);
  return { path, imports, hasDefaultExport, hasStarExport, nodeGlobals: [...globals] };
}

function importsOf(node: Node): ModuleImport[] {
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    const isType = node.importClause?.phaseModifier === SyntaxKind.TypeKeyword;
    return [{ specifier: node.moduleSpecifier.text, isType, isDynamic: false }];
  }
  if (isExportDeclaration(node) && node.moduleSpecifier !== undefined && isStringLiteral(node.moduleSpecifier)) {
    return [{ specifier: node.moduleSpecifier.text, isType: node.isTypeOnly, isDynamic: false }];
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const target = node.arguments[0];
    const specifier = target !== undefined && isStringLiteral(target) ? target.text : "(computed)";
    return [{ specifier, isType: false, isDynamic: true }];
  }
  return [];
}

function isDefaultExport(node: Node): boolean {
  if (isExportAssignment(node)) return true;
  if (node.kind === SyntaxKind.ExportSpecifier) return (node as { name?: { text?: string } }).name?.text === "default";
  const { modifierFlags = 0 } = node as { modifierFlags?: number };
  return (modifierFlags & ModifierFlags.Default) !== 0;
}

/** The Node global that an identifier names: not a property's or a declaration's name, but `globalThis.process` too. */
function nodeGlobal(node: Node): string | undefined {
  if (isPropertyAccessExpression(node) && isMetaProperty(node.expression)) {
    return NODE_META_PROPERTIES.has(node.name.text) ? `import.meta.${node.name.text}` : undefined;
  }
  if (!isIdentifier(node) || !NODE_GLOBALS.has(node.text)) return undefined;
  const { parent } = node;
  const isOwnName = (parent as { name?: Node; propertyName?: Node }).name === node;
  if (isPropertyAccessExpression(parent) && isOwnName) {
    return isIdentifier(parent.expression) && parent.expression.text === "globalThis" ? node.text : undefined;
  }
  return isOwnName ? undefined : node.text;
}
