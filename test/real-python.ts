/**
 * Python with the libraries that zhbert's files are written for: ZHBERT_TEST_PYTHON (one interpreter or several, as in
 * PATH; for each library the first that has it), or the virtual environment that .ci/run makes.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const PACKAGES = [
  "numpy",
  "torch",
  "safetensors",
  "tensorflow-cpu",
  "paddlepaddle",
  "onnx",
  "onnxruntime",
  "transformers",
  "pyarrow",
] as const;
type Package = (typeof PACKAGES)[number];
/** The first import of a large library reads it from a cold disk. */
export const PYTHON_TIMEOUT_MS = 240_000;

interface Python {
  readonly command: string;
  readonly versions: Readonly<Record<string, string | null>>;
}

let pythons: Python[] | undefined;

function findPythons(): Python[] {
  const ciPython = pathOf("../.ci/venv/bin/python");
  const named = process.env["ZHBERT_TEST_PYTHON"]?.split(delimiter).filter((command) => command !== "");
  const commands = named ?? (existsSync(ciPython) ? [ciPython] : []);
  return commands.flatMap((command) => {
    const args = [pathOf("./python/real_libraries.py"), "has", ...PACKAGES];
    const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
    if (status === 0) return [{ command, versions: JSON.parse(stdout) as Record<string, string | null> }];
    console.log(`real libraries: ${command} is no Python that runs`);
    return [];
  });
}

/** Tests that need some packages in one Python; skipped with a printed reason where there is none. */
export function describeLibrary(packages: readonly Package[], title: string, body: (python: string) => void): void {
  pythons ??= findPythons();
  const python = pythons.find(({ versions }) => packages.every((name) => versions[name]));
  if (python !== undefined) {
    const shown = packages.map((name) => `${name} ${python.versions[name]}`);
    describe(`${title} (${shown.join(", ")})`, () => body(python.command));
    return;
  }
  const reason =
    pythons.length === 0
      ? "no Python: set ZHBERT_TEST_PYTHON to one, or let .ci/run make .ci/venv"
      : `no Python has ${packages.join(" and ")}`;
  console.log(`skipped: ${title}: ${reason}`);
  describe(title, () => test.skip(reason));
}

/** Runs a script of test/python. @returns the last line that it prints, as JSON. @throws {Error} when it fails, with what it said. */
// biome-ignore lint/suspicious/noExplicitAny: each script prints what its test asks for
export function runPython(python: string, script: string, args: readonly string[]): any {
  const options = { encoding: "utf8", maxBuffer: 1 << 28 } as const;
  const { status, stdout, stderr } = spawnSync(python, [pathOf(`./python/${script}`), ...args], options);
  if (status !== 0) throw new Error(`${script} ${args.join(" ")} failed:\n${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1) as string);
}
