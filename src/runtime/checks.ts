/** What every engine checks before a run: tensors of the declared types, and one size for each named axis. */
import { RuntimeError, verbatim } from "../errors.ts";
import { bindShape, type Dim, namesOf, type Shape } from "../graph/dims.ts";
import type { GraphInput, TensorType } from "../graph/graph.ts";
import { elementCount, formatType, type HostTensor, type NamedTensors } from "../util/tensor.ts";

/** The size of each named axis in one run. */
export type AxisSizes = Record<string, number>;

/**
 * Checks the tensors that are fed to a run.
 * @returns the sizes of the named axes.
 * @throws {RuntimeError} naming the first input that is missing or of another dtype or shape.
 */
export function checkInputs(
  engine: string,
  declared: readonly GraphInput[],
  given: Readonly<Record<string, HostTensor>>,
): AxisSizes {
  const sizes: AxisSizes = {};
  for (const input of declared) expectTensor(`${engine}: input "${input.name}"`, input, given[input.name], sizes);
  // Products of names can be checked when every name is known.
  for (const input of declared) expectTensor(`${engine}: input "${input.name}"`, input, given[input.name], sizes);
  return sizes;
}

/**
 * Checks the memory that a run is given for outputs.
 * @throws {RuntimeError} naming an output that the graph does not have, or that has another dtype or shape.
 */
export function checkOutputs(
  engine: string,
  declared: ReadonlyMap<string, TensorType>,
  given: Readonly<Record<string, HostTensor>>,
  sizes: AxisSizes,
): void {
  for (const [name, tensor] of Object.entries(given)) {
    const where = `${engine}: output "${name}"`;
    const type = declared.get(name);
    if (!type) throw new RuntimeError({ where, expected: `one of ${[...declared.keys()].join(", ")}`, got: name });
    expectTensor(where, type, tensor, sizes);
  }
}

/**
 * Checks weights that are built into a program.
 * @throws {RuntimeError} naming a weight of another dtype or shape than its parameter.
 */
export function checkWeights(engine: string, declared: readonly GraphInput[], weights: NamedTensors): void {
  for (const input of declared) {
    const weight = weights.get(input.name);
    if (input.parameter && weight) expectTensor(`${engine}: weight "${input.name}"`, input, weight, {});
  }
}

/** Checks one tensor, and adds the named axes that it sizes to the known ones. */
function expectTensor(where: string, type: TensorType, tensor: HostTensor | undefined, sizes: AxisSizes): void {
  const { dtype, shape } = type;
  const found = { ...sizes };
  const fits =
    tensor?.dtype === dtype &&
    tensor.shape.length === shape.length &&
    shape.every((dim, axis) => fitsAxis(dim, tensor.shape[axis] as number, found));
  if (fits) {
    Object.assign(sizes, found);
    expectLength(where, tensor);
    return;
  }
  throw new RuntimeError({
    where,
    expected: `${formatType(dtype, shape)}${describeSizes(shape, sizes)}`,
    got: verbatim(tensor ? formatType(tensor.dtype, tensor.shape) : "nothing"),
  });
}

/**
 * The error of results that are not numbers: vectors and scores of them would pass for such in files and searches.
 * @param precision - that they were computed in, where it is known.
 */
export function notNumbers(where: string, precision?: string): RuntimeError {
  const damaged =
    "the weights are damaged, or come of a training that came apart: take another checkpoint, or a lower rate";
  const first = precision === undefined ? "of bf16 take" : "take";
  return new RuntimeError({
    where,
    expected: "numbers",
    got: verbatim(precision === undefined ? "NaN" : `NaN, computed in ${precision}`),
    hint: precision === "f32" ? damaged : `${first} --precision f32; where that gives NaN too, ${damaged}`,
  });
}

/** Engines read as much memory as the shape says. */
function expectLength(where: string, { dtype, shape, data }: HostTensor): void {
  const count = elementCount(shape);
  if (data.length === count) return;
  const expected = `${count} elements for ${formatType(dtype, shape)}`;
  throw new RuntimeError({ where, expected, got: verbatim(`${data.length}`) });
}

function fitsAxis(dim: Dim, size: number, sizes: AxisSizes): boolean {
  if (typeof dim === "number") return dim === size;
  const unknown = namesOf(dim).filter((name) => sizes[name] === undefined);
  if (unknown.length === 0) return bindShape("axis", [dim], sizes)[0] === size;
  const [name] = unknown;
  if (unknown.length > 1 || name === undefined) return true;
  // The one name that is not known yet follows from the size: of 4*batch = 12 it is 3.
  const [others] = bindShape("axis", [dim], { ...sizes, [name]: 1 }) as [number];
  if (others === 0) return size === 0;
  sizes[name] = size / others;
  return Number.isInteger(sizes[name]);
}

/** The sizes that other tensors gave to named axes: ` with n = 1`. */
function describeSizes(shape: Shape, sizes: AxisSizes): string {
  const known = shape.filter(
    (dim) => typeof dim === "string" && namesOf(dim).every((name) => sizes[name] !== undefined),
  );
  if (known.length === 0) return "";
  return ` with ${[...new Set(known)].map((dim) => `${dim} = ${bindShape("axis", [dim], sizes)[0]}`).join(", ")}`;
}
