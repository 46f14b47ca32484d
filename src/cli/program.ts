/** The command line: turns the Command that was asked for into commander's form, and runs it. */
import { Argument, Command as Commander, CommanderError, Option } from "commander";
import { nearest } from "../errors.ts";
import type { Command, CommandArgument, CommandContext, CommandOption } from "./command.ts";
import { findCommands, loadCommand, readSummary } from "./commands.ts";
import { CommandLineError } from "./failure.ts";
import { packageVersion } from "./version.ts";

/** What a command gets besides its arguments and options. */
export type ProgramContext = Pick<CommandContext, "output" | "signal" | "stdinLines">;

/**
 * Parses a command line and runs its command.
 * @param argv - the arguments after the program's name.
 * @returns the exit code: 0, or 2 when no command is given.
 * @throws {CommandLineError} on wrong use; whatever the command throws.
 */
export async function runProgram(argv: readonly string[], context: ProgramContext): Promise<number> {
  const program = createProgram();
  const commands = findCommands();
  const operands = argv.filter((argument) => !argument.startsWith("-"));
  const { wanted, words } = wantedCommand(argv, operands, commands);
  const file = commands.get(wanted ?? "");
  let command: Commander | undefined;
  if (file !== undefined) command = addCommand(program, await loadCommand(file), context);
  else if (wanted !== undefined) throw unknownCommand(wanted, commands.keys());
  else for (const [name, listed] of commands) program.command(name).description(readSummary(listed));

  if (operands.length === 0 && !argv.some((argument) => ["-h", "--help", "-V", "--version"].includes(argument))) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    await program.parseAsync(command === undefined ? argv : namedOnce(argv, words, command), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw explain(error, program, command);
  }
  return 0;
}

interface WantedCommand {
  /** As its file is named; undefined when none is given. */
  readonly wanted: string | undefined;
  /** How it was written: one word, or two one after the other. */
  readonly words: readonly string[];
}

/** Which command is meant: `data convert` is the command data-convert, `data corpus.txt` is data. */
function wantedCommand(
  argv: readonly string[],
  operands: readonly string[],
  commands: ReadonlyMap<string, URL>,
): WantedCommand {
  const [first, second] = operands[0] === "help" ? operands.slice(1) : operands;
  if (first === undefined) return { wanted: undefined, words: [] };
  const isNext = second !== undefined && argv[argv.indexOf(first) + 1] === second;
  const both = `${first}-${second}`;
  return isNext && commands.has(both) ? { wanted: both, words: [first, second] } : { wanted: first, words: [first] };
}

/** The command line with the command's own name, which may be two words, in the place of how it was written. */
function namedOnce(argv: readonly string[], words: readonly string[], command: Commander): string[] {
  const at = argv.indexOf(words[0] as string);
  return [...argv.slice(0, at), command.name(), ...argv.slice(at + words.length)];
}

function createProgram(): Commander {
  const program = new Commander("zhbert")
    .description("Chinese BERT with whole word masking: published models, vectors, fill-mask, data, pre-training.")
    .usage("<command> [arguments] [options]")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help, with defaults and examples")
    .helpCommand("help [command]", "print help for a command")
    .enablePositionalOptions()
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => {} })
    .configureHelp({ sortSubcommands: true, subcommandTerm: (command) => command.name() })
    .exitOverride();
  addGlobalOptions(program);
  program.addHelpText(
    "after",
    `
Examples:
  $ zhbert tokenize 使用语言模型来预测下一个词的probability。
  $ zhbert data corpus.txt -o data/ --dupe-factor 5
  $ zhbert pretrain data/ --config tiny -o out/ --steps 500
  $ zhbert fill-mask out/ "今天天[MASK]很好。"
  $ zhbert models
  $ zhbert embed hfl/rbt3 sentences.txt -o vectors.npy
  $ zhbert convert chinese_wwm_ext_L-12_H-768_A-12.zip -o wwm/ --to pytorch

More: zhbert <command> --help`,
  );
  return program;
}

const GLOBAL_GROUP = "Everywhere:";

function addGlobalOptions(command: Commander): void {
  command.addOption(
    new Option("--json", "one JSON object a line on stdout, everything else on stderr").helpGroup(GLOBAL_GROUP),
  );
  command.addOption(new Option("--debug", "show the stack of errors").helpGroup(GLOBAL_GROUP));
}

function addCommand(program: Commander, declared: Command, context: ProgramContext): Commander {
  const command = program.command(declared.name).description(declared.summary);
  for (const argument of declared.arguments ?? []) command.addArgument(toArgument(argument));
  for (const option of declared.options ?? []) command.addOption(toOption(option));
  addGlobalOptions(command);
  if (declared.examples !== undefined) {
    command.addHelpText("after", `\nExamples:\n${declared.examples.map((line) => `  $ ${line}`).join("\n")}`);
  }
  command.action(async () => {
    const args = Object.fromEntries(
      command.registeredArguments.map((argument, i) => [argument.name(), command.processedArgs[i]]),
    );
    const isGiven = (name: string) => command.getOptionValueSource(name) === "cli";
    await declared.run({ ...context, args, options: withSeedAliases(command.opts()), isGiven });
  });
  return command;
}

function toArgument({ name, description, optional, variadic }: CommandArgument): Argument {
  const shown = variadic ? `${name}...` : name;
  return new Argument(optional ? `[${shown}]` : `<${shown}>`, description);
}

function toOption({ flags, description, default: value, choices, parse }: CommandOption): Option {
  const option = new Option(withSeedAlias(flags), description);
  if (value !== undefined) option.default(value, Array.isArray(value) ? value.join(",") : String(value));
  if (choices !== undefined) option.choices(choices);
  if (parse !== undefined) {
    const check = option.parseArg as ((text: string, previous: unknown) => unknown) | undefined;
    let collected: unknown[] = [];
    option.argParser((text: string) => {
      check?.(text, undefined);
      if (!option.variadic) return parse(text);
      collected = [...collected, parse(text)];
      return collected;
    });
  }
  return option;
}

/** The two names of the seed are one option in every command that has it. */
function withSeedAlias(flags: string): string {
  return flags.replace(/^--(?:random-)?seed(?= )/, "--seed, --random-seed");
}

function withSeedAliases(options: Record<string, unknown>): Record<string, unknown> {
  return "randomSeed" in options ? { ...options, seed: options["randomSeed"] } : options;
}

/** A parser error in our form, with the nearest valid name or the way to help as its hint. */
function explain(error: CommanderError, program: Commander, command: Commander | undefined): CommandLineError {
  const message = error.message.replace(/^error: /, "").replace(/\.$/, "");
  const quoted = /'([^']*)'/.exec(message)?.[1] ?? "";
  const help = `see zhbert ${command === undefined ? "" : `${command.name()} `}--help`;
  if (error.code === "commander.unknownOption") {
    const near = nearest(quoted.replace(/=.*/, ""), longFlags(command ?? program));
    const literal = /^-[^-]/.test(quoted) ? `; write -- before a text that begins with a minus` : "";
    return new CommandLineError(message, near ? `did you mean ${near}?` : `${help}${literal}`);
  }
  return new CommandLineError(message, help);
}

function unknownCommand(name: string, names: Iterable<string>): CommandLineError {
  const near = nearest(name, [...names, "help"]);
  return new CommandLineError(
    `unknown command '${name}'`,
    near ? `did you mean "zhbert ${near}"?` : "see zhbert --help",
  );
}

function longFlags(command: Commander): string[] {
  return ["--help", ...command.options.flatMap((option) => option.flags.match(/--[a-z0-9-]+/g) ?? [])];
}
