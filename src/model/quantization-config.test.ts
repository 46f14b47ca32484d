import { describe, expect, test } from "vitest";
import { smallConfig } from "../../test/small-model.ts";
import { configToJson, parseConfig } from "./config.ts";
import { parseQuantization, quantizationJson } from "./quantization-config.ts";

test.each(["static", "dynamic", "none"] as const)("what is written of %s inputs is read", (activations) => {
  const config = { activations, ignore: ["classifier"] };
  expect(parseQuantization(JSON.parse(JSON.stringify(quantizationJson(config))))).toEqual(config);
});

test("a config.json has it among its fields", () => {
  const quantization = { activations: "static", ignore: [] } as const;
  const json = { ...configToJson(smallConfig), quantization_config: quantizationJson(quantization) };
  expect(parseConfig(json, "config.json").quantization).toEqual(quantization);
  expect(parseConfig(configToJson(smallConfig), "config.json").quantization).toBeUndefined();
});

describe("ways to quantise that are not read", () => {
  const own = quantizationJson({ activations: "static", ignore: [] });
  const linear = (changes: object) => ({
    ...own,
    config_groups: { g: { ...(own["config_groups"] as { group_0: object }).group_0, ...changes } },
  });
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["no object", "int8"],
    ["another program's", { quant_method: "gptq", bits: 8 }],
    ["packed 4 bits", { ...own, format: "pack-quantized" }],
    ["weights of 4 bits", linear({ weights: { num_bits: 4, type: "int", symmetric: true, strategy: "channel" } })],
    [
      "inputs by token",
      linear({ input_activations: { num_bits: 8, type: "int", symmetric: true, strategy: "token" } }),
    ],
    ["no linear layers", { ...own, config_groups: {} }],
    ["a list of layers that is none", { ...own, ignore: [1] }],
  ])("%s", (_, json) => {
    expect(parseQuantization(json)).toBeUndefined();
  });
});
