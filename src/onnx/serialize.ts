/** ONNX model files: a lowered graph as protobuf bytes, weights inside of it or in a file beside it. */
import { create, toBinary } from "@bufbuild/protobuf";
import { onnxDataType } from "../graph/data-type.ts";
import type { Shape } from "../graph/dims.ts";
import type { AttributeValue, TensorType } from "../graph/graph.ts";
import { type HostTensor, type NamedTensors, tensorBytes } from "../util/tensor.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  ModelProtoSchema,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./_onnx_pb.ts";
import type { LoweredGraph, NamedNode } from "./lower.ts";

/** The version of ONNX's operators that graphs are written in. */
export const OPSET = 17;
/** The version of ONNX's file format; 8 belongs to opset 17. */
const IR_VERSION = 8;
/** External data begins at multiples of this, as ONNX recommends for memory maps. */
const EXTERNAL_ALIGNMENT = 4096;

/** Where weights go: into the model's bytes, or into external data under a file name. */
export interface SerializeOptions {
  /** Weights that become initialisers, by parameter name; parameters without one stay inputs. */
  readonly weights?: NamedTensors;
  /** The name of the file beside the model that holds a weight; the weights are inside of the model when left out. */
  readonly externalFile?: (weight: string) => string;
}

/** An ONNX model, and its external data. */
export interface SerializedModel {
  readonly model: Uint8Array;
  /** The chunks that make up each external file, by its name; weights are not copied. */
  readonly externalData: ReadonlyMap<string, readonly Uint8Array[]>;
}

/**
 * Writes a lowered graph as an ONNX model (IR version 8, opset 17 and com.microsoft 1).
 * @returns protobuf bytes; with `externalFile` also the chunks of these files.
 */
export function serializeModel(graph: LoweredGraph, options: SerializeOptions = {}): SerializedModel {
  const weights = graph.inputs.filter(({ name, parameter }) => parameter && options.weights?.has(name));
  const external = new Map<string, ExternalFile>();
  const initializers = [
    ...[...graph.constants].map(([name, tensor]) => tensorProto(name, tensor)),
    ...weights.map(({ name }) => weightProto(name, options.weights?.get(name) as HostTensor, options, external)),
  ];
  const isInitializer = new Set(weights.map(({ name }) => name));
  const usesContrib = graph.nodes.some(({ domain }) => domain === "com.microsoft");
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: "zhbert",
    opsetImport: [
      { domain: "", version: BigInt(OPSET) },
      ...(usesContrib ? [{ domain: "com.microsoft", version: 1n }] : []),
    ],
    graph: {
      name: "zhbert",
      node: graph.nodes.map(nodeProto),
      initializer: initializers,
      input: graph.inputs.filter(({ name }) => !isInitializer.has(name)).map((input) => valueInfo(input.name, input)),
      output: graph.outputs.map((output) => valueInfo(output.name, output)),
    },
  });
  const externalData = new Map([...external].map(([name, { chunks }]) => [name, chunks]));
  return { model: toBinary(ModelProtoSchema, model), externalData };
}

function weightProto(
  name: string,
  tensor: HostTensor,
  { externalFile }: SerializeOptions,
  files: Map<string, ExternalFile>,
): TensorProto {
  if (!externalFile) return tensorProto(name, tensor);
  const fileName = externalFile(name);
  const file = files.get(fileName) ?? new ExternalFile(fileName);
  files.set(fileName, file);
  return file.place(name, tensor);
}

/** Lays out tensors in a file beside the model. */
class ExternalFile {
  readonly chunks: Uint8Array[] = [];
  private offset = 0;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  place(name: string, tensor: HostTensor): TensorProto {
    const padding = (EXTERNAL_ALIGNMENT - (this.offset % EXTERNAL_ALIGNMENT)) % EXTERNAL_ALIGNMENT;
    if (padding > 0) this.chunks.push(new Uint8Array(padding));
    const bytes = tensorBytes(tensor);
    const at = this.offset + padding;
    this.chunks.push(bytes);
    this.offset = at + bytes.length;
    return create(TensorProtoSchema, {
      ...header(name, tensor),
      dataLocation: DataLocation.EXTERNAL,
      externalData: [
        { key: "location", value: this.name },
        { key: "offset", value: String(at) },
        { key: "length", value: String(bytes.length) },
      ],
    });
  }
}

function header(name: string, { dtype, shape }: HostTensor) {
  return { name, dims: shape.map(BigInt), dataType: onnxDataType[dtype] };
}

function tensorProto(name: string, tensor: HostTensor): TensorProto {
  return create(TensorProtoSchema, { ...header(name, tensor), rawData: tensorBytes(tensor) });
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
