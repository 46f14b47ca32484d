/** ONNX files: read back field by field, and run by the engine with weights inside and beside. */
import { fromBinary } from "@bufbuild/protobuf";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { randomTensor } from "../../test/graph-checks.ts";
import { buildGraph, input, parameter } from "../graph/graph.ts";
import { addScalar } from "../graph/ops/arithmetic.ts";
import { gather } from "../graph/ops/gather.ts";
import { gelu } from "../graph/ops/gelu.ts";
import { linear } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { transpose } from "../graph/ops/transpose.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { AttributeProto_AttributeType, ModelProtoSchema, TensorProto_DataLocation } from "./_onnx_pb.ts";
import { lowerGraph, OPSET } from "./lower.ts";
import { serializeModel } from "./serialize.ts";

const weights: NamedTensors = new Map<string, HostTensor>([
  ["w", randomTensor(1, [5, 4])],
  ["b", randomTensor(2, [5])],
  ["unused", randomTensor(3, [2])],
]);

function model() {
  const x = input("x", "float32", ["batch", "seq", 4]);
  const y = linear(reshape(x, ["batch*seq", 4]), parameter("w", [5, 4]), parameter("b", [5]));
  return lowerGraph(buildGraph({ y }), { contrib: true });
}

const parse = (bytes: Uint8Array) => fromBinary(ModelProtoSchema, bytes);

/** The model's output by the engine, and by plain loops. */
async function run(bytes: Uint8Array, feeds: Record<string, HostTensor<"float32">>, externalData?: Uint8Array) {
  const session = await ort.InferenceSession.create(bytes, {
    ...(externalData ? { externalData: [{ path: "weights.bin", data: externalData }] } : {}),
  });
  const tensors = Object.entries(feeds).map(([name, { data, shape }]) => [
    name,
    new ort.Tensor("float32", data, shape),
  ]);
  const { y } = await session.run(Object.fromEntries(tensors));
  await session.release();
  return y as ort.Tensor;
}

function plain(x: HostTensor<"float32">): number[] {
  const [w, b] = [weights.get("w"), weights.get("b")] as HostTensor<"float32">[];
  return Array.from({ length: (x.data.length / 4) * 5 }, (_, at) => {
    const [row, column] = [Math.floor(at / 5), at % 5];
    let sum = b?.data[column] as number;
    for (let k = 0; k < 4; k++) sum += (x.data[row * 4 + k] as number) * (w?.data[column * 4 + k] as number);
    return sum;
  });
}

function expectNear(actual: ort.Tensor, expected: readonly number[]): void {
  expect(actual.data.length).toBe(expected.length);
  Array.from(actual.data as Float32Array).forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] as number, 5);
  });
}

describe("the file", () => {
  test("says its versions; the engine's own operators only when they are used", () => {
    const file = parse(serializeModel(model()).model);
    expect([file.irVersion, file.producerName, OPSET]).toEqual([8n, "zhbert", 17]);
    expect(file.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([["", 17n]]);
    const contrib = lowerGraph(buildGraph({ y: gelu(input("x", "float32", [2])) }), { contrib: true });
    expect(parse(serializeModel(contrib).model).opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ["", 17n],
      ["com.microsoft", 1n],
    ]);
  });

  test("names axes", () => {
    const { graph } = parse(serializeModel(model()).model);
    const dims = (list: typeof graph extends undefined ? never : NonNullable<typeof graph>["input"]) =>
      list.map(({ name, type }) => [
        name,
        type?.value.case === "tensorType" ? type.value.value.shape?.dim.map(({ value }) => value.value) : undefined,
      ]);
    expect(dims(graph?.input ?? [])).toEqual([
      ["x", ["batch", "seq", 4n]],
      ["w", [5n, 4n]],
      ["b", [5n]],
    ]);
    expect(dims(graph?.output ?? [])).toEqual([["y", ["batch*seq", 5n]]]);
  });

  test("keeps each attribute's type", () => {
    const x = input("x", "float32", [2, 3]);
    const y = gather(transpose(addScalar(x, 1), [1, 0]), input("i", "int32", [2]));
    const { graph } = parse(serializeModel(lowerGraph(buildGraph({ y }), { contrib: true })).model);
    const attributes = graph?.node
      .flatMap(({ attribute }) => attribute)
      .map(({ name, type, i, ints }) => [name, type, i, ints]);
    expect(attributes).toEqual([
      ["perm", AttributeProto_AttributeType.INTS, 0n, [1n, 0n]],
      ["axis", AttributeProto_AttributeType.INT, 0n, []],
    ]);
  });
});

describe("weights", () => {
  const x = randomTensor(4, [2, 3, 4]);

  test("stay inputs when none are given", async () => {
    const { model: bytes, externalData } = serializeModel(model());
    expect(externalData).toEqual(new Map());
    const feeds = Object.fromEntries([...weights].filter(([name]) => name !== "unused"));
    expectNear(await run(bytes, { x, ...feeds } as Record<string, HostTensor<"float32">>), plain(x));
  });

  test("inside of the file; those that the graph does not use are left out", async () => {
    const { model: bytes } = serializeModel(model(), { weights });
    const { graph } = parse(bytes);
    expect(graph?.input.map(({ name }) => name)).toEqual(["x"]);
    expect(graph?.initializer.map(({ name }) => name).filter((name) => weights.has(name))).toEqual(["w", "b"]);
    expectNear(await run(bytes, { x }), plain(x));
    const other = randomTensor(5, [1, 7, 4]);
    expectNear(await run(bytes, { x: other }), plain(other));
  });

  test("some inside, the others stay inputs", async () => {
    const some: NamedTensors = new Map([["w", weights.get("w") as HostTensor]]);
    const { model: bytes } = serializeModel(model(), { weights: some });
    expectNear(await run(bytes, { x, b: weights.get("b") as HostTensor<"float32"> }), plain(x));
  });

  test("in a file beside it, at aligned offsets", async () => {
    const { model: bytes, externalData } = serializeModel(model(), { weights, externalFile: () => "weights.bin" });
    const stored = parse(bytes).graph?.initializer.filter(
      ({ dataLocation }) => dataLocation === TensorProto_DataLocation.EXTERNAL,
    );
    const entries = stored?.map(({ name, rawData, externalData: list }) => [
      name,
      rawData.length,
      Object.fromEntries(list.map(({ key, value }) => [key, value])),
    ]);
    expect(entries).toEqual([
      ["w", 0, { location: "weights.bin", offset: "0", length: "80" }],
      ["b", 0, { location: "weights.bin", offset: "4096", length: "20" }],
    ]);
    const file = Buffer.concat(externalData.get("weights.bin") ?? []);
    expect(file.length).toBe(4096 + 20);
    expectNear(await run(bytes, { x }, file), plain(x));
  });
});

test("the bytes are the same at each write", () => {
  expect(serializeModel(model(), { weights }).model).toEqual(serializeModel(model(), { weights }).model);
});

test("weights are not copied into external data", () => {
  const w = hostTensor("float32", [5, 4], new Float32Array(20));
  const { externalData } = serializeModel(model(), { weights: new Map([["w", w]]), externalFile: (name) => name });
  expect(externalData.get("w")?.[0]?.buffer).toBe(w.data.buffer);
});
