/** Runs the command line in the test's own process, where no streams of the machine are needed. */
import { PassThrough } from "node:stream";
import { createOutput } from "../src/cli/output.ts";
import { runProgram } from "../src/cli/program.ts";

/** Room for all that a command writes: nobody reads before it ends. */
const CAPACITY = 1 << 24;

/**
 * @param lines - standard input. @param onStderr - takes what the command wrote on stderr, also where it fails.
 * @returns what it wrote on stdout.
 */
export async function runCommand(
  args: readonly string[],
  lines: readonly string[] = [],
  onStderr?: (text: string) => void,
): Promise<string> {
  const streams = { stdout: new PassThrough({ highWaterMark: CAPACITY }), stderr: new PassThrough() };
  const output = createOutput({
    json: args.includes("--json"),
    streams: streams as unknown as { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
  });
  async function* stdinLines() {
    yield* lines;
  }
  try {
    await runProgram(args, { output, signal: new AbortController().signal, stdinLines });
  } finally {
    await output.flush();
    onStderr?.(String(streams.stderr.read() ?? ""));
  }
  return String(streams.stdout.read() ?? "");
}

/** The objects of JSON lines. */
// biome-ignore lint/suspicious/noExplicitAny: each command has fields of its own
export function parseLines(text: string): any[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
