/** Runs the built program in a process of its own, as a user does. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** The built program of the repository. */
export const builtProgram = `${root}dist/cli/main.js`;

/** What a finished process left. */
export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running process, and how it ends. */
export interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
}

/** Starts a program file with Node; standard input is empty unless given. */
export function start(
  programFile: string,
  args: readonly string[],
  { input = "", cwd = root }: { readonly input?: string | Uint8Array; readonly cwd?: string } = {},
): Running {
  if (!existsSync(programFile)) throw new Error(`${programFile} is not built: npm run build`);
  const child = spawn(process.execPath, [programFile, ...args], { cwd, env: { ...process.env, NO_COLOR: "1" } });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  // A program that does not read its input may be gone before it is written.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
  return { child, finished };
}

/** Runs a program file to its end. */
export function run(
  programFile: string,
  args: readonly string[],
  options?: Parameters<typeof start>[2],
): Promise<Finished> {
  return start(programFile, args, options).finished;
}
