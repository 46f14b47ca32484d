/** The search for OpenVINO's library: which places in which order, and what is said of those that cannot be used. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { describeOpenVino } from "../../../test/runtimes.ts";
import { RuntimeError } from "../../errors.ts";
import { createOpenVinoRuntime } from "../openvino.ts";
import { findOpenVino, versionProblem } from "./find.ts";

/** Before it is taken away. */
const systemPath = process.env["PATH"] ?? "";

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

/** A describe block that needs a compiler of C; skipped with the reason where there is none. */
function describeCompiler(title: string, body: () => void): void {
  const { status } = spawnSync("gcc", ["--version"]);
  if (status === 0 && process.platform === "linux") {
    describe(title, body);
    return;
  }
  const reason = "no gcc that makes libraries for Linux";
  console.log(`skipped: ${title}: ${reason}`);
  describe(title, () => test.skip(reason));
}

/** A shared library in the test's folder. */
function compile(name: string, source: string, ...options: readonly string[]): string {
  const file = join(folder, name);
  const { stderr, status } = spawnSync(
    "gcc",
    ["-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", file, ...options],
    {
      input: source,
      encoding: "utf8",
      env: { PATH: systemPath },
    },
  );
  expect([status, stderr]).toEqual([0, ""]);
  return file;
}

function fileAt(...path: readonly string[]): string {
  const file = join(folder, ...path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "no library");
  return file;
}

/** What a process of its own finds: this one may have the library loaded, or be ended by one that is damaged. */
function searchApart(library: string): { readonly found?: unknown; readonly rejected: unknown } {
  const code = `import { findOpenVino } from "${new URL("find.ts", import.meta.url)}"; console.log(JSON.stringify(findOpenVino("${library}")));`;
  const { stdout, stderr, signal } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", code],
    { encoding: "utf8" },
  );
  expect([stderr, signal]).toEqual(["", null]);
  return JSON.parse(stdout);
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

  test("what the environment names is said to be from there", async () => {
    vi.stubEnv("ZHBERT_OPENVINO", join(folder, "nowhere"));
    const wrong = createOpenVinoRuntime();
    await expect(wrong).rejects.toThrow(`got ${join(folder, "nowhere")} (ZHBERT_OPENVINO): there is no such file`);
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

/** Libraries that are made for the test, of C. */
describeCompiler("libraries that load badly", () => {
  /** A library that says a version, and can do nothing else. */
  const ofVersion = (build: string) =>
    `struct version { const char *build, *description; };
     int ov_get_openvino_version(struct version *out) { out->build = "${build}"; out->description = ""; return 0; }`;

  test("of another version, which lacks functions: the version is what is wrong", () => {
    const library = compile("libopenvino_c.so", ofVersion("2023.0.0-10926-b4452d56304"));
    expect(reasons(library)).toEqual([["option", expect.stringMatching(/^it is version 2023\.0\.0; .* or later/)]]);
  });

  test("with the version, but without the functions", () => {
    const library = compile("libopenvino_c.so", ofVersion("2099.1.0"));
    expect(reasons(library)[0]?.[1]).toMatch(/ov_core_\w+.*no C library of OpenVINO/);
  });

  test("without even that", () => {
    const library = compile("libopenvino_c.so", "int other(void) { return 0; }");
    expect(reasons(library)[0]?.[1]).toMatch(/ov_get_openvino_version.*no C library of OpenVINO/);
  });

  test("without oneTBB beside it", () => {
    const tbb = compile("libtbb.so.12", "int tbb(void) { return 0; }", "-Wl,-soname,libtbb.so.12");
    const library = compile(
      "libopenvino_c.so",
      `int tbb(void); ${ofVersion("2099.1.0")} int use(void) { return tbb(); }`,
      tbb,
    );
    rmSync(tbb);
    const reason = expect.stringMatching(/libtbb\.so\.12.*\(it needs oneTBB beside it: pip install/);
    expect(searchApart(library).rejected).toMatchObject([{ reason }]);
  });

  test("for a newer system", () => {
    const script = (version: string) => {
      writeFileSync(join(folder, "versions"), `${version} { global: newer; };`);
      return [`-Wl,--version-script=${join(folder, "versions")}`, "-Wl,-soname,libnewer.so"];
    };
    const source = "int newer(void) { return 0; }";
    const newer = compile("libnewer.so", source, ...script("GLIBC_9.99"));
    const use = `int newer(void); ${ofVersion("2099.1.0")} int use(void) { return newer(); }`;
    const library = compile("libopenvino_c.so", use, newer, "-Wl,-rpath,$ORIGIN");
    compile("libnewer.so", source, ...script("GLIBC_2.0"));
    expect(reasons(library)[0]?.[1]).toMatch(/GLIBC_9\.99.*built for a newer system: take an older release/);
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

test("the versions of pyenv behind its shims, the newest first", () => {
  const packages = (version: string) =>
    fileAt("pyenv", "versions", version, "lib", "python3.12", "site-packages", "openvino", "libs", "libopenvino_c.so");
  const expected = [packages("3.12.9"), packages("3.12.10")].reverse();
  vi.stubEnv("PATH", dirname(fileAt("pyenv", "shims", "python3")));
  const found = findOpenVino().rejected.map(({ library }) => library);
  expect(found.filter((path) => path.startsWith(folder))).toEqual(expected);
});

test("links to libraries that are gone are passed over", () => {
  symlinkSync(join(folder, "nowhere"), join(folder, "libopenvino_c.so"));
  vi.stubEnv("LD_LIBRARY_PATH", folder);
  expect(findOpenVino().rejected.filter(({ library }) => library.startsWith(folder))).toEqual([]);
  expect(reasons(folder)).toEqual([["option", "the folder has no libopenvino_c"]]);
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
    const reason = expect.stringMatching(/libopenvino\.(so|\d).*\(it is incomplete: pip install/);
    expect(searchApart(alone)).toEqual({ rejected: [{ library: alone, source: "option", reason }] });
  });

  test.each([0.1, 0.5, 0.9, 0.999])("cut to %f of its bytes it is refused, and ends no process", (share) => {
    const cut = join(folder, basename(library));
    const bytes = readFileSync(library);
    writeFileSync(cut, bytes.subarray(0, Math.floor(share * bytes.length)));
    const reason = expect.stringMatching(/damaged/);
    expect(searchApart(cut)).toEqual({ rejected: [{ library: cut, source: "option", reason }] });
  });

  test("beside another library that is cut it is refused, and that one is named", () => {
    const libraries = dirname(library);
    for (const name of readdirSync(libraries)) symlinkSync(join(libraries, name), join(folder, name));
    const needed = readdirSync(folder).find((name) => /^libopenvino\.so/.test(name)) as string;
    rmSync(join(folder, needed));
    writeFileSync(join(folder, needed), readFileSync(join(libraries, needed)).subarray(0, 100_000));
    expect(searchApart(join(folder, basename(library))).rejected).toMatchObject([
      { reason: expect.stringMatching(new RegExp(`^${needed} is cut off \\(it is damaged`)) },
    ]);
  });
});
