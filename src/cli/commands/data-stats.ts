/** `zhbert data stats`: what a data folder holds, as tables and as pictures. */
import { join } from "node:path";
import { binned, DataStatistics, type Histogram } from "../../data/data-statistics.ts";
import { openDataset } from "../../node/dataset.ts";
import { writeFileAtomic } from "../../node/files.ts";
import { lineChart } from "../../report/line-chart.ts";
import { inPercent } from "../../util/percent.ts";
import { type CommandContext, defineCommand } from "../command.ts";

const LENGTH_BINS = 16;
const BAR_WIDTH = 40;
/** Instances between two turns of the event loop. */
const INSTANCES_A_TURN = 4096;

export default defineCommand({
  name: "data-stats",
  summary: "count lengths, masks, words and unknown tokens of training data",
  arguments: [{ name: "data", description: "a data folder" }],
  options: [
    { flags: "--held-out", description: "the instances kept apart for evaluation, in place of the others" },
    { flags: "--pictures <folder>", description: "histograms as SVG files into this folder" },
  ],
  examples: ["zhbert data stats shards/", "zhbert data stats shards/ --pictures pictures/"],
  run,
});

async function run({ args, options, output, signal }: CommandContext): Promise<void> {
  const dataset = await openDataset(args["data"]);
  const source = options["heldOut"] === true ? dataset.heldOut : dataset.train;
  const statistics = new DataStatistics(dataset.vocabulary);
  const progress = output.progress({ total: source.count, unit: "instances", label: "reading" });
  try {
    for (let i = 0; i < source.count; i++) {
      statistics.add(await source.instance(i));
      if (i % INSTANCES_A_TURN === 0) {
        signal.throwIfAborted();
        progress.update(i);
      }
    }
  } finally {
    progress.stop();
    await dataset.close();
  }
  const { lengths, wordLengths, maskRates, ...totals } = statistics;
  const histograms = {
    lengths: binned(lengths, LENGTH_BINS),
    wordLengths: binned(wordLengths, 1),
    maskRates: binned(maskRates, 1),
  };
  output.json({ ...totals, ...histograms });
  print(statistics, dataset.description.settings.maxSeqLength, output);
  for (const [name, { title, label, width }] of Object.entries(CHARTS)) {
    const bins = histograms[name as keyof typeof CHARTS];
    output.print();
    output.table([label, "count", ""], rowsOf(bins, width));
    if (options["pictures"] === undefined || bins.length === 0) continue;
    const path = join(options["pictures"], `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.svg`);
    const series = [{ name: "", points: bins }];
    await writeFileAtomic(path, await lineChart({ title, xLabel: label, yLabel: "count", series, smooth: false }));
    output.note(path);
  }
}

const CHARTS = {
  lengths: { title: "Instances by length", label: "tokens", width: LENGTH_BINS },
  wordLengths: { title: "Words by length", label: "tokens of a word", width: 1 },
  maskRates: { title: "Instances by share of tokens to predict", label: "percent", width: 1 },
} satisfies Readonly<Record<string, { title: string; label: string; width: number }>> & {
  [key in keyof DataStatistics as DataStatistics[key] extends Histogram ? key : never]: object;
};

/** Bins with bars, the longest of them as wide as BAR_WIDTH. */
function rowsOf(bins: readonly (readonly [number, number])[], width: number): string[][] {
  const most = Math.max(1, ...bins.map(([, count]) => count));
  return bins.map(([first, count]) => [
    width === 1 ? `${first}` : `${first} to ${first + width - 1}`,
    count.toLocaleString("en-US"),
    "█".repeat(Math.round((BAR_WIDTH * count) / most)),
  ]);
}

function print(statistics: DataStatistics, maxSeqLength: number, output: CommandContext["output"]): void {
  const { instances, tokens, predictions, masked, kept, unknown, words, labelled } = statistics;
  const share = (part: number, whole: number) => `${inPercent(part / Math.max(1, whole), 2)} %`;
  const count = (value: number) => value.toLocaleString("en-US");
  output.table(
    ["what", "count", ""],
    [
      ["instances", count(instances), `${(tokens / Math.max(1, instances)).toFixed(1)} tokens each`],
      [
        "padding",
        share(instances * maxSeqLength - tokens, instances * maxSeqLength),
        `if all are padded to ${maxSeqLength}`,
      ],
      ["words", count(words), ""],
      ["to predict", count(predictions), share(predictions, tokens)],
      ["  [MASK]", count(masked), share(masked, predictions)],
      ["  another token", count(predictions - masked - kept), share(predictions - masked - kept, predictions)],
      ["  kept", count(kept), share(kept, predictions)],
      ["[UNK]", count(unknown), share(unknown, tokens)],
      ["next sentence label 1", count(labelled), share(labelled, instances)],
    ],
  );
}
