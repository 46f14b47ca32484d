/** The search for OpenVINO's library: which places in which order, and what is said of those that cannot be used. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { describeOpenVino } from "../../../test/runtimes.ts";
import { RuntimeError } from "../../errors.ts";
import { createOpenVinoRuntime } from "../openvino.ts";
import { findOpenVino, versionProblem } from "./find.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-find-"));
  // Nothing of the machine's own is found, unless a test says so.
  const places = [
    "ZHBERT_OPENVINO",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "PYTHONUSERBASE",
    "CONDA_PREFIX",
    "INTEL_OPENVINO_DIR",
  ];
  for (const name of places) vi.stubEnv(name, "");
  vi.stubEnv("PATH", "");
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function fileAt(...path: readonly string[]): string {
  const file = join(folder, ...path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "no library");
  return file;
}

const reasons = (library?: string) => findOpenVino(library).rejected.map(({ source, reason }) => [source, reason]);

describe("what cannot be used", () => {
  test("a path that is not there", () => {
    expect(reasons(join(folder, "libopenvino_c.so"))).toEqual([["option", "there is no such file"]]);
  });

  test("a folder without the library", () => {
    expect(reasons(folder)).toEqual([["option", "the folder has no libopenvino_c"]]);
  });

  test("a file that is no library", () => {
    const [rejected] = reasons(fileAt("libopenvino_c.so"));
    expect(rejected?.[1]).toMatch(/damaged, or for another processor/);
  });

  test("the error of a runtime names the library, and what to do", async () => {
    const library = fileAt("libopenvino_c.so");
    const wrong = createOpenVinoRuntime({ library });
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(new RegExp(`OpenVINO [\\d.]+ or later, got ${library}: .*damaged`));
    await expect(wrong).rejects.toMatchObject({ hint: expect.stringMatching(/pip install openvino/) });
  });

  test.each([
    ["2022.3.0-9052-deb2f1ab", /version 2022\.3\.0; \d+\.\d+ or later/],
    ["2025.3.1", /version 2025\.3\.1/],
    ["custom", /version unknown/],
  ])("version %s", (build, problem) => {
    expect(versionProblem(build)).toMatch(problem);
  });

  test.each(["2025.4.0-20426-82bbf0292c5", "2025.4", "2026.0.0", "2030.1"])("version %s is new enough", (build) => {
    expect(versionProblem(build)).toBeUndefined();
  });
});

describe("the order of the search", () => {
  test("the environment variable before all packages; a given path before it", () => {
    vi.stubEnv("ZHBERT_OPENVINO", fileAt("named", "libopenvino_c.so.2641"));
    vi.stubEnv("VIRTUAL_ENV", join(folder, "venv"));
    fileAt("venv", "lib", "python3.12", "site-packages", "openvino", "libs", "libopenvino_c.so.2641");
    expect(findOpenVino().rejected).toMatchObject([{ source: "environment" }]);
    expect(findOpenVino(folder).rejected).toMatchObject([{ source: "option" }]);
  });

  test("the active environment, the Python on the path, the user's packages, the system; the newest file of a folder", () => {
    const wheel = (prefix: string, name: string) =>
      fileAt(prefix, "lib", "python3.12", "site-packages", "openvino", "libs", name);
    wheel("venv", "libopenvino_c.so.2541");
    const expected = [wheel("venv", "libopenvino_c.so.2641"), wheel("python", "libopenvino_c.so.2600")];
    fileAt("python", "bin", "python3");
    expected.push(wheel("user", "libopenvino_c.so.2600"), fileAt("system", "libopenvino_c.so.2600"));
    vi.stubEnv("VIRTUAL_ENV", join(folder, "venv"));
    vi.stubEnv("PATH", join(folder, "python", "bin"));
    vi.stubEnv("PYTHONUSERBASE", join(folder, "user"));
    vi.stubEnv("LD_LIBRARY_PATH", join(folder, "system"));
    const found = findOpenVino().rejected.filter(({ library }) => library.startsWith(folder));
    expect(found.map(({ library }) => library)).toEqual(expected);
    expect(found.map(({ source }) => source)).toEqual(["pip", "pip", "pip", "system"]);
  });
});

describeOpenVino("a library that is there", (library) => {
  test("by its path, by its folder and by the folder of the package", () => {
    const found = { library, source: "option", version: expect.stringMatching(/^\d{4}\.\d+/) };
    for (const path of [library, dirname(library), dirname(dirname(library))]) {
      expect(findOpenVino(path)).toEqual({ found, rejected: [] });
    }
  });

  test("in the active environment, after one that does not load", () => {
    const packages = join(folder, "venv", "lib", "python3.11", "site-packages");
    mkdirSync(packages, { recursive: true });
    symlinkSync(dirname(dirname(library)), join(packages, "openvino"));
    fileAt("venv", "lib", "python3.12", "site-packages", "openvino", "libs", "libopenvino_c.so");
    vi.stubEnv("VIRTUAL_ENV", join(folder, "venv"));
    expect(findOpenVino()).toMatchObject({
      found: { library: join(packages, "openvino", "libs", basename(library)), source: "pip" },
      rejected: [{ source: "pip" }],
    });
  });

  test("without the libraries that it needs it is refused, and they are named", () => {
    const alone = join(folder, basename(library));
    copyFileSync(library, alone);
    // In a process of its own: in this one the others are loaded.
    const code = `import { findOpenVino } from "${new URL("find.ts", import.meta.url)}"; console.log(JSON.stringify(findOpenVino("${alone}")));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const reason = expect.stringMatching(/libopenvino\.(so|\d)/);
    expect(JSON.parse(stdout)).toEqual({ rejected: [{ library: alone, source: "option", reason }] });
  });
});
