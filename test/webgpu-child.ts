/** Computes one layer, forward and backward, on WebGPU and on the CPU, and prints how far they lie apart. */
import { layerGraph } from "../src/node/measure-layer.ts";
import { createRuntime } from "../src/node/runtimes.ts";
import { Random } from "../src/util/random.ts";
import { type HostTensor, zeros } from "../src/util/tensor.ts";

const work = { hiddenSize: 24, intermediateSize: 40, numAttentionHeads: 4, training: true };
const runtimes = [await createRuntime({ runtime: "webgpu", threads: 1 }), await createRuntime({ threads: 1 })] as const;
const graph = layerGraph(work, 1);
const random = new Random(0);
const inputs: Record<string, HostTensor> = {};
for (const { name, dtype, shape } of graph.inputs) {
  const tensor = zeros(dtype, shape as number[]);
  inputs[name] = tensor;
  for (let i = 0; i < tensor.data.length; i++) tensor.data[i] = dtype === "uint8" ? 1 : random.normal() / 4;
}
const [gpu, cpu] = await Promise.all(
  runtimes.map(async (runtime) => {
    const memory = Object.fromEntries(
      [...graph.outputs].map(([name, { shape }]) => [name, zeros("float32", shape as number[])]),
    );
    const executable = await runtime.compile(graph);
    const results = await executable.run(inputs, memory);
    await executable.dispose();
    return { results, memory };
  }),
);
let [largest, difference, isInPlace] = [0, 0, true];
for (const name of graph.outputs.keys()) {
  const [a, b] = [gpu?.results[name]?.data, cpu?.results[name]?.data] as [Float32Array, Float32Array];
  isInPlace &&= gpu?.memory[name]?.data === a;
  b.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    difference = Math.max(difference, Math.abs(value - (a[i] as number)));
  });
}
console.log(JSON.stringify({ runtime: runtimes[0].name, largest, difference, isInPlace }));
process.exit();
