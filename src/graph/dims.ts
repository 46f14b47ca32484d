/**
 * Dimensions of symbolic tensors: a number, or a name such as `batch`, or a product such as `batch*seq`.
 *
 * Names become ONNX dim_params. Products are kept in one canonical form, so that equal dims are equal strings.
 */
import { ShapeError, verbatim } from "../errors.ts";

/** The size of an axis: known, or a name, or a product of both (`12*batch*seq`). */
export type Dim = number | string;

/** The sizes of all axes. */
export type Shape = readonly Dim[];

/** The number and the names that a dim multiplies. */
function factors(dim: Dim): { readonly coefficient: number; readonly names: readonly string[] } {
  if (typeof dim === "number") return { coefficient: dim, names: [] };
  const parts = dim.split("*");
  const first = Number(parts[0]);
  return Number.isNaN(first) ? { coefficient: 1, names: parts } : { coefficient: first, names: parts.slice(1) };
}

function dimOf(coefficient: number, names: readonly string[]): Dim {
  if (coefficient === 0 || names.length === 0) return coefficient;
  const product = [...names].sort().join("*");
  return coefficient === 1 ? product : `${coefficient}*${product}`;
}

/** The product of dims, in canonical form; 1 for none. */
export function product(dims: Shape): Dim {
  const all = dims.map(factors);
  return dimOf(
    all.reduce((value, { coefficient }) => value * coefficient, 1),
    all.flatMap(({ names }) => names),
  );
}

/** The exact quotient of two dims, or undefined when it is none. */
export function quotient(dividend: Dim, divisor: Dim): Dim | undefined {
  const [above, below] = [factors(dividend), factors(divisor)];
  const names = [...above.names];
  for (const name of below.names) {
    const at = names.indexOf(name);
    if (at < 0) return undefined;
    names.splice(at, 1);
  }
  const coefficient = above.coefficient / below.coefficient;
  return Number.isInteger(coefficient) ? dimOf(coefficient, names) : undefined;
}

/** The names that occur in a dim: `["batch", "seq"]` for `4*batch*seq`. */
export function namesOf(dim: Dim): readonly string[] {
  return factors(dim).names;
}

/** The known number that a dim multiplies: 4 for `4*batch*seq`. */
export function coefficientOf(dim: Dim): number {
  return factors(dim).coefficient;
}

/** Whether two shapes are the same, axis by axis. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/**
 * The shape that two shapes broadcast to, by NumPy's rule; a named dim matches only itself and 1.
 * @throws {ShapeError} when an axis differs and neither side is 1.
 */
export function broadcastShapes(where: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError({
      where,
      expected: `shapes that broadcast (axis ${i}: ${x} or 1)`,
      got: verbatim(`[${a.join(", ")}] and [${b.join(", ")}]`),
    });
  });
}

/** An axis counted from the front; negative axes count from the back. @throws {ShapeError} outside of the rank. */
export function normalizeAxis(where: string, axis: number, rank: number): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(axis) && normalized >= 0 && normalized < rank) return normalized;
  throw new ShapeError({ where, expected: `an axis of a tensor of rank ${rank}`, got: axis });
}

/** The shape with every named dim replaced by its number. @throws {ShapeError} when a name has none. */
export function bindShape(where: string, shape: Shape, sizes: Readonly<Record<string, number>>): number[] {
  return shape.map((dim) =>
    namesOf(dim).reduce((value, name) => {
      const size = sizes[name];
      if (size === undefined) throw new ShapeError({ where, expected: `a size for the dim "${name}"`, got: undefined });
      return value * size;
    }, coefficientOf(dim)),
  );
}
