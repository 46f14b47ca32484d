/** Errors that both ways of making data have in common. */
import { basename } from "node:path";
import type { Split } from "../data/run-file.ts";
import { ArgumentError, CorpusError, FileError, InterruptedError, verbatim } from "../errors.ts";

/** The error itself; an InterruptedError where it came of the signal, whatever its reason. */
export function interruption(error: unknown, signal: AbortSignal | undefined, hint: string): unknown {
  if (!(error instanceof InterruptedError) && (signal?.aborted !== true || error !== signal.reason)) return error;
  return new InterruptedError({
    where: "data",
    expected: "the work to be finished",
    got: verbatim("an interruption"),
    hint,
    cause: error,
  });
}

/** The error for a side of the held-out split without documents. */
export function noneHeldOut(where: string, share: number, split: Split): CorpusError {
  return new CorpusError({
    where,
    expected: `documents on both sides of a held-out share of ${share}`,
    got: verbatim(`none for ${split === "data" ? "training" : "evaluation"}`),
    hint: "documents are parted by blank lines: give more of them, or another share",
  });
}

/** The error for a corpus of blank lines, or of lines that filters have removed. */
export function noText(where: string, lines: number | undefined): CorpusError {
  const isFiltered = lines !== undefined && lines > 0;
  return new CorpusError({
    where,
    expected: "text",
    got: verbatim(isFiltered ? `none of ${lines} lines kept by the filters` : "no line that is not blank"),
    hint: isFiltered
      ? "loosen the filters"
      : "a corpus has one sentence or paragraph a line and a blank line between documents",
  });
}

/** Numbers that a message lists before it says how many more there are. */
const LISTED = 8;

/** The error for parts that do not hold all blocks between them. */
export function missingParts(folder: string, missing: readonly number[], blocks: number): FileError {
  const more = missing.length > LISTED ? ` and ${missing.length - LISTED} more` : "";
  return new FileError({
    where: folder,
    expected: `parts beside it that hold all ${blocks} blocks of the text`,
    got: verbatim(`none with block ${missing.slice(0, LISTED).join(", ")}${more} of this text and these options`),
    hint: `part i of n holds blocks i - 1, i - 1 + n, ...: copy its folder ${basename(folder)}-i-of-n to the others, or make what is missing here: the same command without the merge`,
  });
}

/** The error for a part whose output leaves no folder behind. */
export function noPlaceForPart(output: string): ArgumentError {
  return new ArgumentError({
    where: "part",
    expected: "an output that is a folder or a file",
    got: output,
    hint: "a part is kept beside the output until all parts are put together",
  });
}
