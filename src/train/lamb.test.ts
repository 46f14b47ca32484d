/** LAMB on numbers that can be followed by hand; ten steps of a model are in test/pretraining-parity.test.ts. */
import { expect, test } from "vitest";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { Lamb, type LambName } from "./lamb.ts";

const weightsOf = (values: number[]): NamedTensors =>
  new Map<string, HostTensor>([
    ["x.weight", hostTensor("float32", [values.length], Float32Array.from(values))],
    ["x.bias", hostTensor("float32", [1], Float32Array.of(0.5))],
  ]);
const gradients = (...values: number[]) =>
  new Map([
    ["x.weight", Float32Array.from(values)],
    ["x.bias", Float32Array.of(2)],
  ]);
const read = (weights: NamedTensors, name: string) => [...(weights.get(name)!.data as Float32Array)];

test("a step is as long as the rate's share of the weights, whatever the gradient's size", async () => {
  for (const size of [1, 1000]) {
    const weights = weightsOf([3, -4]);
    await new Lamb(weights, { weightDecay: 0 }).update(gradients(size, size), 0.01);
    const [a, b] = read(weights, "x.weight") as [number, number];
    expect(Math.hypot(a - 3, b + 4)).toBeCloseTo(0.05, 6);
    expect(read(weights, "x.bias")[0]).toBeCloseTo(0.5 - 0.005, 6);
  }
});

test("NVIDIA's form takes tensors without decay as Adam does, with bias correction", async () => {
  const weights = weightsOf([3, -4]);
  await new Lamb(weights, { name: "lamb-nvidia" }).update(gradients(1, 1), 0.01);
  expect(read(weights, "x.bias")[0]).toBeCloseTo(0.5 - 0.01, 6);
  const [a, b] = read(weights, "x.weight") as [number, number];
  expect(Math.hypot(a - 3, b + 4)).toBeCloseTo(0.05, 6);
});

test.each<LambName>(["lamb", "lamb-nvidia"])(
  "%s: weights of zeros, and steps of zeros, have a ratio of 1",
  async (name) => {
    const zero = weightsOf([0, 0]);
    await new Lamb(zero, { name, weightDecay: 0.01 }).update(gradients(1, 1), 0.01);
    const step = name === "lamb" ? 0.1 / (Math.sqrt(0.001) + 1e-6) : 1;
    expect(read(zero, "x.weight")[0]).toBeCloseTo(-0.01 * step, 6);
    const still = weightsOf([3, -4]);
    await new Lamb(still, { name, weightDecay: 0 }).update(gradients(0, 0), 0.01);
    expect(read(still, "x.weight")).toEqual([3, -4]);
  },
);

test.each<LambName>(["lamb", "lamb-nvidia"])("%s goes on bit for bit from its stored state", async (name) => {
  const steps = [gradients(1, -0.5), gradients(-0.25, 2), gradients(0.125, 0.75)];
  const straight = weightsOf([3, -4]);
  const whole = new Lamb(straight, { name });
  for (const step of steps) await whole.update(step, 0.01, 0.5);
  const stopped = weightsOf([3, -4]);
  const first = new Lamb(stopped, { name });
  await first.update(steps[0]!, 0.01, 0.5);
  const second = new Lamb(stopped, { name });
  second.restore(new Map([...first.state()].map(([key, tensor]) => [key, structuredClone(tensor)])), first.updates);
  for (const step of steps.slice(1)) await second.update(step, 0.01, 0.5);
  expect(read(stopped, "x.weight")).toEqual(read(straight, "x.weight"));
});

test("a factor on the learning rate acts on its parameters alone", async () => {
  const [slow, fast] = [weightsOf([3, -4]), weightsOf([3, -4])];
  const rateFactor = (name: string) => (name === "x.weight" ? 0.5 : 1);
  await new Lamb(slow, { rateFactor }).update(gradients(1, 1), 0.02);
  await new Lamb(fast).update(gradients(1, 1), 0.01);
  expect(read(slow, "x.weight")).toEqual(read(fast, "x.weight"));
  expect(read(slow, "x.bias")).not.toEqual(read(fast, "x.bias"));
});
