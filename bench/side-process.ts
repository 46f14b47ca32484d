/**
 * A side in its own process, by the protocol of the peers' `--serve`, a JSON object a line: first `{ ready: true, version,
 * amounts }` or `{ ready: false, skipped }`, then for each line `run` on its input `{ seconds, ... }`, until `quit`.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { type Amounts, type Facts, type PeerCommand, Skip } from "./bench.ts";

interface Ready {
  readonly ready: boolean;
  readonly skipped?: string;
  readonly version?: string;
  readonly amounts?: Amounts;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** A started side. */
export class SideProcess {
  readonly version: string;
  readonly amounts: Amounts;
  /** Numbers that the side told once, when it was ready. */
  readonly extra: Facts;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #complaint: () => string;
  #peakMb = 0;

  private constructor(
    child: ChildProcessWithoutNullStreams,
    lines: AsyncIterator<string>,
    complaint: () => string,
    ready: Ready,
  ) {
    this.#child = child;
    this.#lines = lines;
    this.#complaint = complaint;
    this.version = ready.version ?? "";
    this.amounts = ready.amounts ?? {};
    this.extra = numbersOf(ready.extra ?? {});
  }

  /**
   * Starts a side and waits until it has prepared and warmed up.
   * @throws {Skip} when it says that it cannot run here. @throws {Error} when it ends without a word of the protocol.
   */
  static async start({ command, args }: PeerCommand): Promise<SideProcess> {
    const child = spawn(command, args);
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-10_000);
    });
    child.on("error", (error) => {
      complaint = error.message;
    });
    // A side that ends while it is written to is noticed by its missing answer.
    child.stdin.on("error", () => undefined);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) throw new Error(`${command} gave no answer: ${cause(complaint)}`);
    const ready = JSON.parse(first.value) as Ready;
    if (!ready.ready) throw new Skip(ready.skipped);
    return new SideProcess(child, lines, () => complaint, ready);
  }

  /** Lets the side work once. */
  async run(): Promise<Facts> {
    this.#child.stdin.write("run\n");
    const answer = await this.#lines.next();
    if (answer.done) throw new Error(`${this.#child.spawnfile} ended during a run: ${cause(this.#complaint())}`);
    const facts = numbersOf(JSON.parse(answer.value) as Record<string, unknown>);
    this.#peakMb = Math.max(this.#peakMb, highWaterMarkMb(this.#child.pid) ?? 0, facts["peak_rss_mb"] ?? 0);
    return facts;
  }

  /** The most memory that the process, or a process that it measured, held: MiB. */
  get peakMb(): number {
    return this.#peakMb;
  }

  /** Ends the process. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end("quit\n");
    await ended;
  }
}

/** The line of what a program wrote to its error output that says what was wrong. */
function cause(complaint: string): string | undefined {
  const lines = complaint.trim().split("\n");
  return lines.findLast((line) => line.includes("Error")) ?? lines.at(-1);
}

function numbersOf(record: Readonly<Record<string, unknown>>): Facts {
  return Object.fromEntries(
    Object.entries(record).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

/**
 * The peak resident memory of a process as Linux has it, in MiB; undefined elsewhere. (What a process can ask of itself,
 * ru_maxrss, also counts the process that it was started from.)
 */
export function highWaterMarkMb(pid: number | undefined): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}
