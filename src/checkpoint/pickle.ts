/**
 * Python's pickles without Python: data are made, nothing is run. Globals and what calling them gives come from a list of
 * the format; everything else is refused by name and byte, or listed when a pickle is only looked through.
 */
import { CheckpointError } from "../errors.ts";
import { PickleMachine } from "./pickle-machine.ts";
import { PickleReader } from "./pickle-opcodes.ts";
import type { PickleRules } from "./pickle-values.ts";
import type { ByteSource } from "./source.ts";

/** What a pickle made, and where it ends. */
export interface Unpickled {
  readonly value: unknown;
  /** Of the first byte after it. */
  readonly end: number;
}

/**
 * Reads one pickle.
 * @param begin - of its first byte in the file.
 * @throws {CheckpointError} when it is damaged, or asks for anything that is not on the list.
 */
export function readPickle(source: ByteSource, begin: number, rules: PickleRules): Unpickled {
  const reader = new PickleReader(source, begin);
  const machine = new PickleMachine(source, rules);
  for (let opcode = reader.next(); opcode.name !== "STOP"; opcode = reader.next()) machine.step(opcode);
  return { value: machine.result(reader.offset - 1), end: reader.offset };
}

const MAX_FINDINGS = 100;

/**
 * Lists what in a pickle is not on the list of its format: globals, calls and state given to unknown objects.
 * Nothing is loaded or called, and an unsound pickle is looked through to its end or first unknown opcode.
 * @returns each finding once, with its byte.
 */
export function scanPickle(source: ByteSource, begin: number, rules: PickleRules): { findings: string[]; end: number } {
  const found = new Map<string, number>();
  const note = (what: string, offset: number) => {
    if (!found.has(what) && found.size < MAX_FINDINGS) found.set(what, offset);
  };
  const reader = new PickleReader(source, begin);
  const machine = new PickleMachine(
    source,
    { globals: rules.globals, build: () => true, persistent: () => null },
    note,
  );
  try {
    for (let opcode = reader.next(); opcode.name !== "STOP"; opcode = reader.next()) machine.step(opcode);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    note(`not looked through further: ${error.message}`, reader.offset);
  }
  return { findings: [...found].map(([what, offset]) => `byte ${offset}: ${what}`), end: reader.offset };
}
