import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fineTuningFixture } from "../../test/fine-tuning-data.ts";
import { BertModel } from "./bert-model.ts";
import { fineTune, resumeFineTuning } from "./fine-tune.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { createRuntime, openRuntime, resumedChoice } from "./runtimes.ts";

test("what is not asked for is ONNX Runtime in f32, on any machine", async () => {
  const runtime = await createRuntime({ threads: 1 });
  expect(runtime).toMatchObject({ name: "onnxruntime", precision: "f32", threads: 1 });
  await runtime.dispose();
});

test("an engine that was passed in is taken as it is, and not disposed of", async () => {
  const own = { ...createOnnxRuntime({ threads: 1 }), dispose: vi.fn() };
  const { runtime, release } = await openRuntime({ runtime: own, precision: "bf16" }, { mode: "inference" });
  await release();
  expect(runtime).toBe(own);
  expect(own.dispose).not.toHaveBeenCalled();
});

describe("a run that goes on", () => {
  const engine = { name: "openvino", precision: "bf16", threads: 3 };

  test("takes its own engine, precision and threads, unless others are named", () => {
    const own = { runtime: "openvino", precision: "bf16", threads: 3 };
    expect(resumedChoice({}, engine)).toMatchObject(own);
    expect(resumedChoice({ runtime: "auto", precision: "auto" }, engine)).toMatchObject(own);
    expect(resumedChoice({ runtime: "onnxruntime", threads: 1 }, engine)).toMatchObject({
      runtime: "onnxruntime",
      threads: 1,
    });
    // The precision of another engine than the run's is its own default: what differs first is the engine.
    expect(resumedChoice({ runtime: "onnxruntime" }, engine).precision).toBeUndefined();
    expect(resumedChoice({ precision: "f32" }, engine)).toMatchObject({ runtime: "openvino", precision: "f32" });
  });

  test("names of a file that are none of ours open nothing by that name", () => {
    const choice = resumedChoice({}, { name: "../evil", precision: "f64", threads: 1 });
    expect([choice.runtime, choice.precision]).toEqual([undefined, undefined]);
  });
});

describe("with a model", () => {
  let fixture: ReturnType<typeof fineTuningFixture>;
  beforeAll(() => {
    fixture = fineTuningFixture();
  });
  afterAll(() => fixture.remove());

  test("a fine-tuning keeps its engine, and refuses another one when it goes on", async () => {
    const onStep = (step: number) => {
      if (step === 4) throw new Error("broken off");
    };
    await expect(fineTune({ ...fixture.options("kept", { saveSteps: 2 }), onStep })).rejects.toThrow("broken off");
    const job = JSON.parse(String(fixture.bytes("kept", "fine-tuning.json")));
    expect(job).toMatchObject({ runtime: "onnxruntime", precision: "f32", threads: 2 });
    const other = { ...createOnnxRuntime({ threads: 2 }), precision: "bf16" };
    const refused = await resumeFineTuning(fixture.path("kept"), { runtime: other }).catch((error) => error);
    expect(refused.message).toContain("resume: engine precision: expected f32, as the run began, got bf16");
    expect(refused.hint).toContain("Resume without --precision");
    expect((await resumeFineTuning(fixture.path("kept"), { runtime: "auto" })).runs).toHaveLength(1);
  });

  test("int8 of a model that is not quantised says what makes such a model", async () => {
    const { model } = fixture.options("unused");
    await expect(BertModel.fromPretrained(model, { precision: "int8" })).rejects.toMatchObject({
      message: expect.stringContaining("for a model that is not quantised"),
      hint: expect.stringContaining("zhbert quantize"),
    });
  });
});
