/**
 * Finds the commands: every file of commands/ is one, by its name, so that adding a command touches no other file.
 * A command's module is loaded when it is run or when the list of commands is shown.
 */
import { readdirSync } from "node:fs";
import { UsageError, verbatim } from "../errors.ts";
import type { Command } from "./command.ts";

const folder = new URL("./commands/", import.meta.url);
/** `name.js` when compiled, `name.ts` when run from source; never declarations, source maps or tests. */
const commandFile = /^([a-z][a-z0-9-]*)\.[jt]s$/;

/** The names of all commands, sorted. */
export function commandNames(): string[] {
  return readdirSync(folder)
    .map((file) => commandFile.exec(file)?.[1])
    .filter((name) => name !== undefined)
    .sort();
}

/**
 * Loads a command by its name.
 * @throws {UsageError} when there is none.
 */
export async function loadCommand(name: string): Promise<Command> {
  const file = readdirSync(folder).find((candidate) => commandFile.exec(candidate)?.[1] === name);
  if (file === undefined) {
    throw new UsageError({ where: "zhbert", expected: `one of ${commandNames().join(", ")}`, got: verbatim(name) });
  }
  const module = (await import(new URL(file, folder).href)) as { readonly default: Command };
  return module.default;
}
