/** What `zhbert data` says at its end: counts of what was read, removed and made, with their shares. */
import type { FilterCounts } from "../data/filter-lines.ts";
import type { DataReport, MakeDataOptions } from "../node/make-data.ts";
import { inPercent } from "../util/percent.ts";
import type { Output } from "./command.ts";
import { inMegabytes } from "./numbers.ts";

/** Shares in [0, 1]. */
export interface DataShares {
  readonly maskedShare: number;
  readonly unknownShare: number;
  readonly unalignedShare: number;
  readonly randomNextShare: number;
  readonly paddingShare: number;
}

/** Counts of a report as parts of what they are counted in. */
export function sharesOf(report: DataReport, maxSeqLength: number): DataShares {
  const { instances, instanceTokens, maskedTokens, tokens, unknownTokens, sentences, unalignedSentences } = report;
  // One of more parts than blocks is empty.
  const shareOf = (some: number, all: number) => (all === 0 ? 0 : some / all);
  return {
    maskedShare: shareOf(maskedTokens, instanceTokens),
    unknownShare: shareOf(unknownTokens, tokens),
    unalignedShare: shareOf(unalignedSentences, sentences),
    randomNextShare: shareOf(report.randomNext, instances),
    paddingShare: shareOf(instances * maxSeqLength - instanceTokens, instances * maxSeqLength),
  };
}

/** A vocabulary that does not know a tenth of the text is most likely of another language or another text. */
function noteUnknown(share: number, output: Output): void {
  if (share < 0.1) return;
  output.note(`warning: ${inPercent(share)} % of the tokens are [UNK]; is --vocab the vocabulary for this text?`);
}

const FILTER_LABELS: Readonly<Record<keyof FilterCounts, string>> = {
  linesRead: "lines read",
  cleanedReferences: "HTML references",
  cleanedInvisible: "invisible characters",
  cleanedSpaces: "white space",
  removedEmpty: "empty once cleaned",
  removedShort: "too short",
  removedLong: "too long",
  removedForeign: "too little Chinese",
  removedDuplicates: "duplicates",
};

/** What each step of cleaning and each filter did. */
function filterRows({ filtered, duplicateErrorRate }: DataReport): [string, string, string][] {
  const { linesRead = 0 } = filtered;
  return Object.entries(filtered).map(([name, lines]) => {
    const share = `${inPercent(lines / Math.max(1, linesRead), 2)} %`;
    const wrong = name === "removedDuplicates" ? `, at most ${duplicateErrorRate.toExponential(0)} of new lines` : "";
    const done = name.startsWith("removed") ? "removed" : "changed";
    const label = FILTER_LABELS[name as keyof FilterCounts];
    return [label, lines.toLocaleString("en-US"), name === "linesRead" ? "" : `${share} of lines ${done}${wrong}`];
  });
}

/** The report for people, as a table. */
export function printReport(output: Output, made: MakeDataOptions, report: DataReport, seconds: number): void {
  const shares = sharesOf(report, made.maxSeqLength);
  const percent = (value: number) => `${inPercent(value, 2)} %`;
  const count = (value: number) => value.toLocaleString("en-US");
  const rows: [string, string, string][] = [
    ...filterRows(report),
    ["documents", count(report.documents), ""],
    ["sentences", count(report.sentences), ""],
    ["tokens", count(report.tokens), `${count(report.words)} words`],
    ["[UNK] tokens", count(report.unknownTokens), percent(shares.unknownShare)],
    ["unaligned sentences", count(report.unalignedSentences), `${percent(shares.unalignedShare)}, masked by character`],
    ["instances", count(report.instances), `${made.dupeFactor} passes`],
    ["tokens of instances", count(report.instanceTokens), ""],
    ["masked tokens", count(report.maskedTokens), percent(shares.maskedShare)],
    ["padding", percent(shares.paddingShare), `if all are padded to ${made.maxSeqLength}`],
  ];
  if (made.nextSentence)
    rows.push([
      made.swapSegments ? "swapped" : "random next",
      count(report.randomNext),
      percent(shares.randomNextShare),
    ]);
  if (made.heldOut > 0) rows.push(["held-out instances", count(report.heldOutInstances), "of the instances above"]);
  if (report.partFolder === undefined)
    rows.push(["written", `${inMegabytes(report.outputBytes)} MB`, made.outputs.join(", ")]);
  output.table(["what", "count", ""], rows);
  noteUnknown(shares.unknownShare, output);
  if (report.partFolder !== undefined) {
    output.print(
      `this part is in ${report.partFolder}: copy the folders of all parts to one place beside each other, ` +
        "then give the same command with --shard merge",
    );
  }
  const rate = report.corpusBytes / 1e6 / seconds;
  output.note(`${inMegabytes(report.corpusBytes)} MB of text in ${seconds.toFixed(1)} s, ${rate.toFixed(2)} MB/s`);
}
