/** Conversion from folder to folder: bit-exact round trips, what is told, what is refused, and nothing left by halves. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { smallConfig, smallModelFolder, smallWeights } from "../../test/small-model.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { InterruptedError } from "../errors.ts";
import { parseConfig } from "../model/config.ts";
import { toFloat32 } from "../util/half.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { loadPretrained } from "./bert-model.ts";
import { type ConvertOptions, convert } from "./convert.ts";

let root: string;
let removers: (() => void)[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "zhbert-convert-"));
  removers = [() => rmSync(root, { recursive: true, force: true })];
});
afterEach(() => {
  for (const remove of removers) remove();
});

function model(weights?: NamedTensors, configFields?: object): string {
  const { path, remove } = smallModelFolder(weights, configFields);
  removers.push(remove);
  return path;
}

const at = (...names: string[]) => join(root, ...names);
const weightsOf = (...names: string[]) => readSafetensors(readFileSync(at(...names)));
const to = (target: ConvertOptions["to"], more: Partial<ConvertOptions> = {}) => ({ to: target, ...more });

const plain = smallWeights();
const halves = new Map(
  [...plain].map(([name, { shape, data }]): [string, HostTensor] => [
    name,
    hostTensor(
      "float16",
      shape,
      Uint16Array.from(data as Float32Array, (_, i) => (i * 37) % 0x7c00),
    ),
  ]),
);

describe("round trips", () => {
  test.each([
    ["float32", plain],
    ["float16", halves],
  ])("%s: through PyTorch, TensorFlow and Paddle back to safetensors, every bit", async (_, weights) => {
    const source = model(weights);
    await convert(source, at("pytorch"), to("pytorch"));
    await convert(at("pytorch"), at("tensorflow"), to("tensorflow"));
    await convert(at("tensorflow"), at("paddle"), to("paddle"));
    await convert(at("paddle"), at("back"), to("safetensors"));
    expect(weightsOf("back", "model.safetensors")).toEqual(weights);
    expect(readFileSync(at("back", "model.safetensors"))).toEqual(readFileSync(join(source, "model.safetensors")));
    expect(parseConfig(JSON.parse(readFileSync(at("back", "config.json"), "utf8")), "")).toEqual(smallConfig);
    expect(readFileSync(at("back", "vocab.txt"), "utf8")).toBe(readFileSync(join(source, "vocab.txt"), "utf8"));
  });

  test("bfloat16 between the formats that have it", async () => {
    await convert(model(), at("bfloat16"), to("pytorch", { dtype: "bfloat16" }));
    await convert(at("bfloat16"), at("back"), to("safetensors"));
    for (const [name, tensor] of weightsOf("back", "model.safetensors")) {
      expect(tensor.dtype).toBe("bfloat16");
      const exact = plain.get(name)?.data as Float32Array;
      toFloat32(tensor).data.forEach((value, i) => {
        expect(Math.abs(value - (exact[i] as number))).toBeLessThanOrEqual(Math.abs(exact[i] as number) * 2 ** -8);
      });
    }
  });

  test.each(["safetensors", "pytorch"] as const)("%s in shards", async (target) => {
    const { files } = await convert(model(), at("shards"), to(target, { maxShardBytes: 3000 }));
    expect(files.length).toBeGreaterThan(6);
    await convert(at("shards"), at("back"), to("safetensors"));
    expect(weightsOf("back", "model.safetensors")).toEqual(plain);
  });
});

describe("layouts", () => {
  test.each([
    ["safetensors", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]],
    ["pytorch", ["config.json", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]],
    [
      "tensorflow",
      ["bert_config.json", "bert_model.ckpt.data-00000-of-00001", "bert_model.ckpt.index", "checkpoint", "vocab.txt"],
    ],
    ["paddle", ["model_config.json", "model_state.pdparams", "tokenizer_config.json", "vocab.txt"]],
    ["onnx", ["config.json", "onnx", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]],
  ] as const)("%s", async (target, names) => {
    const { files } = await convert(model(), at("out"), to(target));
    expect(readdirSync(at("out")).sort()).toEqual([...names]);
    for (const { path, bytes } of files) expect(readFileSync(at("out", path)).length).toBe(bytes);
  });

  test("ONNX with its weights beside it tells transformers.js so", async () => {
    await convert(model(), at("out"), to("onnx", { externalData: true }));
    expect(readdirSync(at("out", "onnx")).sort()).toEqual(["model.onnx", "model.onnx_data"]);
    expect(JSON.parse(readFileSync(at("out", "config.json"), "utf8"))["transformers.js_config"]).toEqual({
      use_external_data_format: true,
    });
  });

  test("fields of a config that are not ours stay; the class is that of the heads that are there", async () => {
    const encoder = new Map([...plain].filter(([name]) => name.startsWith("bert.")));
    const labels = { id2label: { 0: "坏", 1: "好" }, torch_dtype: "float16", architectures: ["Wrong"] };
    await convert(model(encoder, labels), at("out"), to("safetensors"));
    const config = JSON.parse(readFileSync(at("out", "config.json"), "utf8"));
    expect([config.id2label, config.torch_dtype, config.architectures]).toEqual([
      labels.id2label,
      undefined,
      ["BertModel"],
    ]);
  });

  test.each(["safetensors", "pytorch", "tensorflow", "paddle"] as const)(
    "%s: a fine-tuned model keeps its head and the settings of its task; its encoder alone has neither",
    async (target) => {
      const head = hostTensor(
        "float32",
        [2, smallConfig.hiddenSize],
        new Float32Array(2 * smallConfig.hiddenSize).fill(0.25),
      );
      const bias = hostTensor("float32", [2], Float32Array.of(1, 2));
      const named = [
        ["classifier.weight", head],
        ["classifier.bias", bias],
      ] as const;
      const source = model(new Map([...plain, ...named]), {
        id2label: { 0: "no", 1: "yes" },
        label2id: { no: 0, yes: 1 },
      });
      const task = { task: "classify", maxSeqLength: 16, labels: ["no", "yes"] };
      writeFileSync(join(source, "task.json"), JSON.stringify(task));
      await convert(source, at("tuned"), to(target));
      const {
        taskJson,
        named: { tensors },
      } = await loadPretrained(at("tuned"));
      expect(taskJson).toEqual(task);
      expect(tensors.get("classifier.weight")?.read()).toEqual(head);
      expect(tensors.get("classifier.bias")?.read()).toEqual(bias);
      if (target === "safetensors" || target === "pytorch") {
        const config = JSON.parse(readFileSync(at("tuned", "config.json"), "utf8"));
        expect(config).toMatchObject({ id2label: { 0: "no", 1: "yes" }, label2id: { no: 0, yes: 1 } });
      }
      await convert(source, at("encoder"), to(target, { only: "encoder" }));
      expect(existsSync(at("encoder", "task.json"))).toBe(false);
    },
  );

  test("a bare file of weights gives weights alone, and says what is not there", async () => {
    mkdirSync(at("bare"));
    writeFileSync(at("bare", "weights.safetensors"), readFileSync(join(model(), "model.safetensors")));
    const { notes, missing } = await convert(at("bare", "weights.safetensors"), at("out"), to("safetensors"));
    expect(readdirSync(at("out"))).toEqual(["model.safetensors"]);
    expect(notes.join("\n")).toMatch(/no config beside it.*no vocabulary beside it/s);
    expect(missing).toEqual([]);
    await expect(convert(at("bare"), at("onnx"), to("onnx"))).rejects.toThrow("a config.json");
  });
});

describe("what is told", () => {
  test("heads that are not there, and tensors that no program knows, which are kept", async () => {
    const weights = new Map([...plain].filter(([name]) => !name.startsWith("cls.predictions")));
    weights.set("own.head", hostTensor("int64", [2], BigInt64Array.of(1n, -1n)));
    const result = await convert(model(weights), at("out"), to("pytorch"));
    expect(result.unknown).toEqual(["own.head"]);
    expect(result.missing).toHaveLength(5);
    await convert(at("out"), at("back"), to("safetensors"));
    expect(weightsOf("back", "model.safetensors")).toEqual(weights);
  });

  test("an ONNX model misses what its task could give, and no other heads", async () => {
    const without = (prefix: string) => new Map([...plain].filter(([name]) => !name.startsWith(prefix)));
    expect((await convert(model(without("cls.")), at("headless"), to("onnx"))).missing).toEqual([]);
    const filling = to("onnx", { task: "fill-mask" });
    const poolerless = model(without("bert.pooler."));
    expect((await convert(poolerless, at("filling"), filling)).missing).toEqual([]);
    expect((await convert(poolerless, at("features"), to("onnx"))).missing).toHaveLength(2);
  });

  test("values that float16 does not hold", async () => {
    const weights = new Map(plain);
    weights.set("cls.predictions.bias", {
      ...(plain.get("cls.predictions.bias") as HostTensor),
      data: Float32Array.from({ length: smallConfig.vocabSize }, (_, i) => (i < 3 ? 1e6 : 0)),
    });
    const { overflows } = await convert(model(weights), at("out"), to("safetensors", { dtype: "float16" }));
    expect([...overflows]).toEqual([["cls.predictions.bias", 3]]);
  });

  test("heads left out on demand", async () => {
    const { dropped, written } = await convert(model(), at("out"), to("safetensors", { only: "encoder" }));
    expect(dropped).toHaveLength(7);
    expect(dropped[0]).toMatch(/^cls\..*: not asked for$/);
    expect([...weightsOf("out", "model.safetensors").keys()].sort()).toEqual([...written].sort());
  });

  test("bytes written, up to the whole", async () => {
    const seen: number[] = [];
    const { bytes } = await convert(model(), at("out"), {
      ...to("safetensors"),
      onBytes: (done, total) => seen.push(done / total),
    });
    expect(bytes).toBe([...plain.values()].reduce((sum, { data }) => sum + data.byteLength, 0));
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});

describe("refused", () => {
  const listing = () => readdirSync(root, { recursive: true }).sort();

  test("its own input, with --overwrite too; another format beside it is welcome and shares the small files", async () => {
    const source = model();
    const before = readFileSync(join(source, "config.json"));
    await expect(convert(source, source, to("safetensors", { overwrite: true }))).rejects.toThrow(
      "a file of the input",
    );
    await convert(source, source, to("pytorch", { overwrite: true }));
    expect(readFileSync(join(source, "config.json"))).toEqual(before);
    expect(existsSync(join(source, "model.safetensors"))).toBe(true);
  });

  test("but not what an earlier conversion left in the input's folder or below it", async () => {
    const source = model();
    for (const folder of [source, join(source, "below")]) {
      await convert(source, folder, to("pytorch"));
      await convert(source, folder, to("pytorch", { overwrite: true }));
    }
    expect(readdirSync(join(source, "below"))).toContain("vocab.txt");
  });

  test("files that are there, unless they are to be replaced; shards of an earlier conversion do not stay", async () => {
    const source = model();
    await convert(source, at("out"), to("safetensors", { maxShardBytes: 3000 }));
    // Beside them a single file would be read instead.
    await expect(convert(source, at("out"), to("safetensors"))).rejects.toThrow("one with another content");
    const { notes } = await convert(source, at("out"), to("safetensors", { overwrite: true }));
    expect(notes.join("\n")).toContain("model.safetensors.index.json of an earlier conversion was removed");
    expect(readdirSync(at("out")).filter((name) => name.includes("safetensors"))).toEqual(["model.safetensors"]);
  });

  test("an interruption leaves neither files nor folders, and old files as they were", async () => {
    const source = model();
    const controller = new AbortController();
    const options = { signal: controller.signal, onBytes: () => controller.abort() };
    await expect(convert(source, at("a", "b"), { ...to("onnx"), ...options })).rejects.toThrow(InterruptedError);
    expect(listing()).toEqual([]);
    mkdirSync(at("out"));
    writeFileSync(at("out", "model.safetensors"), "old");
    await expect(convert(source, at("out"), { ...to("safetensors", { overwrite: true }), ...options })).rejects.toThrow(
      InterruptedError,
    );
    expect(readdirSync(at("out"))).toEqual(["model.safetensors"]);
    expect(readFileSync(at("out", "model.safetensors"), "utf8")).toBe("old");
  });

  test("a clash in the last file leaves nothing of the first ones", async () => {
    mkdirSync(at("out"));
    writeFileSync(at("out", "vocab.txt"), "other\n");
    await expect(convert(model(), at("out"), to("safetensors"))).rejects.toThrow("vocab.txt");
    expect(readdirSync(at("out"))).toEqual(["vocab.txt"]);
  });

  test.each([
    [to("pytorch", { task: "features" }), "task: expected the target onnx"],
    [to("tensorflow", { maxShardBytes: 1 }), "the target safetensors or pytorch"],
    [to("onnx", { dtype: "bfloat16" }), "float32 or float16 for onnx"],
    [to("onnx", { opset: 9 }), "an operator version from 13 to 21"],
    [to("paddle", { dtype: "bfloat16" }), "a dtype that NumPy has"],
  ])("options that the target does not have: %j", async (options, message) => {
    await expect(convert(model(), at("out"), options)).rejects.toThrow(message);
    expect(existsSync(at("out"))).toBe(false);
  });

  test("weights of another model that programs read first are pointed out; those of the input are not", async () => {
    const source = model();
    await convert(source, at("out"), to("safetensors"));
    const { notes } = await convert(model(), at("out"), to("pytorch"));
    expect(notes.join("\n")).toContain(
      `${at("out", "model.safetensors")} was there before, and programs read it first`,
    );
    expect((await convert(at("out"), at("out"), to("paddle"))).notes.join("\n")).not.toContain("was there before");
  });
});
