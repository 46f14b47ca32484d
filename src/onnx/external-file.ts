/** External data of an ONNX model: a file beside it that holds weights, laid out before any of them is read. */
import { create } from "@bufbuild/protobuf";
import type { LazyTensor } from "../checkpoint/format.ts";
import { onnxDataType } from "../graph/data-type.ts";
import { bytesPerElement, type DType, elementCount, type HostTensor, tensorBytes } from "../util/tensor.ts";
import { TensorProto_DataLocation as DataLocation, type TensorProto, TensorProtoSchema } from "./_onnx_pb.ts";

/** External data begins at multiples of this, as ONNX recommends for memory maps. */
const EXTERNAL_ALIGNMENT = 4096;

/** The fields of a tensor that are not its elements. */
export function tensorHeader(name: string, { dtype, shape }: Pick<LazyTensor, "dtype" | "shape">) {
  return { name, dims: shape.map(BigInt), dataType: onnxDataType[dtype] };
}

/** The bytes that a tensor's elements take. */
export function sizeOf({ dtype, shape }: { readonly dtype: DType; readonly shape: readonly number[] }): number {
  return bytesPerElement(dtype) * elementCount(shape);
}

/** The location that stands for the memory of the process itself; the offset is an address. Source: ONNX Runtime and OpenVINO. */
const PROCESS_MEMORY = "*/_ORT_MEM_ADDR_/*";

/** The message of a tensor whose elements lie in this process's memory; only an engine in the same process can read it. */
export function tensorInMemory(name: string, tensor: HostTensor, address: bigint): TensorProto {
  return externalTensor(name, tensor, PROCESS_MEMORY, address);
}

function externalTensor(
  name: string,
  tensor: Pick<LazyTensor, "dtype" | "shape">,
  location: string,
  offset: number | bigint,
): TensorProto {
  return create(TensorProtoSchema, {
    ...tensorHeader(name, tensor),
    dataLocation: DataLocation.EXTERNAL,
    externalData: [
      { key: "location", value: location },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(sizeOf(tensor)) },
    ],
  });
}

/** Lays out tensors in a file beside the model. */
export class ExternalFile {
  readonly #parts: { readonly padding: number; readonly tensor: LazyTensor }[] = [];
  #offset = 0;
  readonly #name: string;

  /** @param name - relative to the model's folder. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Appends a tensor; gives the message that refers to it. */
  place(name: string, tensor: LazyTensor): TensorProto {
    const padding = (EXTERNAL_ALIGNMENT - (this.#offset % EXTERNAL_ALIGNMENT)) % EXTERNAL_ALIGNMENT;
    const at = this.#offset + padding;
    this.#parts.push({ padding, tensor });
    this.#offset = at + sizeOf(tensor);
    return externalTensor(name, tensor, this.#name, at);
  }

  /** The bytes of the file; each tensor is read when its chunk is taken, and not copied. */
  *chunks(): Generator<Uint8Array> {
    for (const { padding, tensor } of this.#parts) {
      if (padding > 0) yield new Uint8Array(padding);
      yield tensorBytes(tensor.read());
    }
  }
}
