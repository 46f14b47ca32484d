/** Finds OpenVINO's C library on this machine: by its path, in Node.js's and Python's packages, among the system's libraries. */
import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { loadApi, type OpenVinoApi, readBuild } from "./c-api.ts";
import { isCutOff } from "./elf.ts";

/** Where a library was found; in the order of the search. */
export type OpenVinoSource = "option" | "environment" | "openvino-node" | "pip" | "system";

/** A library that loads and has a version that works. */
export interface FoundOpenVino {
  /** Path of the C library, libopenvino_c. */
  readonly library: string;
  /** Such as `2026.4.1`. */
  readonly version: string;
  readonly source: OpenVinoSource;
}

/** A library that cannot be used. */
export interface RejectedOpenVino {
  readonly library: string;
  readonly source: OpenVinoSource;
  /** What is wrong with it, and what to do. */
  readonly reason: string;
}

/** What a search has found. */
export interface OpenVinoSearch {
  readonly found: FoundOpenVino | undefined;
  /** Those before the one that was found, or all. */
  readonly rejected: readonly RejectedOpenVino[];
}

/** The oldest release that the tests pass with. */
export const OLDEST_OPENVINO = "2025.4";

/** The environment variable that gives the path of the C library or of a folder that has it. */
const PATH_VARIABLE = "ZHBERT_OPENVINO";

/** How to get OpenVINO, or another one than is found. */
export const OPENVINO_HINT = `pip install openvino brings OpenVINO, which is looked for in the active virtual environment and beside the python3 on the PATH; ${PATH_VARIABLE} names the folder of another one`;

/** With and without a version behind it: libopenvino_c.so.2641, libopenvino_c.2641.dylib, openvino_c.dll. */
const LIBRARY_NAME = /^(lib)?openvino_c(\.\d+)*\.(so|dylib|dll)(\.\d+)*$/;

/** Where a package or an installation keeps libraries, below its own folder. */
const LIBRARY_FOLDERS = ["", "libs", "lib", "bin", "openvino/libs", "runtime/lib/intel64", "runtime/lib/aarch64"];

/**
 * Looks for OpenVINO: the path that is given, ZHBERT_OPENVINO, the npm package openvino-node, Python's packages (the active
 * environment's, python3's, the user's), the system's libraries. A path that is given is the only one that is tried.
 * @param library - path of the C library, or of a folder that has it.
 */
export function findOpenVino(library?: string): OpenVinoSearch {
  const rejected: RejectedOpenVino[] = [];
  for (const { source, path } of candidates(library)) {
    const outcome = tryLibrary(path);
    if ("version" in outcome) return { found: { library: path, version: outcome.version, source }, rejected };
    rejected.push({ library: path, source, reason: outcome.reason });
  }
  return { found: undefined, rejected };
}

const apis = new Map<string, OpenVinoApi>();

/** A library that cannot be used, in words. */
export function inWords({ library, source, reason }: RejectedOpenVino): string {
  return `${library}${source === "environment" ? ` (${PATH_VARIABLE})` : ""}: ${reason}`;
}

/** The library at a path that was found. @throws {Error} when it does not load. */
export function openVinoApi(path: string): OpenVinoApi {
  const known = apis.get(path);
  if (known) return known;
  const api = loadApi(path);
  apis.set(path, api);
  return api;
}

function tryLibrary(path: string): { readonly version: string } | { readonly reason: string } {
  if (!existsSync(path)) return { reason: "there is no such file" };
  const found = statSync(path);
  if (found.isDirectory()) return { reason: "the folder has no libopenvino_c" };
  if (!found.isFile()) return { reason: "it is no file" };
  try {
    const cut = librariesBeside(path).find(isCutOff);
    if (cut !== undefined) return { reason: `${basename(cut)} is cut off (${DAMAGED})` };
    // The version first: another one may lack functions, which would say less.
    const build = readBuild(path);
    const problem = versionProblem(build);
    if (problem !== undefined) return { reason: problem };
    openVinoApi(path);
    return { version: versionOf(build) };
  } catch (error) {
    return { reason: whyNotLoaded(error instanceof Error ? error.message : String(error)) };
  }
}

/** The release that a build is of: 2026.4.1 of 2026.4.1-22982-e213a147257. */
function versionOf(build: string): string {
  return /^\d+(\.\d+)*/.exec(build)?.[0] ?? "unknown";
}

/** Why a build cannot be used; undefined where it can. */
export function versionProblem(build: string): string | undefined {
  const version = versionOf(build);
  const parts = (text: string) => text.split(".").map(Number);
  const [found, oldest] = [parts(version), parts(OLDEST_OPENVINO)];
  const at = oldest.findIndex((part, i) => found[i] !== part);
  if (at < 0 || (found[at] ?? 0) > (oldest[at] as number)) return undefined;
  return `it is version ${version}; ${OLDEST_OPENVINO} or later is needed: pip install --upgrade openvino`;
}

const DAMAGED = "it is damaged, or for another processor: pip install --force-reinstall openvino";

/** A library, and those of its folder that it may load. */
function librariesBeside(path: string): string[] {
  const folder = dirname(path);
  const others = entries(folder).filter((name) => /^lib(openvino|tbb).*\.so(\.\d+)*$/.test(name));
  return [path, ...others.map((name) => join(folder, name))];
}

function whyNotLoaded(message: string): string {
  const text = message.replaceAll(/\s+/g, " ").trim();
  if (/Cannot find function/.test(text)) return `${text} (it is no C library of OpenVINO)`;
  if (/GLIBC|GLIBCXX/.test(text)) return `${text} (it is built for a newer system: take an older release of OpenVINO)`;
  if (/libtbb|tbb12/.test(text)) return `${text} (it needs oneTBB beside it: pip install --force-reinstall openvino)`;
  if (/cannot open shared object/.test(text))
    return `${text} (it is incomplete: pip install --force-reinstall openvino)`;
  if (/invalid ELF|wrong architecture|file too short|not a valid Win32/.test(text)) {
    return `${text} (${DAMAGED})`;
  }
  return text;
}

interface Candidate {
  readonly source: OpenVinoSource;
  readonly path: string;
}

function* candidates(given: string | undefined): Generator<Candidate> {
  const environment = process.env[PATH_VARIABLE];
  if (given !== undefined) yield { source: "option", path: libraryAt(given) };
  else if (environment) yield { source: "environment", path: libraryAt(environment) };
  else {
    const folders: readonly (readonly [OpenVinoSource, () => readonly string[]])[] = [
      ["openvino-node", nodeFolders],
      ["pip", pythonFolders],
      ["system", systemFolders],
    ];
    const tried = new Set<string>();
    for (const [source, list] of folders) {
      for (const folder of list()) {
        const path = librariesIn(folder)[0];
        if (path === undefined || tried.has(realpathSync(path))) continue;
        tried.add(realpathSync(path));
        yield { source, path };
      }
    }
  }
}

/** The library at a path, or in the folder or the package of it; the path itself where there is none. */
function libraryAt(path: string): string {
  return existsSync(path) && statSync(path).isDirectory() ? (librariesIn(path)[0] ?? path) : path;
}

function librariesIn(folder: string): string[] {
  return LIBRARY_FOLDERS.flatMap((below) => {
    const names = entries(join(folder, below)).filter((name) => LIBRARY_NAME.test(name));
    // The newest first; a name without version is a link to one with it, which may be gone.
    return names
      .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
      .map((name) => join(folder, below, name))
      .filter((path) => existsSync(path));
  });
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function nodeFolders(): string[] {
  const bases = [join(process.cwd(), "package.json"), import.meta.url];
  return bases.flatMap((base) => {
    try {
      return [dirname(createRequire(base).resolve("openvino-node/package.json"))];
    } catch {
      return [];
    }
  });
}

/** site-packages of the active environment, of the python3 on the path, and of the user; no Python is started. */
function pythonFolders(): string[] {
  const { VIRTUAL_ENV, PATH, PYTHONUSERBASE, APPDATA } = process.env;
  const pythons = (PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => ["python3", "python", "python.exe"].map((name) => join(folder, name)))
    .filter((path) => existsSync(path));
  const prefixes = pythons.flatMap((path) => [path, realpathSync(path)]).flatMap((path) => prefixesOf(path));
  const users = [PYTHONUSERBASE, join(homedir(), ".local"), APPDATA && join(APPDATA, "Python")];
  const library = join(homedir(), "Library", "Python");
  const macUsers = entries(library).map((version) => join(library, version));
  const all = [VIRTUAL_ENV, ...prefixes, ...users, ...macUsers].filter((path) => path !== undefined && path !== "");
  return [...new Set(all)].flatMap((prefix) => sitePackages(prefix as string)).map((path) => join(path, "openvino"));
}

/**
 * The installation that an interpreter belongs to; on Windows it lies in its top folder. Of a shim, which starts the version that
 * pyenv, asdf or mise are set to, all versions.
 */
function prefixesOf(python: string): string[] {
  const folder = dirname(python);
  const above = dirname(folder);
  if (basename(folder) !== "shims") return [["bin", "Scripts"].includes(basename(folder)) ? above : folder];
  return [join(above, "versions"), join(above, "installs", "python")].flatMap((versions) =>
    entries(versions)
      .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
      .map((name) => join(versions, name)),
  );
}

function sitePackages(prefix: string): string[] {
  const byVersion = entries(join(prefix, "lib"))
    .filter((name) => /^python3/.test(name))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }))
    .flatMap((name) => ["site-packages", "dist-packages"].map((packages) => join(prefix, "lib", name, packages)));
  return [...byVersion, join(prefix, "lib", "python", "site-packages"), join(prefix, "Lib", "site-packages")];
}

function systemFolders(): string[] {
  const { LD_LIBRARY_PATH, DYLD_LIBRARY_PATH, PATH, CONDA_PREFIX, INTEL_OPENVINO_DIR } = process.env;
  const listed = [LD_LIBRARY_PATH, DYLD_LIBRARY_PATH, process.platform === "win32" ? PATH : undefined];
  const own = [INTEL_OPENVINO_DIR, CONDA_PREFIX].filter((path) => path !== undefined && path !== "");
  const installed = ["/opt/intel", "/opt"].flatMap((folder) =>
    entries(folder).flatMap((name) => (name.startsWith("openvino") ? [join(folder, name)] : [])),
  );
  const triplets = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map((name) => `/usr/lib/${name}`);
  const standard = ["/usr/local/lib", "/usr/lib64", "/usr/lib", ...triplets, "/opt/homebrew/lib"];
  const paths = listed.flatMap((list) => list?.split(delimiter) ?? []);
  return [...paths.filter((path) => path !== ""), ...(own as string[]), ...installed, ...standard];
}
