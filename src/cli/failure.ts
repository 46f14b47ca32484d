/** How errors reach the user: `error:` and `hint:` on stderr, an exit code, and a stack only with --debug. */
import { inspect } from "node:util";
import { ArgumentError, InterruptedError, UsageError, ZhbertError } from "../errors.ts";
import type { Output } from "./command.ts";
import { INTERRUPTED_EXIT_CODE } from "./interruption.ts";

/** A wrong command line, worded by the argument parser. */
export class CommandLineError extends Error {
  override readonly name = "CommandLineError";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

interface Failure {
  readonly message: string;
  readonly hint: string;
  readonly exitCode: number;
}

/**
 * Writes an error to stderr.
 * @returns the exit code: 2 for wrong use, 130 after an interruption, else 1.
 */
export function reportFailure(
  error: unknown,
  { debug, output }: { readonly debug: boolean; readonly output: Output },
): number {
  const { message, hint, exitCode } = describeFailure(error);
  output.note(message);
  if (hint !== "") output.note(`hint: ${hint}`);
  if (debug) output.note(inspect(error));
  return exitCode;
}

function describeFailure(error: unknown): Failure {
  if (error instanceof CommandLineError) return { message: `error: ${error.message}`, hint: error.hint, exitCode: 2 };
  if (error instanceof InterruptedError) {
    return { message: "interrupted", hint: error.hint, exitCode: INTERRUPTED_EXIT_CODE };
  }
  if (error instanceof ZhbertError) {
    // What the library finds wrong with an argument came from an option.
    const isUsage = error instanceof UsageError || error instanceof ArgumentError;
    return { message: `error: ${error.message}`, hint: error.hint, exitCode: isUsage ? 2 : 1 };
  }
  if (isSystemError(error)) {
    return { message: `error: ${error.path ?? error.syscall}: ${error.message}`, hint: "", exitCode: 1 };
  }
  if (isOutOfMemory(error)) {
    return {
      message: `error: out of memory: ${error.message}`,
      hint: "lower the batch size or the sequence length; zhbert plan shows what a training step takes",
      exitCode: 1,
    };
  }
  return {
    message: `error: unexpected ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
    hint: "this is a defect of zhbert: please report it with the stack that --debug prints",
    exitCode: 1,
  };
}

/** What Node.js throws where an array finds no memory; a length below 0 is a defect. */
function isOutOfMemory(error: unknown): error is RangeError {
  return error instanceof RangeError && /allocation failed|Invalid typed array length: \d/.test(error.message);
}

/** An error of the operating system about a file: the world's fault, not the program's. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "errno" in error && "path" in error;
}
