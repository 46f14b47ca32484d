/** Whether memory grows with the corpus: training data from texts of two sizes. */
import type { Bench } from "./bench.ts";
import { referenceData, remarkOfData, zhbertData } from "./data-sides.ts";

const bench: Bench = {
  summary: "peak memory of making training data, by the size of the text",
  settings: {
    mb: [5, "megabytes of the smaller text"],
    large: [25, "megabytes of the larger text, at most 34"],
    dupe: [1, "passes over the text"],
    workers: [1, "threads of zhbert; the peer has one"],
  },
  rounds: 3,
  rate: { amount: "bytes", scale: 1e-6, unit: "MB/s" },
  sides: [
    zhbertData("zhbert data, smaller text", "mb"),
    referenceData("reference file, smaller text", "mb"),
    zhbertData("zhbert data, larger text", "large"),
    referenceData("reference file, larger text", "large"),
  ],
  comparisons: [
    { ours: "zhbert data, smaller text", theirs: "reference file, smaller text" },
    { ours: "zhbert data, larger text", theirs: "reference file, larger text" },
  ],
  same: [],
  remark: remarkOfData,
};
export default bench;
