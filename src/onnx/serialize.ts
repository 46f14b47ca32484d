/** ONNX model files: a lowered graph as protobuf bytes, weights inside of it or in a file beside it. */
import { create, toBinary } from "@bufbuild/protobuf";
import { lazyTensor } from "../checkpoint/format.ts";
import { onnxDataType } from "../graph/data-type.ts";
import type { Shape } from "../graph/dims.ts";
import type { AttributeValue, TensorType } from "../graph/graph.ts";
import { type HostTensor, type NamedTensors, tensorBytes } from "../util/tensor.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./_onnx_pb.ts";
import { ExternalFile, tensorHeader, tensorInMemory } from "./external-file.ts";
import type { LoweredGraph, NamedNode } from "./lower.ts";

/** The version of ONNX's file format that came with each version of its operators. Source: versioning.md of onnx/onnx. */
const IR_VERSIONS: Readonly<Record<number, number>> = {
  13: 7,
  14: 7,
  15: 8,
  16: 8,
  17: 8,
  18: 8,
  19: 9,
  20: 9,
  21: 10,
};

/** The versions of ONNX's operators that graphs of inference can be written in, ascending. */
export const OPSETS: readonly number[] = Object.keys(IR_VERSIONS).map(Number);

/** Where weights go: into the model's bytes, or into external data under a file name. */
export interface SerializeOptions {
  /** Weights that become initialisers, by parameter name; parameters without one stay inputs. */
  readonly weights?: NamedTensors;
  /** The name of the file beside the model that holds a weight; the weights are inside of the model when left out. */
  readonly externalFile?: (weight: string) => string;
  /** The address of a weight that an engine in this process reads where it lies; undefined for one inside of the model. */
  readonly addressOf?: (weight: HostTensor) => bigint | undefined;
}

/** An ONNX model, and its external data. */
export interface SerializedModel {
  readonly model: Uint8Array;
  /** The chunks that make up each external file, by its name; weights are not copied. */
  readonly externalData: ReadonlyMap<string, readonly Uint8Array[]>;
}

/**
 * Writes a lowered graph as an ONNX model, in the version of operators that it was lowered for.
 * @returns protobuf bytes; with `externalFile` also the chunks of these files.
 */
export function serializeModel(graph: LoweredGraph, options: SerializeOptions = {}): SerializedModel {
  const external = new Map<string, ExternalFile>();
  const initializers = graph.inputs.flatMap(({ name, parameter }) => {
    const tensor = parameter ? options.weights?.get(name) : undefined;
    if (tensor === undefined) return [];
    const address = options.addressOf?.(tensor);
    if (address !== undefined) return [tensorInMemory(name, tensor, address)];
    return [
      options.externalFile ? placed(name, tensor, options.externalFile(name), external) : tensorProto(name, tensor),
    ];
  });
  const model = toBinary(ModelProtoSchema, modelProto(graph, initializers));
  return { model, externalData: new Map([...external].map(([name, file]) => [name, [...file.chunks()]])) };
}

function placed(name: string, tensor: HostTensor, fileName: string, files: Map<string, ExternalFile>): TensorProto {
  const file = files.get(fileName) ?? new ExternalFile(fileName);
  files.set(fileName, file);
  return file.place(name, lazyTensor(tensor));
}

/**
 * The message of a whole model.
 * @param weights - further initialisers beside the graph's constants.
 * @param held - inputs of the graph that are none of the file's: initialisers, or made from them.
 */
export function modelProto(
  { opset, nodes, constants, inputs, outputs }: LoweredGraph,
  weights: readonly TensorProto[],
  held: ReadonlySet<string> = new Set(weights.map(({ name }) => name)),
): ModelProto {
  const usesContrib = nodes.some(({ domain }) => domain === "com.microsoft");
  return create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSIONS[opset] as number),
    producerName: "zhbert",
    opsetImport: [
      { domain: "", version: BigInt(opset) },
      ...(usesContrib ? [{ domain: "com.microsoft", version: 1n }] : []),
    ],
    graph: {
      name: "zhbert",
      node: nodes.map(nodeProto),
      initializer: [...[...constants].map(([name, tensor]) => tensorProto(name, tensor)), ...weights],
      input: inputs.filter(({ name }) => !held.has(name)).map((input) => valueInfo(input.name, input)),
      output: outputs.map((output) => valueInfo(output.name, output)),
    },
  });
}

function tensorProto(name: string, tensor: HostTensor): TensorProto {
  return create(TensorProtoSchema, { ...tensorHeader(name, tensor), rawData: tensorBytes(tensor) });
}

function nodeProto({ opType, domain = "", inputs, outputs, attributes = {} }: NamedNode) {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
  return create(NodeProtoSchema, {
    opType,
    domain,
    name: outputs[0] as string,
    input: [...inputs],
    output: [...outputs],
    attribute,
  });
}

function attributeProto(name: string, value: AttributeValue): AttributeProto {
  if ("int" in value) return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value.int) });
  if ("float" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  if ("ints" in value) {
    return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.ints.map(BigInt) });
  }
  const s = new TextEncoder().encode(value.string);
  return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s });
}

function valueInfo(name: string, { dtype, shape }: TensorType): ValueInfoProto {
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: onnxDataType[dtype], shape: { dim: dims(shape) } } } },
  });
}

function dims(shape: Shape) {
  return shape.map((dim) => ({
    value:
      typeof dim === "number"
        ? ({ case: "dimValue", value: BigInt(dim) } as const)
        : ({ case: "dimParam", value: dim } as const),
  }));
}
