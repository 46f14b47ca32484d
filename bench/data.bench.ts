/** Text to training data with whole words masked: MB of UTF-8 a second. */
import type { Bench } from "./bench.ts";
import { referenceData, remarkOfData, zhbertData } from "./data-sides.ts";

const bench: Bench = {
  summary: "text to whole-word-masked training data",
  settings: {
    mb: [5, "megabytes of text"],
    dupe: [1, "passes over the text"],
    workers: [1, "threads of zhbert; the peer has one"],
  },
  rounds: 5,
  rate: { amount: "bytes", scale: 1e-6, unit: "MB/s" },
  sides: [zhbertData("zhbert data", "mb"), referenceData("reference file, rjieba", "mb")],
  comparisons: [{ ours: "zhbert data", theirs: "reference file, rjieba" }],
  same: ["bytes"],
  remark: remarkOfData,
};
export default bench;
