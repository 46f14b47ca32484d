/**
 * The CMRC 2018 evaluation over the whole dev set: every question with its three references. ZHBERT_BENCH_CMRC_SCRIPT names
 * the official script, cmrc2018_evaluate.py of ymcui/cmrc2018, for the other side.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Bench, type PeerCommand, Skip, type Work } from "./bench.ts";
import { built } from "./built.ts";
import { benchFolder } from "./corpus.ts";
import { pythonCommand, sharedPath } from "./peers.ts";
import { taskFile } from "./text-stream.ts";

interface Dev {
  readonly data: readonly {
    readonly paragraphs: readonly { readonly context: string; readonly qas: readonly Question[] }[];
  }[];
}

interface Question {
  readonly id: string;
  readonly answers: readonly { readonly text: string }[];
}

/** An answer as models give them: as long as a reference, a few characters further on. */
const SHIFT = 3;

const [devPath, predictionsPath] = [`${benchFolder}cmrc2018_dev.json`, `${benchFolder}cmrc2018-predictions.json`];

async function ours(): Promise<Work> {
  const { scoreCmrc } = await built("index");
  const text = taskFile("cmrc2018", "cmrc2018/squad-style/cmrc2018_dev.json");
  const dev = JSON.parse(text) as Dev;
  const predictions = new Map<string, string>();
  const references = dev.data.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ context, qas }) =>
      qas.map(({ id, answers }) => {
        const texts = answers.map(({ text }) => text);
        const start = Math.max(0, context.indexOf(texts[0] ?? "")) + SHIFT;
        predictions.set(id, context.slice(start, start + (texts[0] ?? "").length));
        return { id, answers: texts };
      }),
    ),
  );
  mkdirSync(benchFolder, { recursive: true });
  writeFileSync(devPath, text);
  writeFileSync(predictionsPath, JSON.stringify(Object.fromEntries(predictions)));
  const run = () => {
    const { f1, exactMatch } = scoreCmrc(references, predictions);
    return { f1: 100 * f1, exactMatch: 100 * exactMatch };
  };
  const { f1, exactMatch } = run();
  const rounded = (score: number) => Number(score.toFixed(6));
  const amounts = { questions: references.length, f1: rounded(f1), exactMatch: rounded(exactMatch) };
  return { version: "", amounts, run };
}

function official(): PeerCommand {
  const given = process.env["ZHBERT_BENCH_CMRC_SCRIPT"];
  if (given === undefined) throw new Skip("ZHBERT_BENCH_CMRC_SCRIPT does not name cmrc2018_evaluate.py");
  const script = fileURLToPath(new URL("./python/cmrc_metric.py", import.meta.url));
  const peers = sharedPath("peers");
  if (peers === undefined) throw new Skip("../shared/peers is not there");
  return pythonCommand(script, { peers, script: given, data: devPath, predictions: predictionsPath });
}

const bench: Bench = {
  summary: "the CMRC 2018 evaluation of a whole dev set: segments, longest common runs, the best of three references",
  settings: {},
  rounds: 7,
  rate: { amount: "questions", scale: 1, unit: "questions/s" },
  sides: [
    { name: "zhbert", prepare: ours },
    { name: "the official script", peer: official },
  ],
  comparisons: [{ ours: "zhbert", theirs: "the official script" }],
  same: ["questions", "f1", "exactMatch"],
  remark: ({ f1, exactMatch }) => `F1 ${f1?.toFixed(3)}, EM ${exactMatch?.toFixed(3)}`,
};
export default bench;
