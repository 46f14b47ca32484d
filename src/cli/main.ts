#!/usr/bin/env node
/**
 * The program `zhbert`: ties the process (arguments, streams, signals, exit code) to the command line in program.ts.
 */
import type { TextEncoding } from "../data/read-block.ts";
import { fileError } from "../node/files.ts";
import { reportFailure } from "./failure.ts";
import { interruption } from "./interruption.ts";
import { createOutput } from "./output.ts";
import { runProgram } from "./program.ts";
import { readStdinLines } from "./stdin.ts";

// Wanted before the command line is parsed, since that too can fail. What follows `--` is text.
const argv = process.argv.slice(2);
const flags = argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
const debug = flags.includes("--debug");
const output = createOutput({ json: flags.includes("--json") });

async function main(): Promise<void> {
  // `zhbert ... | head` closes the pipe: nobody reads on, so there is nothing left to do and nothing to complain about.
  process.stderr.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : fail(fileError("standard output", "that all is written", error)));
  });
  // However the process ends: a bar hides the cursor of its terminal.
  process.on("exit", () => output.stopProgress());
  process.on("uncaughtException", (error) => process.exit(fail(error)));

  const signal = interruption({ output });
  const stdinLines = (encoding?: TextEncoding) => readStdinLines(process.stdin, { signal, output }, encoding);
  const exitCode = await runProgram(argv, { output, signal, stdinLines }).catch(fail);
  await output.flush();
  // Engines and workers may keep handles open; the command is over when its promise is settled.
  process.exit(exitCode);
}

function fail(error: unknown): number {
  output.stopProgress();
  return reportFailure(error, { debug, output });
}

await main();
