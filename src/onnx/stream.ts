/** ONNX model files written chunk by chunk: a model's weights are never in memory together. */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { LazyTensors } from "../checkpoint/format.ts";
import { onnxDataType } from "../graph/data-type.ts";
import { tensorBytes } from "../util/tensor.ts";
import { type GraphProto, GraphProtoSchema, ModelProtoSchema, TensorProtoSchema } from "./_onnx_pb.ts";
import { ExternalFile, sizeOf, tensorHeader } from "./external-file.ts";
import type { LoweredGraph, NamedNode } from "./lower.ts";
import { modelProto } from "./serialize.ts";

/** An ONNX model whose bytes are made as they are taken. */
export interface StreamedModel {
  readonly model: Iterable<Uint8Array>;
  /** The bytes of the file beside the model, where one was asked for. */
  readonly externalData: Iterable<Uint8Array> | undefined;
}

/**
 * Writes a lowered graph with its weights as an ONNX model, in chunks.
 *
 * Weights of another dtype than their parameter's are stored as they are and converted when the model runs.
 * @param weights - of every parameter of the graph, by name; others are left out.
 * @param externalName - the name of the file beside the model that holds them; inside of the model when left out.
 */
export function streamModel(graph: LoweredGraph, weights: LazyTensors, externalName?: string): StreamedModel {
  const { casts, stored } = storedWeights(graph, weights);
  const whole = { ...graph, nodes: [...casts, ...graph.nodes] };
  const held = new Set(graph.inputs.filter(({ parameter }) => parameter).map(({ name }) => name));
  if (externalName === undefined) {
    return { model: inlineChunks(whole, stored, held), externalData: undefined };
  }
  const file = new ExternalFile(externalName);
  const initializers = [...stored].map(([name, tensor]) => file.place(name, tensor));
  return { model: [toBinary(ModelProtoSchema, modelProto(whole, initializers, held))], externalData: file.chunks() };
}

/** Initialisers by name, and the conversions of those that are stored in another dtype. */
function storedWeights({ inputs }: LoweredGraph, weights: LazyTensors) {
  const casts: NamedNode[] = [];
  const stored = inputs.flatMap(({ name, dtype, parameter }) => {
    const tensor = parameter ? weights.get(name) : undefined;
    if (tensor === undefined) return [];
    if (tensor.dtype === dtype) return [[name, tensor] as const];
    const source = `${name}.${tensor.dtype}`;
    casts.push({
      opType: "Cast",
      inputs: [source],
      outputs: [name],
      attributes: { to: { int: onnxDataType[dtype] } },
    });
    return [[source, tensor] as const];
  });
  return { casts, stored: new Map(stored) };
}

/** The fields of ModelProto, GraphProto and TensorProto whose content is not in memory at once. */
const [GRAPH_FIELD, INITIALIZER_FIELD, RAW_DATA_FIELD] = [
  ModelProtoSchema.field.graph.number,
  GraphProtoSchema.field.initializer.number,
  TensorProtoSchema.field.rawData.number,
];

/** Messages of protobuf may have their fields in any order, and repeated ones in parts: the weights come last. */
function* inlineChunks(graph: LoweredGraph, weights: LazyTensors, held: ReadonlySet<string>): Generator<Uint8Array> {
  const model = modelProto(graph, [], held);
  const body = toBinary(GraphProtoSchema, model.graph as GraphProto);
  const heads = [...weights].map(([name, tensor]) => {
    const header = toBinary(TensorProtoSchema, create(TensorProtoSchema, tensorHeader(name, tensor)));
    const rawHead = lengthDelimited(RAW_DATA_FIELD, sizeOf(tensor));
    const length = header.length + rawHead.length + sizeOf(tensor);
    return [...lengthDelimited(INITIALIZER_FIELD, length), ...header, ...rawHead];
  });
  const tensors = [...weights.values()];
  const graphBytes = tensors.reduce((sum, tensor, i) => sum + (heads[i]?.length ?? 0) + sizeOf(tensor), body.length);
  yield toBinary(ModelProtoSchema, { ...model, graph: undefined });
  yield lengthDelimited(GRAPH_FIELD, graphBytes);
  yield body;
  for (const [i, tensor] of tensors.entries()) {
    yield Uint8Array.from(heads[i] ?? []);
    yield tensorBytes(tensor.read());
  }
}

/** What stands before the bytes of a message or byte string: the field's number and the length. */
function lengthDelimited(field: number, length: number): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).uint32(length).finish();
}
