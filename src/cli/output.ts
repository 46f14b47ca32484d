/** Where commands write: results on stdout (text and tables, or JSON lines), everything else on stderr. */
import CliTable from "cli-table3";
import colors from "picocolors";
import type { MeasuredProgress, Output } from "./command.ts";
import { createProgress, type StoppableProgress } from "./progress.ts";

/** An Output together with what the program needs at its end. */
export interface ProgramOutput extends Output {
  /** Ends an open progress bar, so that what follows starts on a line of its own. */
  stopProgress(): void;
  /** Settles when all text has reached its stream. */
  flush(): Promise<void>;
}

interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Text is handed to the system in pieces of about this size: a write for each line would cost more than the work. */
const BATCH_CHARACTERS = 1 << 16;

/** The Output of a process. @param streams - other streams than the process's own, for tests. */
export function createOutput({ json, streams = process }: { json: boolean; streams?: Streams }): ProgramOutput {
  let bar: StoppableProgress | undefined;
  const writeTo = (stream: NodeJS.WriteStream, text: string): void => {
    const write = () => void stream.write(text);
    bar ? bar.aside(write) : write();
  };
  const stdout = batched((text) => writeTo(streams.stdout, text));

  const note = (text: string): void => {
    stdout.send();
    writeTo(streams.stderr, `${harmless(text)}\n`);
  };
  const print = (text: string): void => stdout.write(`${text}\n`);
  return {
    isJson: json,
    json: (value) => (json ? print(JSON.stringify(value)) : undefined),
    print: (text = "") => (json ? undefined : print(isColoured(streams.stdout) ? text : withoutColours(text))),
    note,
    table: (head, rows) => (json ? undefined : print(formatTable(head, rows, streams.stdout))),
    progress: (size): MeasuredProgress => {
      bar?.stop();
      stdout.send();
      bar = createProgress({ ...size, stream: streams.stderr });
      return bar;
    },
    stopProgress: () => bar?.stop(),
    flush: async () => {
      stdout.send();
      await Promise.all([streams.stdout, streams.stderr].map((s) => new Promise((done) => s.write("", done))));
    },
  };
}

/** Colours are for terminals: not for files and pipes, also where a build server's CI=true promises them to every program. */
function isColoured(stream: NodeJS.WriteStream): boolean {
  return (stream.isTTY === true || "FORCE_COLOR" in process.env) && colors.isColorSupported;
}

function withoutColours(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the beginning of a colour.
  return text.replaceAll(/\x1b\[[\d;]*m/g, "");
}

/** Collects text until the event loop turns or a batch is full. */
function batched(deliver: (text: string) => void): { write(text: string): void; send(): void } {
  let pending: string[] = [];
  let characters = 0;
  const send = (): void => {
    if (pending.length === 0) return;
    const text = pending.join("");
    pending = [];
    characters = 0;
    deliver(text);
  };
  const write = (text: string): void => {
    if (pending.length === 0) setImmediate(send);
    pending.push(text);
    characters += text.length;
    if (characters >= BATCH_CHARACTERS) send();
  };
  return { write, send };
}

/** The library that aligns columns fails with the stack's end at some 100,000 rows; nobody reads so many. */
const MAX_ALIGNED_ROWS = 10_000;

/** Rules above and below the head only; Chinese characters count as two columns; numbers to the right. */
function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  stream: NodeJS.WriteStream,
): string {
  const { bold } = colors.createColors(isColoured(stream));
  const none = { "top-left": "", "top-right": "", "bottom-left": "", "bottom-right": "", left: "", right: "" };
  const between = { "top-mid": "", "bottom-mid": "", "left-mid": "", "right-mid": "", "mid-mid": "", middle: "" };
  const table = new CliTable({
    head: head.map((text) => bold(text)),
    colAligns: head.map((_, column) => (isNumeric(rows, column) ? "right" : "left")),
    chars: { ...none, ...between, top: "", bottom: "", mid: "─" },
    style: { "padding-left": 0, "padding-right": 2, head: [], border: [], compact: true },
  });
  const cells = rows.map((row) => row.map((cell) => harmless(String(cell))));
  if (rows.length > MAX_ALIGNED_ROWS) return [head, ...cells].map((row) => row.join("\t")).join("\n");
  table.push(...cells);
  return table
    .toString()
    .split("\n")
    .map((text) => text.trimEnd())
    .join("\n");
}

/** Control characters, but for the ends of lines, tabs and colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROL = /\x1b(?!\[[\d;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g;

/** Text whose names come from files as a terminal may show it: a file must not move the cursor or rename the window. */
export function harmless(text: string): string {
  return text.replace(CONTROL, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function isNumeric(rows: readonly (readonly (string | number)[])[], column: number): boolean {
  return rows.length > 0 && rows.every((row) => typeof row[column] === "number");
}
