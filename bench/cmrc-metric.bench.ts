/** The CMRC 2018 evaluation over the whole dev set: every question with its three references. */
import type { Bench, Work } from "./bench.ts";
import { built } from "./built.ts";
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

async function ours(): Promise<Work> {
  const { scoreCmrc } = await built("index");
  const dev = JSON.parse(taskFile("cmrc2018", "cmrc2018/squad-style/cmrc2018_dev.json")) as Dev;
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
  const run = () => ({ f1: scoreCmrc(references, predictions).f1 });
  return { version: "", amounts: { questions: references.length }, run };
}

const bench: Bench = {
  summary: "the CMRC 2018 evaluation of a whole dev set: segments, longest common runs, the best of three references",
  settings: {},
  rounds: 7,
  rate: { amount: "questions", scale: 1, unit: "questions/s" },
  sides: [{ name: "zhbert", prepare: ours }],
  comparisons: [],
  same: ["questions"],
};
export default bench;
