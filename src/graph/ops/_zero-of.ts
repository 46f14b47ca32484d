/** A zero that an engine can not know before a tensor is there: it orders work that nothing else orders. */
import type { LowerContext, Tensor } from "../graph.ts";

/**
 * Emits zero times the first element of an input.
 * @param input - which input of the node; float32, any shape.
 * @returns the name of a float32 [].
 */
export function zeroOf<A>({ names, inputs, emit, int64s, scalar }: LowerContext<A>, input: number): string {
  const axes = (inputs[input] as Tensor).shape.map((_, axis) => axis);
  const bounds = [axes.map(() => 0), axes.map(() => 1), axes].map(int64s);
  const first = emit({ opType: "Slice", inputs: [names[input] as string, ...bounds] });
  // With the axes named, since OpenVINO must know the rank where sizes are not known.
  const element = emit({ opType: "Squeeze", inputs: [first, int64s(axes)] });
  return emit({ opType: "Mul", inputs: [element, scalar("float32", 0)] });
}
