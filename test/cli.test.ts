/**
 * The command line as its users meet it: help, wrong use, exit codes, streams, interruption. The built program is
 * copied and given one more command, whose file is all that a new command takes.
 */
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Command } from "../src/cli/command.ts";
import { builtProgram, type Finished, root, run, start } from "./cli-process.ts";

const PROBE = `
import { FileError, InterruptedError, UsageError } from "../../errors.js";
const detail = { where: "probe", expected: "a thing", got: "another", hint: "do that" };
const failures = {
  usage: () => { throw new UsageError(detail); },
  file: () => { throw new FileError(detail); },
  system: () => import("node:fs").then((fs) => fs.readFileSync("no-such-file.txt")),
  defect: () => { throw new TypeError("x is not a function"); },
  later: () => new Promise(() => setTimeout(() => { throw new RangeError("too late"); }, 1)),
};
export default {
  name: "probe",
  summary: "do what a test wants",
  arguments: [{ name: "texts", description: "texts to repeat", optional: true, variadic: true }],
  options: [
    { flags: "--random-seed <n>", description: "seed of the random numbers", default: 12345, parse: Number },
    { flags: "--layers <list>", description: "layers", parse: (text) => text.split(",").map(Number) },
    { flags: "--format <name>", description: "format", choices: ["shards", "jsonl"], default: "shards" },
    { flags: "--words <word...>", description: "words", parse: (text) => text.toUpperCase() },
    { flags: "--fail <how>", description: "how to fail" },
    { flags: "--work", description: "work until interrupted" },
    { flags: "--deaf", description: "work on when interrupted" },
  ],
  examples: ["zhbert probe 你好"],
  async run({ args, options, output, signal, stdinLines }) {
    await failures[options.fail]?.();
    if (options.work) {
      if (options.deaf) output.progress({ total: 2, unit: "steps" }).update(1);
      output.note("working");
      await new Promise((resolve) => {
        setTimeout(resolve, 20000);
        if (!options.deaf) signal.addEventListener("abort", resolve);
      });
      throw new InterruptedError({ where: "probe", expected: "100 steps", got: 7, hint: "saved at step 7" });
    }
    const emit = (text) => { output.json({ text }); output.print(text); };
    if (args.texts.length === 0) for await (const line of stdinLines()) emit(line);
    for (const text of args.texts) emit(text);
    output.json(options);
    output.table(["词", "id"], [["语言模型", 1], ["ab", 22]]);
    output.note("done");
  },
};
`;

async function loadBuilt(file: string): Promise<Command> {
  return ((await import(pathToFileURL(join(root, "dist/cli/commands", file)).href)) as { default: Command }).default;
}

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

let folder = "";
let program = "";
const zhbert = (args: readonly string[], options?: Parameters<typeof run>[2]): Promise<Finished> =>
  run(program, args, options);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-cli-"));
  cpSync(join(root, "dist"), join(folder, "dist"), { recursive: true, filter: (path) => !/\.(map|d\.ts)$/.test(path) });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  cpSync(join(root, "assets"), join(folder, "assets"), { recursive: true });
  writeFileSync(join(folder, "dist/cli/commands/probe.js"), PROBE);
  program = join(folder, "dist/cli/main.js");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the build can be run as a program: npx does not make it so again after a second build", () => {
  expect(() => accessSync(builtProgram, constants.X_OK)).not.toThrow();
});

describe("help", () => {
  test("lists every command, the new one too", async () => {
    const { exitCode, stdout, stderr } = await zhbert(["--help"]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    const commands = await Promise.all(
      readdirSync(join(root, "dist/cli/commands"))
        .filter((file) => /^[a-z-]+\.js$/.test(file))
        .map(async (file) => ({ name: file.replace(".js", ""), command: await loadBuilt(file) })),
    );
    expect(commands.length).toBeGreaterThan(4);
    const list = stdout.replace(/\n {10,}/g, " ");
    for (const { name, command } of commands) {
      expect(command.name).toBe(name);
      expect(list).toMatch(new RegExp(`^  ${name} +${command.summary.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`, "m"));
    }
    expect(stdout).toMatch(/^ {2}probe +do what a test wants$/m);
    expect(stdout).toContain("Examples:");
  });

  test("of a command shows defaults, choices, examples and both names of the seed", async () => {
    const { exitCode, stdout } = await zhbert(["probe", "--help"]);
    expect(exitCode).toBe(0);
    for (const text of ["(default: 12345)", '"jsonl"', "$ zhbert probe 你好", "--seed, --random-seed <n>", "--json"]) {
      expect(stdout).toContain(text);
    }
    expect((await zhbert(["help", "probe"])).stdout).toBe(stdout);
  });

  test("of every command is there and has examples", async () => {
    for (const file of readdirSync(join(root, "dist/cli/commands")).filter((name) => /^[a-z-]+\.js$/.test(name))) {
      const { exitCode, stdout } = await zhbert([file.replace(".js", ""), "--help"]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain("Examples:");
    }
  });

  test("comes fast", async () => {
    const best = { bare: Number.POSITIVE_INFINITY, help: Number.POSITIVE_INFINITY };
    writeFileSync(join(folder, "bare.mjs"), "");
    for (let i = 0; i < 5; i++) {
      best.bare = Math.min(best.bare, await timeMs(() => run(join(folder, "bare.mjs"), [])));
      best.help = Math.min(best.help, await timeMs(() => run(builtProgram, ["--help"])));
    }
    console.log(`zhbert --help: ${best.help.toFixed(0)} ms, Node itself ${best.bare.toFixed(0)} ms`);
    // Twice Node's own time, when written; a command that is loaded with the list makes it five times or more.
    expect(best.help / best.bare).toBeLessThan(4);
  });

  test("version is the package's", async () => {
    expect((await zhbert(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("is what one gets without a command, on stderr", async () => {
    const { exitCode, stdout, stderr } = await zhbert([]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: zhbert");
  });
});

describe("wrong use exits with 2, says what is wrong and what to do", () => {
  test.each([
    [["prob"], "error: unknown command 'prob'\nhint: did you mean \"zhbert probe\"?\n"],
    [["help", "prob"], "error: unknown command 'prob'\nhint: did you mean \"zhbert probe\"?\n"],
    [["something-else"], "error: unknown command 'something-else'\nhint: see zhbert --help\n"],
    [["probe", "--formt", "jsonl"], "error: unknown option '--formt'\nhint: did you mean --format?\n"],
    [["probe", "--sede", "1"], "error: unknown option '--sede'\nhint: did you mean --seed?\n"],
    [["--jsn", "probe"], "error: unknown option '--jsn'\nhint: did you mean --json?\n"],
    [["probe", "-5度"], "write -- before a text that begins with a minus"],
    [["probe", "--format", "xml"], "Allowed choices are shards, jsonl"],
    [["probe", "--seed"], "argument missing"],
    [["probe", "--fail", "usage"], 'error: probe: expected a thing, got "another"\nhint: do that\n'],
  ])("%j", async (args, message) => {
    const { exitCode, stdout, stderr } = await zhbert(args);
    expect(stderr).toContain(message);
    expect(stdout).toBe("");
    expect(exitCode).toBe(2);
  });
});

describe("failures exit with 1", () => {
  test("with message and hint for errors that are foreseen", async () => {
    const { exitCode, stderr } = await zhbert(["probe", "--fail", "file", "--json"]);
    expect(stderr).toBe('error: probe: expected a thing, got "another"\nhint: do that\n');
    expect(exitCode).toBe(1);
  });

  test("with the file's name for errors of the system", async () => {
    const { exitCode, stderr } = await zhbert(["probe", "--fail", "system"]);
    expect(stderr).toContain("error: no-such-file.txt: ");
    expect(stderr).not.toContain("defect");
    expect(exitCode).toBe(1);
  });

  test.each(["defect", "later"])("naming a defect as such, with a stack only where asked for (%s)", async (how) => {
    const plain = await zhbert(["probe", "--fail", how]);
    expect(plain.stderr).toMatch(
      /^error: unexpected (Type|Range)Error: .*\nhint: this is a defect of zhbert.*--debug.*\n$/,
    );
    expect(plain.exitCode).toBe(1);
    const debugged = await zhbert(["probe", "--fail", how, "--debug"]);
    expect(debugged.stderr).toContain("commands/probe.js:");
  });
});

describe("values", () => {
  test("may begin with a minus, and the seed has two names", async () => {
    for (const args of [
      ["--layers=-1,-2", "--seed", "7"],
      ["--layers", "-1,-2", "--random-seed=7"],
    ]) {
      const { stdout } = await zhbert(["--json", "probe", "x", ...args]);
      expect(JSON.parse(stdout.split("\n")[1] as string)).toMatchObject({ layers: [-1, -2], seed: 7, randomSeed: 7 });
    }
  });

  test("of a variadic option are parsed one by one", async () => {
    const { stdout } = await zhbert(["probe", "x", "--json", "--words", "ab", "c"]);
    expect(JSON.parse(stdout.split("\n")[1] as string)).toMatchObject({ words: ["AB", "C"] });
  });

  test("after -- are text", async () => {
    const { stdout } = await zhbert(["probe", "--", "-5度", "--json"]);
    expect(stdout.split("\n").slice(0, 2)).toEqual(["-5度", "--json"]);
  });
});

describe("streams", () => {
  test("--json leaves nothing but JSON objects on stdout", async () => {
    const { stdout, stderr } = await zhbert(["probe", "--json", "你好", "b"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => typeof JSON.parse(line))).toEqual(["object", "object", "object"]);
    expect(stderr).toBe("done\n");
  });

  test("tables count Chinese characters as two columns", async () => {
    const { stdout } = await zhbert(["probe", "x"]);
    expect(stdout).toContain("词        id\n──────────────\n语言模型   1\nab        22\n");
  });

  test("lines come from standard input: UTF-8, without line ends or byte order mark", async () => {
    const { stdout } = await zhbert(["probe", "--json"], { input: "\uFEFF你好\r\n\n🀄 last" });
    const texts = stdout.split("\n").slice(0, 3);
    expect(texts.map((line) => JSON.parse(line).text)).toEqual(["你好", "", "🀄 last"]);
  });

  test("bytes that are not UTF-8 are refused with their offset", async () => {
    const input = Buffer.concat([Buffer.from("你好\nab"), Buffer.from([0xc4, 0xe3, 0x0a])]);
    const { exitCode, stderr } = await zhbert(["probe"], { input });
    expect(stderr).toContain("standard input line 2, byte 9: expected text in UTF-8, got byte 0xc4");
    expect(exitCode).toBe(1);
  });

  test("a reader that goes away ends the program quietly", () => {
    const script = `yes 你好 | head -200000 | "${process.execPath}" "${program}" probe | head -1; echo "\${PIPESTATUS[2]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    // The program may have read and said all before the reader is gone.
    expect(stderr).toMatch(/^(done\n)?$/);
    expect(stdout).toBe("你好\n0\n");
  });
});

if (!existsSync("/dev/full")) console.log("skipped: a full disk on standard output: this system has no /dev/full");
test.skipIf(!existsSync("/dev/full"))("a full disk on standard output is said", () => {
  const { stderr, stdout } = spawnSync(
    "bash",
    ["-c", `"${process.execPath}" "${program}" probe 你好 > /dev/full; echo $?`],
    {
      encoding: "utf8",
    },
  );
  expect(stderr).toContain("standard output: expected that all is written, got a full disk");
  expect(stdout).toBe("1\n");
});

describe("Ctrl-C", () => {
  test("lets the work save, then exits with 130", async () => {
    const { child, finished } = start(program, ["probe", "--work"]);
    child.stderr?.once("data", () => child.kill("SIGINT"));
    expect(await finished).toEqual({
      exitCode: 130,
      stdout: "",
      stderr: "working\ninterrupted\nhint: saved at step 7\n",
    });
  });

  test("twice ends at once, and the progress display with it", async () => {
    const { child, finished } = start(program, ["probe", "--work", "--deaf"]);
    // Once when it works, and again when it has said that this ends it.
    child.stderr?.on("data", () => child.kill("SIGINT"));
    const { exitCode, stderr } = await finished;
    expect(exitCode).toBe(130);
    expect(stderr).toContain("Ctrl-C again ends at once");
    expect(stderr).toMatch(/progress: 1\/2 steps\n$/);
  });

  test("ends the wait for standard input", async () => {
    const script = `sleep 3 | timeout --foreground -s INT 1 "${process.execPath}" "${program}" probe`;
    const { stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    expect(stderr).toContain("interrupted\n");
  });
});
