/** An order between tensors changes no value, and stands in the file. */
import { expect, test } from "vitest";
import { evaluate, numbers, randomTensor } from "../../../test/graph-checks.ts";
import { lowerGraph } from "../../onnx/lower.ts";
import { buildGraph, input } from "../graph.ts";
import { after } from "./after.ts";

test("after gives its first input, computed from both", async () => {
  const [x, earlier] = [randomTensor(1, [2, 3]), randomTensor(2, [4])];
  const y = after(input("x", "float32", [2, 3]), input("earlier", "float32", [4]));
  expect(numbers((await evaluate({ y }, { x, earlier }))["y"])).toEqual(numbers(x));
  const { nodes } = lowerGraph(buildGraph({ y }), { contrib: false });
  expect(nodes.flatMap(({ inputs }) => inputs)).toContain("earlier");
});
