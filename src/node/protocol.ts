/**
 * Runs a protocol: each cell a fine-tuning run in a folder of its own. A finished cell is kept with the digest of all that it
 * was made from, and not run again; an interrupted one goes on; a failed one is reported, and the others go on.
 */

import { stat } from "node:fs/promises";
import { dirname, extname, isAbsolute, join, resolve } from "node:path";
import { InterruptedError, verbatim, ZhbertError } from "../errors.ts";
import type { ReportOptions } from "../report/page.ts";
import { protocolReport } from "../report/protocol-report.ts";
import { protocolMarkdown } from "../report/protocol-tables.ts";
import { digestOf, type OptionValues, type Protocol, type ProtocolCell } from "../tasks/protocol/protocol.ts";
import type { ReadOption } from "../tasks/protocol/protocol-file.ts";
import {
  type CellResult,
  type FailedCell,
  type FinishedCell,
  type ProtocolResults,
  protocolResults,
} from "../tasks/protocol/protocol-results.ts";
import { dataDigest, modelDigest } from "./content-digest.ts";
import { lockFolder } from "./data-lock.ts";
import { fileError, makeFolder, readText, writeFileAtomic } from "./files.ts";

/** What a cell's run is told besides its options. */
export interface CellEnvironment {
  readonly signal?: AbortSignal;
  /** Whether the folder holds an interrupted run of the same cell; else what is there is to be replaced. */
  readonly isResumed: boolean;
  /** How much of the run is done, in [0, 1], with what is worth showing. */
  onProgress?(share: number, fields: Readonly<Record<string, string>>): void;
}

/**
 * Fine-tunes and evaluates one cell, or goes on where it was interrupted.
 * @param folder - the cell's own.
 */
export type RunCell = (cell: ProtocolCell, folder: string, environment: CellEnvironment) => Promise<CellResult>;

/** How a protocol is run. */
export interface ProtocolOptions {
  /** The folder of results; what the file says, or a folder of the file's name beside it. */
  readonly output?: string;
  readonly runCell: RunCell;
  readonly readOption?: ReadOption;
  readonly signal?: AbortSignal;
  readonly report: ReportOptions;
  /** Before the first run: how many there are, and how many are finished already. */
  onStart?(counts: { readonly cells: number; readonly finished: number }): void;
  /** @param done - of the runs that were not finished at the start; a share of the one that is running counts. */
  onProgress?(done: number, cell: ProtocolCell, fields: Readonly<Record<string, string>>): void;
  onFailed?(cell: FailedCell): void;
}

/** What a protocol has come to. */
export interface ProtocolOutcome {
  readonly results: ProtocolResults;
  /** The files that were written: the JSON, Markdown and HTML. */
  readonly files: { readonly json: string; readonly markdown: string; readonly html: string };
}

/** Options that name data: relative to the protocol's file. */
const PATH_OPTIONS = ["data", "train", "dev", "test"];
const CELL_FILE = "cell.json";
/** Changes when cells are measured otherwise than before: old results are then made anew. */
const CELL_VERSION = 1;

/**
 * Runs the protocol of a YAML file.
 * @throws {DataError} when the file is no protocol. @throws {FileError} when the folder cannot be written or another process
 * uses it. @throws {InterruptedError} when aborted; the tables of what is finished are written before.
 */
export async function runProtocol(file: string, options: ProtocolOptions): Promise<ProtocolOutcome> {
  const protocol = await readProtocol(file, options.readOption);
  const folder = options.output ?? resolve(dirname(file), protocol.output ?? withoutExtension(file));
  await makeFolder(folder).catch((error) => {
    throw fileError(folder, "a folder that can be written", error);
  });
  const unlock = await lockFolder(folder);
  try {
    return await new ProtocolRun(protocol, folder, options).run();
  } finally {
    await unlock();
  }
}

/** Reads a protocol, its paths as seen from here. */
export async function readProtocol(file: string, readOption?: ReadOption): Promise<Protocol> {
  // With it comes the reader of YAML, which no other program should wait for.
  const { parseProtocol } = await import("../tasks/protocol/protocol-file.ts");
  const protocol = parseProtocol(await readText(file), file, readOption);
  const from = (path: string) => (isAbsolute(path) ? path : join(dirname(file), path));
  const isThere = async (path: string) => (await stat(path).catch(() => undefined)) !== undefined;
  const located = new Map<string, string>();
  for (const { path } of protocol.models) located.set(path, (await isThere(from(path))) ? from(path) : path);
  const placed = (values: OptionValues): OptionValues =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        PATH_OPTIONS.includes(name) && typeof value === "string" ? from(value) : value,
      ]),
    );
  return {
    ...protocol,
    cells: protocol.cells.map((cell) => ({
      ...cell,
      model: { ...cell.model, path: located.get(cell.model.path) ?? cell.model.path },
      options: placed(cell.options),
    })),
  };
}

function withoutExtension(file: string): string {
  const name = file.slice(0, file.length - extname(file).length);
  return resolve(name === file ? `${file}-results` : name);
}

class ProtocolRun {
  readonly #protocol: Protocol;
  readonly #folder: string;
  readonly #options: ProtocolOptions;
  readonly #digests = new Map<string, Promise<string>>();
  readonly #finished: FinishedCell[] = [];
  readonly #failed: FailedCell[] = [];

  constructor(protocol: Protocol, folder: string, options: ProtocolOptions) {
    this.#protocol = protocol;
    this.#folder = folder;
    this.#options = options;
  }

  async run(): Promise<ProtocolOutcome> {
    const open = await this.#openCells();
    const cells = this.#protocol.cells.length;
    this.#options.onStart?.({ cells, finished: this.#finished.length });
    try {
      for (const [done, cell] of open.entries()) {
        this.#options.signal?.throwIfAborted();
        this.#options.onProgress?.(done, cell, {});
        await this.#runCell(cell, done);
      }
    } catch (error) {
      await this.#write();
      throw error instanceof InterruptedError ? this.#interrupted(error) : error;
    }
    return this.#write();
  }

  #interrupted(cause: InterruptedError): InterruptedError {
    return new InterruptedError({
      where: this.#folder,
      expected: "all runs of the protocol",
      got: verbatim(`${this.#finished.length} of ${this.#protocol.cells.length}`),
      hint: "The same command goes on; the tables of what is finished are written.",
      cause,
    });
  }

  /** The cells without a result of the same digest. */
  async #openCells(): Promise<ProtocolCell[]> {
    const open: ProtocolCell[] = [];
    for (const cell of this.#protocol.cells) {
      const kept = await readCell(join(this.#folder, cell.folder));
      if (kept === undefined) {
        open.push(cell);
        continue;
      }
      // What cannot be digested (data that is gone) fails in its own run, with its own message.
      const digest = await this.#digestOf(cell).catch(() => undefined);
      if (kept.digest === digest && kept.result !== undefined) this.#finished.push({ ...cell, result: kept.result });
      else open.push(cell);
    }
    return open;
  }

  async #runCell(cell: ProtocolCell, done: number): Promise<void> {
    const { runCell, signal, onProgress, onFailed } = this.#options;
    const folder = join(this.#folder, cell.folder);
    try {
      const digest = await this.#digestOf(cell);
      const isResumed = (await readCell(folder))?.digest === digest;
      await writeCell(folder, cell, digest);
      const result = await runCell(cell, folder, {
        isResumed,
        ...(signal === undefined ? {} : { signal }),
        onProgress: (share, fields) => onProgress?.(done + Math.min(1, share), cell, fields),
      });
      await writeCell(folder, cell, digest, result);
      this.#finished.push({ ...cell, result });
    } catch (error) {
      if (error instanceof InterruptedError || signal?.aborted || !(error instanceof ZhbertError)) throw error;
      const failed = { ...cell, error: error.message, hint: error.hint };
      this.#failed.push(failed);
      onFailed?.(failed);
    }
  }

  async #digestOf({ model, task, options, seed }: ProtocolCell): Promise<string> {
    const places = Object.entries(options).filter(([name]) => PATH_OPTIONS.includes(name));
    const data = Object.fromEntries(places.map(([name, path]) => [name, String(path)]));
    const others = Object.fromEntries(Object.entries(options).filter(([name]) => !PATH_OPTIONS.includes(name)));
    return digestOf({
      version: CELL_VERSION,
      model: await this.#once(`model ${model.path}`, () => modelDigest(model.path)),
      data: await this.#once(`data ${digestOf(data)}`, () => dataDigest(data)),
      task: task.task,
      options: others,
      seed,
    });
  }

  /** Models and data are read once, for all their cells. */
  #once(key: string, digest: () => Promise<string>): Promise<string> {
    const known = this.#digests.get(key) ?? digest();
    this.#digests.set(key, known);
    return known;
  }

  async #write(): Promise<ProtocolOutcome> {
    const results = protocolResults(this.#protocol, this.#finished, this.#failed);
    const files = {
      json: join(this.#folder, "results.json"),
      markdown: join(this.#folder, "results.md"),
      html: join(this.#folder, "report.html"),
    };
    await writeFileAtomic(files.json, `${JSON.stringify(protocolJson(results), undefined, 1)}\n`);
    await writeFileAtomic(files.markdown, protocolMarkdown(results));
    await writeFileAtomic(files.html, await protocolReport(results, this.#options.report));
    return { results, files };
  }
}

/** The results for programs: every number of the tables, and each run without the scores of its examples. */
export function protocolJson({ finished, failed, ...results }: ProtocolResults): object {
  return {
    ...results,
    runs: finished.map(({ model, task, seed, point, folder, result: { scores, curve, ...result } }) => ({
      model: model.name,
      task: task.name,
      seed,
      point,
      folder,
      ...result,
    })),
    failed: failed.map(({ model, task, seed, point, error, hint }) => ({
      model: model.name,
      task: task.name,
      seed,
      point,
      error,
      hint,
    })),
  };
}

/** What a cell's file holds; undefined where there is none, or a damaged one, so that the cell is made anew. */
async function readCell(folder: string): Promise<{ digest: string; result?: CellResult } | undefined> {
  const path = join(folder, CELL_FILE);
  if ((await stat(path).catch(() => undefined)) === undefined) return undefined;
  try {
    const { version, digest, result } = JSON.parse(await readText(path));
    if (version !== CELL_VERSION || typeof digest !== "string") return undefined;
    return typeof result?.metrics === "object" ? { digest, result } : { digest };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Without a result: that the cell was begun. */
function writeCell(
  folder: string,
  { model, task, seed, options }: ProtocolCell,
  digest: string,
  result?: CellResult,
): Promise<void> {
  const content = { version: CELL_VERSION, digest, model: model.path, task: task.task, seed, options, result };
  return writeFileAtomic(join(folder, CELL_FILE), `${JSON.stringify(content)}\n`);
}
