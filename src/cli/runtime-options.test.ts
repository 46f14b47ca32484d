/** Every command that computes takes the engine, its precision and its threads, by the same names. */
import { expect, test } from "vitest";
import { findCommands, loadCommand } from "./commands.ts";

/** Those that run a model or a training step. */
const COMPUTING = [
  "embed",
  "evaluate",
  "features",
  "fill-mask",
  "finetune",
  "mlm-head",
  "parity",
  "plan",
  "predict",
  "pretrain",
  "protocol",
  "quantize",
  "report",
  "search",
  "semantic-search",
];

const files = [...findCommands()];

test.each(files)("%s", async (name, file) => {
  const { options = [] } = await loadCommand(file);
  const found = options.flatMap(({ flags, choices }) => {
    const [flag = ""] = flags.split(" ");
    return ["--runtime", "--precision", "--threads"].includes(flag) ? [[flag, choices]] : [];
  });
  const expected = [
    ["--runtime", ["auto", "onnxruntime", "openvino", "webgpu"]],
    ["--precision", ["auto", "f32", "bf16", "int8"]],
    ["--threads", undefined],
  ];
  expect(found).toEqual(COMPUTING.includes(name) ? expected : []);
});
