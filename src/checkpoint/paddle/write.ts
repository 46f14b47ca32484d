/**
 * Files that paddle.load reads: a pickle of protocol 4 with a dict of NumPy arrays and the table of parameter names.
 * Source: python/paddle/framework/io.py of Paddle (_legacy_save, _build_saved_state_dict).
 */
import { CheckpointError, verbatim } from "../../errors.ts";
import { bytesPerElement, type DType, elementCount, tensorBytes } from "../../util/tensor.ts";
import type { LazyTensor, LazyTensors } from "../format.ts";
import { PickleWriter } from "../pickle-writer.ts";

/** The entry that says which parameter of the program each name is. */
export const NAME_TABLE = "StructuredToParameterName@@";

/** NumPy's codes, and its byte order: `|` where there is none. */
const codes: Readonly<Partial<Record<DType, readonly [code: string, order: string]>>> = {
  float64: ["f8", "<"],
  float32: ["f4", "<"],
  float16: ["f2", "<"],
  int64: ["i8", "<"],
  int32: ["i4", "<"],
  int8: ["i1", "|"],
  uint8: ["u1", "|"],
  bool: ["b1", "|"],
};

/**
 * The chunks of a file, each tensor read when its chunk is taken.
 * @throws {CheckpointError} when NumPy has no such dtype, or a name is the format's own.
 */
export function paddleChunks(tensors: LazyTensors): Iterable<Uint8Array> {
  for (const [name, { dtype }] of tensors) {
    if (codes[dtype] === undefined) throw unwritable(`tensor "${name}" of a dtype that NumPy has`, dtype);
    if (name === NAME_TABLE) throw unwritable("another tensor name (it is reserved)", name);
  }
  return chunks(tensors);
}

function unwritable(expected: string, got: string): CheckpointError {
  return new CheckpointError({
    where: "paddle",
    expected,
    got: verbatim(got),
    hint: got === "bfloat16" ? "Convert with --dtype float32 (or float16)." : "Rename the tensor.",
  });
}

function* chunks(tensors: LazyTensors): Generator<Uint8Array> {
  const pickle = new PickleWriter(4).op("EMPTY_DICT").op("MARK");
  for (const [name, tensor] of tensors) {
    arrayHead(pickle, name, tensor);
    yield pickle.take();
    yield tensorBytes(tensor.read());
    pickle.op("TUPLE").op("BUILD");
  }
  pickle.text(NAME_TABLE).op("EMPTY_DICT").op("MARK");
  for (const name of tensors.keys()) pickle.text(name).text(name);
  yield pickle.op("SETITEMS").op("SETITEMS").finish();
}

/** _reconstruct(ndarray, (0,), b"b") with the state (1, shape, dtype, Fortran order, bytes), up to the bytes. */
function arrayHead(pickle: PickleWriter, name: string, { dtype, shape }: LazyTensor): void {
  const [code, order] = codes[dtype] as readonly [string, string];
  pickle.text(name).global("numpy.core.multiarray", "_reconstruct").op("MARK");
  pickle.global("numpy", "ndarray").tuple([0]).bytes(Uint8Array.of(0x62)).op("TUPLE").op("REDUCE");
  pickle.op("MARK").integer(1).tuple(shape);
  pickle.global("numpy", "dtype").op("MARK").text(code).op("NEWFALSE").op("NEWTRUE").op("TUPLE").op("REDUCE");
  pickle.op("MARK").integer(3).text(order).op("NONE").op("NONE").op("NONE");
  pickle.integer(-1).integer(-1).integer(0).op("TUPLE").op("BUILD");
  pickle.op("NEWFALSE").bytesHeader(elementCount(shape) * bytesPerElement(dtype));
}
