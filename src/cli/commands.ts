/**
 * Finds the commands: every file of commands/ is one, by its name, so that adding a command touches no other file.
 * Only the command that runs is loaded: together they would load every engine, to print a list.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { Command } from "./command.ts";

const folder = new URL("./commands/", import.meta.url);
/** `name.js` when compiled, `name.ts` when run from source; never declarations, source maps or tests. */
const commandFile = /^([a-z][a-z0-9-]*)\.[jt]s$/;
/** The summary as it stands in a command's file: a string literal. */
const summaryLiteral = /\bsummary:\s*("(?:[^"\\]|\\.)*")/;

/** The files of all commands by name, sorted. */
export function findCommands(): ReadonlyMap<string, URL> {
  const files = readdirSync(folder).sort();
  const entries = files.map((file) => [commandFile.exec(file)?.[1], new URL(file, folder)] as const);
  return new Map(entries.filter((entry): entry is [string, URL] => entry[0] !== undefined));
}

/** Loads a command from its file. */
export async function loadCommand(file: URL): Promise<Command> {
  const module = (await import(file.href)) as { readonly default: Command };
  return module.default;
}

/** A command's summary, read from the text of its file; empty when it is no plain string there. */
export function readSummary(file: URL): string {
  const literal = summaryLiteral.exec(readFileSync(file, "utf8"))?.[1];
  return literal === undefined ? "" : (JSON.parse(literal) as string);
}
