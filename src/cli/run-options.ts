/** Options of commands that train: each has the name that it has in the library, and its absence can be told. */
import type { CommandContext, CommandOption } from "./command.ts";
import { type positiveNumber, wholeNumber } from "./numbers.ts";

/** An option, under the library's name for it. */
export type NamedOption<Name> = readonly [name: Name, option: CommandOption];

/** An option whose absence can be told: its default is in the text only, since resuming refuses what is given. */
export function option(
  flags: string,
  description: string,
  value?: string | number,
  parse?: CommandOption["parse"],
): CommandOption {
  const shown = value === undefined ? description : `${description} (default: ${value})`;
  return { flags, description: shown, ...(parse === undefined ? {} : { parse }) };
}

/** An option of a whole number. */
export function whole(flag: string, description: string, fallback?: string | number, min = 1): CommandOption {
  return option(`${flag} <n>`, description, fallback, wholeNumber(flag, min));
}

/** An option of a number. @param range - parses it: `positiveNumber` and its like. */
export function number(
  flag: string,
  description: string,
  fallback: string | number | undefined,
  range: typeof positiveNumber,
): CommandOption {
  return option(`${flag} <x>`, description, fallback, range(flag));
}

/** The long name of an option, as the user writes it. */
export function longName({ flags }: CommandOption): string {
  return /--([a-z0-9-]+)(?: <[^>]*>)?$/.exec(flags)?.[1] ?? flags;
}

/** The value of an option, or undefined. */
export function givenValue(options: CommandContext["options"], given: CommandOption): unknown {
  return options[longName(given).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
}

/** Those that were given, under the library's names. */
export function givenOptions(
  options: CommandContext["options"],
  named: readonly NamedOption<string>[],
): Record<string, never> {
  const entries = named.map(([name, of]) => [name, givenValue(options, of)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
