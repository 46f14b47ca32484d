/** Fine-tuning from files to a folder: what comes out, runs over seeds, the best model, going on, what cannot be. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fineTuningFixture } from "../../test/fine-tuning-data.ts";
import { InterruptedError } from "../errors.ts";
import { type FineTuneOptions, fineTune, resumeFineTuning } from "./fine-tune.ts";
import type { FineTuningStart } from "./fine-tuning-run.ts";
import { readMetrics } from "./run-folder.ts";

let fixture: ReturnType<typeof fineTuningFixture>;
beforeAll(() => {
  fixture = fineTuningFixture();
});
afterAll(() => fixture.remove());

const json = (...path: string[]) => JSON.parse(String(fixture.bytes(...path)));

/** A run that is broken off after an update: like a kill, without a checkpoint of that update. */
class Broken extends Error {}

async function breakAt(options: FineTuneOptions, at: number): Promise<void> {
  const onStep = (step: number) => {
    if (step === at) throw new Broken();
  };
  await expect(fineTune({ ...options, onStep })).rejects.toBeInstanceOf(Broken);
}

describe("a run", () => {
  test("gives a model that is better than it began, in a folder that says what it is", async () => {
    const { best, runs } = await fineTune(fixture.options("one", { epochs: 12, learningRate: 2e-2, dropout: 0 }));
    expect(runs).toEqual([best]);
    expect(best.scores["dev"]?.["accuracy"]).toBeGreaterThan(0.8);
    expect(Object.keys(best.scores)).toEqual(["dev", "test"]);
    expect(json("one", "result.json")).toEqual(best);
    expect(json("one", "config.json")).toMatchObject({
      architectures: ["BertForSequenceClassification"],
      id2label: { 0: "no", 1: "yes" },
      label2id: { no: 0, yes: 1 },
      problem_type: "single_label_classification",
      hidden_dropout_prob: 0,
    });
    expect(json("one", "task.json")).toMatchObject({ task: "classify", maxSeqLength: 16, labels: ["no", "yes"] });
    const names = readdirSync(fixture.path("one")).filter((name) => !name.startsWith("events"));
    expect(names.sort()).toEqual([
      "config.json",
      "fine-tuning.json",
      "loss-curve.svg",
      "metric-curve.svg",
      "metrics.jsonl",
      "model.safetensors",
      "result.json",
      "task.json",
      "tokenizer.json",
      "tokenizer_config.json",
      "vocab.txt",
    ]);
  });

  test("rows are no longer than the model's positions, which is told, unless a length is asked for", async () => {
    const notes: string[] = [];
    const onNote = ({ message }: { message: string }) => notes.push(message);
    await fineTune(fixture.options("usual-length", { task: {}, epochs: 0.2, onNote }));
    expect(json("usual-length", "task.json")).toMatchObject({ maxSeqLength: 16 });
    expect(notes).toContain("rows have 16 tokens, the model's positions, where 128 are usual");
  });

  test("a setting of other tasks changes nothing, which is told", async () => {
    const notes: string[] = [];
    const onNote = ({ message }: { message: string }) => notes.push(message);
    await fineTune(fixture.options("foreign", { task: { maxSeqLength: 16, crf: true }, epochs: 0.2, onNote }));
    expect(notes).toContain("crf is no setting of classify and changes nothing");
    expect(json("foreign", "task.json")).not.toHaveProperty("crf");
  });

  test("evaluates after each epoch, and logs rates and means", async () => {
    await fineTune(fixture.options("lines", { epochs: 2.5 }));
    const lines = await readMetrics(fixture.path("lines"));
    // 50 examples in batches of 8: 7 an epoch.
    const evaluated = lines.filter(({ evaluation }) => evaluation !== undefined);
    expect(evaluated.map(({ step }) => step)).toEqual([7, 14, 18]);
    expect(evaluated[0]?.["evaluation"]).toMatchObject({ loss: expect.any(Number), accuracy: expect.any(Number) });
    const logged = lines.filter(({ evaluation }) => evaluation === undefined);
    expect(logged.map(({ step }) => step)).toEqual([4, 8, 12, 16, 18]);
    expect(logged[0]).toMatchObject({ epoch: 0, loss: expect.any(Number), examplesPerSecond: expect.any(Number) });
  });

  test("the same seed gives the same bytes, another one others", async () => {
    await fineTune(fixture.options("first"));
    await fineTune(fixture.options("again"));
    await fineTune(fixture.options("other", { seed: 6 }));
    expect(fixture.bytes("again", "model.safetensors")).toEqual(fixture.bytes("first", "model.safetensors"));
    expect(fixture.bytes("other", "model.safetensors")).not.toEqual(fixture.bytes("first", "model.safetensors"));
  });

  test("warm-up, epochs and accumulation follow from shares of the data", async () => {
    let start: FineTuningStart | undefined;
    const onStart = (run: FineTuningStart) => {
      start = run;
    };
    await fineTune(
      fixture.options("plan", { onStart, epochs: 2, warmupShare: 0.25, gradientAccumulationSteps: 2, batchSize: 4 }),
    );
    // 13 batches an epoch, 6.5 updates.
    expect(start?.plan).toMatchObject({ settings: { steps: 13, warmupSteps: 3 }, evalSteps: 6.5 });
    const { steps, parameters, initialized } = start as FineTuningStart;
    expect([steps, initialized]).toEqual([13, ["classifier.weight", "classifier.bias"]]);
    expect(parameters).toBeGreaterThan(1000);
  });
});

test("the model is that of the best evaluation, or with keepLast that of the last update", async () => {
  const best = await fineTune(fixture.options("best", { epochs: 6, learningRate: 2e-2, evalSteps: 3 }));
  const last = await fineTune(fixture.options("last", { epochs: 6, learningRate: 2e-2, evalSteps: 3, keepLast: true }));
  const evaluations = (await readMetrics(fixture.path("best"))).flatMap(({ step, evaluation }) =>
    evaluation === undefined ? [] : [{ step, accuracy: (evaluation as { accuracy: number }).accuracy }],
  );
  const highest = Math.max(...evaluations.map(({ accuracy }) => accuracy));
  const first = evaluations.find(({ accuracy }) => accuracy === highest);
  expect(best.best).toMatchObject({ bestStep: first?.step, scores: { dev: { accuracy: highest } } });
  expect(last.best.bestStep).toBe(last.best.step);
  expect(last.best.scores["dev"]?.["accuracy"]).toBe(evaluations.at(-1)?.accuracy);
});

test("nothing better for some evaluations ends the run", async () => {
  // No learning to speak of: no evaluation is better than the first.
  const options = fixture.options("early", { epochs: 20, learningRate: 1e-9, evalSteps: 2, patience: 3 });
  const { best } = await fineTune(options);
  expect(best).toMatchObject({ step: 8, bestStep: 2, isStoppedEarly: true });
});

describe("runs over seeds", () => {
  test("each is in its folder, and the best by dev is the model", async () => {
    const { runs, best } = await fineTune(fixture.options("seeds", { runs: 3, epochs: 2 }));
    expect(runs.map(({ seed }) => seed)).toEqual([5, 6, 7]);
    const accuracies = runs.map(({ scores }) => scores["dev"]?.["accuracy"]);
    expect(best.scores["dev"]?.["accuracy"]).toBe(Math.max(...(accuracies as number[])));
    expect(fixture.bytes("seeds", "model.safetensors")).toEqual(
      fixture.bytes("seeds", `run-${best.seed}`, "model.safetensors"),
    );
    expect(json("seeds", "result.json")).toEqual(best);
    expect(json("seeds", "task.json")).toMatchObject({ task: "classify" });
    await fineTune(fixture.options("alone", { seed: 6, epochs: 2 }));
    expect(fixture.bytes("alone", "model.safetensors")).toEqual(fixture.bytes("seeds", "run-6", "model.safetensors"));
  });

  test("what was stopped in the second goes on there", async () => {
    const options = fixture.options("stopped-seeds", { runs: 3, epochs: 2 });
    let runs = 0;
    const onStart = () => void runs++;
    const onStep = (step: number) => {
      if (runs === 2 && step === 9) throw new Broken();
    };
    await expect(fineTune({ ...options, onStart, onStep })).rejects.toBeInstanceOf(Broken);
    const begun: [number, number][] = [];
    await resumeFineTuning(options.output, {
      onStart: ({ plan, step }) => begun.push([plan.settings.seed, step]),
    });
    expect(begun).toEqual([
      [6, 7],
      [7, 0],
    ]);
    for (const run of ["run-5", "run-6", "run-7"]) {
      expect(fixture.bytes("stopped-seeds", run, "model.safetensors")).toEqual(
        fixture.bytes("seeds", run, "model.safetensors"),
      );
    }
  });
});

describe("going on", () => {
  const all: Partial<FineTuneOptions> = {
    epochs: 3,
    saveSteps: 2,
    gradientAccumulationSteps: 2,
    adversarial: { method: "fgm" },
    averageDecay: 0.7,
    layerDecay: 0.9,
    unfreezeEvery: 0.5,
    rDropAlpha: 0.5,
    loss: { labelSmoothing: 0.1, classWeights: [1, 2] },
  };

  test("a run that was broken off equals one that was not, with all that a run can have", async () => {
    const whole = await fineTune(fixture.options("whole", all));
    await breakAt(fixture.options("broken", all), 5);
    expect(existsSync(fixture.path("broken", "checkpoint-4"))).toBe(true);
    const resumed = await resumeFineTuning(fixture.path("broken"));
    expect(resumed.runs).toEqual(whole.runs);
    expect(fixture.bytes("broken", "model.safetensors")).toEqual(fixture.bytes("whole", "model.safetensors"));
    const timeless = async (name: string) =>
      (await readMetrics(fixture.path(name))).map(({ step, loss, evaluation }) => ({ step, loss, evaluation }));
    expect(await timeless("broken")).toEqual(await timeless("whole"));
    // A finished one has nothing left to do.
    expect((await resumeFineTuning(fixture.path("broken"))).runs).toEqual(whole.runs);
  });

  test("broken off before the first checkpoint it begins anew", async () => {
    await breakAt(fixture.options("early-break"), 3);
    await resumeFineTuning(fixture.path("early-break"));
    expect(fixture.bytes("early-break", "model.safetensors")).toEqual(fixture.bytes("first", "model.safetensors"));
  });

  test("Ctrl-C saves the update, and says how to go on", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const onStep = (step: number) => (step === 5 ? controller.abort() : undefined);
    const attempt = fineTune(fixture.options("aborted", { signal, onStep }));
    await expect(attempt).rejects.toBeInstanceOf(InterruptedError);
    await expect(attempt).rejects.toMatchObject({
      hint: expect.stringContaining(`zhbert finetune --resume ${fixture.path("aborted")}`),
    });
    expect(existsSync(fixture.path("aborted", "checkpoint-5"))).toBe(true);
    await resumeFineTuning(fixture.path("aborted"));
    expect(fixture.bytes("aborted", "model.safetensors")).toEqual(fixture.bytes("first", "model.safetensors"));
  });

  test("Ctrl-C while evaluating: what was trained is kept, and the evaluation comes first", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let trained = 0;
    const onStep = (step: number) => {
      trained = step;
    };
    const onEvaluate = () => (trained === 14 ? controller.abort() : undefined);
    const options = fixture.options("aborted-evaluation", { signal, onStep, onEvaluate });
    await expect(fineTune(options)).rejects.toBeInstanceOf(InterruptedError);
    expect(existsSync(fixture.path("aborted-evaluation", "checkpoint-14"))).toBe(true);
    const evaluated: number[] = [];
    await resumeFineTuning(options.output, { onEvaluation: (step) => void evaluated.push(step) });
    expect(evaluated).toEqual([14, 21]);
    expect(fixture.bytes("aborted-evaluation", "model.safetensors")).toEqual(
      fixture.bytes("first", "model.safetensors"),
    );
  });

  test("on other data it does not go on", async () => {
    const train = fixture.path("changed.tsv");
    writeFileSync(train, readFileSync(fixture.train));
    await breakAt(fixture.options("changed", { data: { name: "classify", train, dev: fixture.dev } }), 8);
    writeFileSync(train, String(readFileSync(fixture.train)).replace("好", "坏"));
    await expect(resumeFineTuning(fixture.path("changed"))).rejects.toThrow("resume: data: expected the data that");
  });

  test("a folder of no fine-tuning is refused", async () => {
    await expect(resumeFineTuning(fixture.path("nothing"))).rejects.toMatchObject({ code: "ERR_CHECKPOINT" });
  });
});

describe("what is left as it is", () => {
  const changed = async (name: string, more: Partial<FineTuneOptions>) => {
    await fineTune(fixture.options(name, { epochs: 1, keepLast: true, ...more }));
    const { readSafetensors } = await import("../checkpoint/formats/safetensors.ts");
    const [before, after] = [["model.safetensors"], [name, "model.safetensors"]].map((path) =>
      readSafetensors(new Uint8Array(fixture.bytes(...path)), "model.safetensors"),
    );
    const equal = (a: ArrayLike<unknown>, b: ArrayLike<unknown>) => Array.from(a).every((value, i) => value === b[i]);
    return [...(after ?? [])]
      .filter(([name, { data }]) => !equal(data, before?.get(name)?.data ?? []))
      .map(([name]) => /layer\.\d|embeddings|pooler|classifier/.exec(name)?.[0])
      .filter((part, i, parts) => parts.indexOf(part) === i)
      .sort();
  };

  test("an encoder that is frozen, first layers, the embeddings", async () => {
    expect(await changed("frozen-encoder", { frozenEncoder: true })).toEqual(["classifier", "pooler"]);
    expect(await changed("frozen-layers", { frozenLayers: 1, frozenEmbeddings: true })).toEqual([
      "classifier",
      "layer.1",
      "pooler",
    ]);
  });

  test("what unfreezing has not come to", async () => {
    expect(await changed("unfreezing", { unfreezeEvery: 0.6 })).toEqual(["classifier", "layer.0", "layer.1", "pooler"]);
    expect(await changed("unfrozen", { unfreezeEvery: 0.3 })).toContain("embeddings");
  });
});

describe("what cannot be", () => {
  test("a folder with another fine-tuning, unless it is to be replaced", async () => {
    await expect(fineTune(fixture.options("one"))).rejects.toMatchObject({ code: "ERR_FILE" });
    await breakAt(fixture.options("taken", { runs: 2 }), 8);
    const attempt = fineTune(fixture.options("taken"));
    await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining("zhbert finetune --resume") });
    await fineTune(fixture.options("taken", { overwrite: true, epochs: 1 }));
    expect(readdirSync(fixture.path("taken")).filter((name) => name.startsWith("run-"))).toEqual([]);
  });

  test("labels that train lacks end it before any text is made into tokens", async () => {
    const test = fixture.path("unseen.tsv");
    writeFileSync(test, `${readFileSync(fixture.test)}maybe\t今天\n`);
    let encoded = 0;
    const data = { name: "classify", train: fixture.train, dev: fixture.dev, test };
    const options = fixture.options("unseen", {
      data,
      onEncode: (done) => {
        encoded = done;
      },
    });
    await expect(fineTune(options)).rejects.toThrow(/^label of "今天": expected one of no, yes, got "maybe"$/);
    expect(encoded).toBe(0);
    expect(existsSync(fixture.path("unseen"))).toBe(false);
  });

  test("examples of one class only", async () => {
    const train = fixture.path("one-class.tsv");
    writeFileSync(train, "label\ttext\nyes\t今天好\nyes\t很好\n");
    const attempt = fineTune(fixture.options("one-class", { data: { name: "classify", train, devShare: 0 } }));
    await expect(attempt).rejects.toThrow(/expected .*labels.*, got .*yes/);
    expect(existsSync(fixture.path("one-class"))).toBe(false);
  });

  test("a loss that is not a number: the step and its batch are told", async () => {
    const attempt = fineTune(fixture.options("nan", { learningRate: 1e30, maxGradientNorm: 0 }));
    await expect(attempt).rejects.toMatchObject({ code: "ERR_TRAINING" });
    await expect(attempt).rejects.toThrow(/^step \d+: expected a finite loss and gradient, got loss/);
    expect(readdirSync(fixture.path("nan")).some((name) => name.startsWith("bad-batch-step-"))).toBe(true);
  });

  test.each<[Partial<FineTuneOptions>, string]>([
    [{ epochs: 0 }, "epochs: expected a number above 0, got 0"],
    [{ warmupShare: 1 }, "warm-up share: expected a number from 0 to below 1, got 1"],
    [{ frozenLayers: 3 }, "frozen layers: expected at most 2, got 3"],
    [{ task: { maxSeqLength: 99 } }, "--max-seq-length: expected at most 16"],
    [{ frozenEmbeddings: true, adversarial: { method: "fgm" } }, "adversarial training: expected word embeddings"],
    [{ adversarial: { method: "pgd", steps: 0 } }, "adversarial steps: expected an integer of 1 or more, got 0"],
    [{ loss: { classWeights: [1, 2, 3] } }, "class weights: expected 2 numbers of at least 0"],
  ])("%j", async (more, message) => {
    await expect(fineTune(fixture.options("wrong", { ...more, overwrite: true }))).rejects.toThrow(message);
  });
});
