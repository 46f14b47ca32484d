/** What a command is: a file of cli/commands/ default-exports one. main.ts turns it into a commander command. */

import type { TextEncoding } from "../data/read-block.ts";

/** A positional argument. */
export interface CommandArgument {
  readonly name: string;
  readonly description: string;
  readonly optional?: boolean;
  readonly variadic?: boolean;
}

/** An option; `flags` in commander's notation: `--steps <n>`, `-o, --output <path>`, `--cased`. */
export interface CommandOption {
  readonly flags: string;
  readonly description: string;
  /** Shown in --help as it is here. */
  readonly default?: string | number | boolean | readonly string[];
  /** Only these values; a wrong one is an error that lists them. */
  readonly choices?: readonly string[];
  /** From the text of the command line to the value; throws UsageError. */
  readonly parse?: (text: string) => unknown;
}

/** A progress bar on stderr; silent when stderr is no terminal (then a line now and then). */
export interface Progress {
  /** @param done - units done so far. @param fields - short texts shown beside the bar: `{ loss: "6.21" }`. */
  update(done: number, fields?: Readonly<Record<string, string>>): void;
  stop(): void;
}

/** How much there is to do. */
export interface ProgressSize {
  readonly total: number;
  readonly unit: string;
  /** What is done; "progress" when left out. */
  readonly label?: string;
}

/** A Progress whose end is known. */
export interface MeasuredProgress extends Progress {
  /**
   * Work in between with an end of its own, such as an evaluation: shown in place of this until it stops, and its time does not
   * count in the rate of this.
   */
  within(size: ProgressSize): Progress;
}

/** Where a command writes. In --json mode stdout holds one JSON object a line and nothing else. */
export interface Output {
  readonly isJson: boolean;
  /** One JSON object as a line on stdout; nothing when not in --json mode. */
  json(value: object): void;
  /** Text on stdout for people; nothing in --json mode. */
  print(text?: string): void;
  /** Text on stderr, in every mode. */
  note(text: string): void;
  /** A table on stdout for people; nothing in --json mode. */
  table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void;
  progress(size: ProgressSize): MeasuredProgress;
}

/** What run() receives: arguments by name, options by camel-cased long name. */
export interface CommandContext {
  // biome-ignore lint/suspicious/noExplicitAny: the shape is set by each command's own argument and option lists
  readonly args: Readonly<Record<string, any>>;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly options: Readonly<Record<string, any>>;
  /** Whether an option, by its name in `options`, was written on the command line. */
  isGiven(name: string): boolean;
  readonly output: Output;
  /** Aborted at the first Ctrl-C (a second one ends the process); long work checks it and saves. */
  readonly signal: AbortSignal;
  /** The lines of standard input, for commands whose text argument is missing; UTF-8 unless said. */
  stdinLines(encoding?: TextEncoding): AsyncIterable<string>;
}

/** A command of the command line. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly CommandArgument[];
  readonly options?: readonly CommandOption[];
  /** Command lines shown under --help. */
  readonly examples?: readonly string[];
  /** @throws {ZhbertError} on bad input: message and hint are printed; exit code 2 for UsageError, else 1. */
  run(context: CommandContext): Promise<void>;
}

/** Declares a command; the identity, for its types. */
export function defineCommand(command: Command): Command {
  return command;
}
