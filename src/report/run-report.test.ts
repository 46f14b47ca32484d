/** A report says what the run's folder says, whatever is there and whatever it holds. */
import { describe, expect, test } from "vitest";
import type { RunData } from "./run-data.ts";
import { runReport } from "./run-report.ts";

const OPTIONS = { version: "1.2.3", date: "2026-01-02" };
const training = (step: number) => ({
  step,
  loss: 9 - step / 100,
  mlmLoss: 8 - step / 100,
  nspLoss: 0.7,
  mlmAccuracy: step / 1000,
  nspAccuracy: 0.6,
  learningRate: 1e-4,
  gradientNorm: 2,
  tokensPerSecond: 3000 + step,
  gigaflopsPerSecond: 50,
  paddingShare: 0.08,
  engineShare: 0.9,
  peakShare: 0.3,
});
const evaluation = (step: number, mlmAccuracy: number) => ({
  step,
  evaluation: { loss: 7, mlmLoss: 6.5, nspLoss: 0.5, mlmAccuracy, nspAccuracy: 0.75, mostFrequentAccuracy: 0.05 },
});
const run = (changes: Partial<RunData> = {}): RunData => ({
  name: "out",
  path: "runs/out",
  metrics: [training(100), evaluation(100, 0.2), training(200), evaluation(200, 0.18)],
  model: { config: { num_hidden_layers: 4, hidden_size: 312, layer_norm_eps: 1e-12 }, parameters: 8_700_000 },
  options: { settings: { steps: 400, optimizer: "adamw-bert" }, batchSize: 16, dynamicMasking: true },
  engine: { name: "onnxruntime", threads: 2 },
  data: { settings: { masking: "whole-word", vocabularyHash: "abc" }, statistics: { documents: 12_345 } },
  checkpoints: [{ name: "checkpoint-200", step: 200, bytes: 104_500_000 }],
  samples: {
    models: ["checkpoint-100", "checkpoint-200"],
    texts: [{ text: "今天[MASK]好。", filled: [[[{ token: "的", score: 0.1 }]], [[{ token: "很", score: 0.625 }]]] }],
  },
  machinePeak: 2e11,
  notes: [],
  ...changes,
});
/** What a browser for text shows: tags away, descriptions of pictures kept. */
const textOf = (html: string) =>
  html
    .replace(/^.*<body>/s, "")
    .replace(/<img[^>]* alt="([^"]*)"[^>]*>/g, "[$1]")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

describe("the report of one run", () => {
  test("shows progress, best values, throughput, settings, data, filled texts and checkpoints", async () => {
    const text = textOf(await runReport([run()], OPTIONS));
    for (const expected of [
      "Step 200 of 400",
      "Masked tokens, held out 18.0 % best 20.0 % at step 100; most frequent token 5.0 %",
      "Next sentences, held out 75.0 %",
      "Tokens a second 3,200 50 GFLOP/s, 25.0 % of the peak; padding 8.0 %; 10.0 % of the time outside the engine",
      "Parameters 8.7 M 4 layers, 312 wide",
      "[Pre-training loss: training: MLM + NSP from 8 at step 100 to 7 at step 200; training: MLM from 7",
      "[Learning rate: from 0.0001 at step 100",
      "text checkpoint-100 checkpoint-200 今天[MASK]好。 的 10.0 % 很 62.5 %",
      "optimizer adamw-bert",
      "dynamic masking yes",
      "layer norm eps 1e-12",
      "masking whole-word",
      "documents 12,345",
      "zhbert pretrain runs/out --resume",
      "checkpoint-200 200 104.5 MB",
      "zhbert 1.2.3, 2026-01-02",
    ]) {
      expect(text).toContain(expected);
    }
    expect(text).not.toContain("abc");
    const { machinePeak: _, ...unmeasured } = run();
    expect(textOf(await runReport([unmeasured], OPTIONS))).toContain("50 GFLOP/s, 30.0 % of the peak");
  });

  test("needs nothing besides: no script, no link, no address but of the picture itself", async () => {
    const html = await runReport([run()], OPTIONS);
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/<script|<link|<iframe|@import|url\(|(?:src|href)="(?!data:image\/svg)/);
    const [, image] = /src="data:image\/svg\+xml;base64,([^"]+)"/.exec(html) ?? [];
    const svg = Buffer.from(image as string, "base64").toString();
    expect(svg).toMatch(/^<svg .*<style>@media \(prefers-color-scheme:dark\).*<\/svg>$/s);
  });

  test("escapes all that comes from files", async () => {
    const evil = `"><script>alert(1)</script>`;
    const html = await runReport(
      [
        run({
          name: evil,
          path: evil,
          options: { [evil]: evil, list: [evil] },
          notes: [evil],
          checkpoints: [{ name: evil, step: 1, bytes: 1 }],
          samples: { models: [evil], texts: [{ text: evil, filled: [[[{ token: evil, score: 1 }]]] }] },
        }),
      ],
      OPTIONS,
    );
    expect(html).not.toContain("<script");
    expect(html.match(/&lt;script&gt;/g)!.length).toBeGreaterThanOrEqual(8);
  });

  test("stays well below a megabyte when the run is long", async () => {
    const metrics = Array.from({ length: 20_000 }, (_, i) => (i % 20 === 19 ? evaluation(i, 0.3) : training(i)));
    const html = await runReport([run({ metrics })], OPTIONS);
    expect(html.length).toBeLessThan(600_000);
    expect(html.match(/<tr>/g)!.length).toBeLessThan(60);
  });

  test("says what is not there", async () => {
    const { name, path } = run();
    const bare: RunData = {
      name,
      path,
      metrics: [],
      checkpoints: [],
      notes: ["config.json: expected a file, got none"],
    };
    const text = textOf(await runReport([bare], OPTIONS));
    expect(text).toContain("Nothing was measured yet.");
    expect(text).toContain("None yet: a run that stops now begins anew.");
    expect(text).toContain("config.json: expected a file, got none");
  });

  test("without pairs there is nothing about next sentences", async () => {
    const metrics = [{ ...training(1), nspLoss: 0, nspAccuracy: 0 }];
    expect(textOf(await runReport([run({ metrics })], OPTIONS))).not.toMatch(/next sentences/i);
  });

  test("a run by hours shows the share of its time", async () => {
    const options = { settings: { steps: Number.MAX_SAFE_INTEGER } };
    const metrics = [{ ...training(7), progress: 0.25 }];
    expect(textOf(await runReport([run({ options, metrics })], OPTIONS))).toContain("Step 7, 25.0 % of its time");
  });
});

test("several runs lie over each other, and where their settings differ is marked", async () => {
  const other = run({ name: "character", data: { settings: { masking: "char" } } });
  const html = await runReport([run({ name: "whole-word" }), other], OPTIONS);
  const text = textOf(html);
  expect(text).toContain("2 pre-training runs");
  expect(text).toContain(
    "[Held-out: accuracy of masked tokens: whole-word from 0.2 at step 100 to 0.18 at step 200; character",
  );
  expect(html).toContain("<mark>whole-word</mark></td><td><mark>char</mark>");
  expect(html).not.toContain("<mark>adamw-bert</mark>");
  expect(text).toContain("text whole-word character 今天[MASK]好。 很 62.5 % 很 62.5 %");
});
