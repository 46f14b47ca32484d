/**
 * The loop of AdamW in WebAssembly, four elements each instruction, in float32: JavaScript has neither vectors nor roots and
 * quotients of float32. It works on a block in its own memory, from which and to which the arrays' elements are copied.
 */
import {
  type Code,
  f32x4,
  I32,
  i32,
  type Local,
  repeatWhile,
  V128,
  v128,
  type WasmFunction,
  wasmModule,
} from "../util/wasm-module.ts";

/** Elements of a block: of four arrays they stay in the processor's second cache. */
export const BLOCK_LENGTH = 16_384;
const BLOCK_BYTES = 4 * BLOCK_LENGTH;

/** Places in the memory: the factors, float32 each, in the order of `FACTORS`; the blocks. */
export const FACTORS_AT = 0;
const BLOCKS_AT = 1024;
/** Weight, gradient, first and second moment. */
export const BLOCKS = [0, 1, 2, 3].map((i) => BLOCKS_AT + i * BLOCK_BYTES) as unknown as readonly [
  number,
  number,
  number,
  number,
];

/** What the loop computes with, in this order. */
export const FACTORS = ["scale", "beta1", "rest1", "beta2", "rest2", "rate", "epsilon", "decay", "smallest"] as const;

type FactorName = (typeof FACTORS)[number];

const PAGE_BYTES = 65_536;
const VECTOR_BYTES = 16;

/**
 * update(bytes): a step over that many bytes of each block, a multiple of 16. With s = scale g, m and v moved towards s and its
 * square, and to 0 where they are below `smallest`: w - (rate m / (sqrt(v) + epsilon) + decay w). So a weight is rounded once: 1 - decay would be rounded to a few bits of decay.
 */
const update: WasmFunction = {
  name: "update",
  parameters: 1,
  body: ([bytes], declare) => {
    const at = declare(I32);
    const factors = FACTORS.map(() => declare(V128));
    const codes = Object.fromEntries(FACTORS.map((name, i) => [name, factors[i]?.get]));
    const { scale, beta1, rest1, beta2, rest2, rate, epsilon, decay, smallest } = codes as Record<FactorName, Code>;
    const [weight, slope, mean, square] = [declare(V128), declare(V128), declare(V128), declare(V128)];
    const [w, g, m, v] = BLOCKS;
    const { add, sub, mul, div, sqrt, abs, lt } = f32x4;
    return [
      ...factors.map((factor, i) => factor.set(f32x4.loadSplat(FACTORS_AT + 4 * i, i32.const(0)))),
      repeatWhile(
        i32.ltU(at.get, (bytes as Local).get),
        slope.set(mul(scale, v128.load(g, at.get))),
        mean.set(add(mul(beta1, v128.load(m, at.get)), mul(rest1, slope.get))),
        square.set(add(mul(beta2, v128.load(v, at.get)), mul(mul(rest2, slope.get), slope.get))),
        // What is no number is not less, and stays.
        mean.set(v128.andnot(mean.get, lt(abs(mean.get), smallest))),
        square.set(v128.andnot(square.get, lt(square.get, smallest))),
        v128.store(m, at.get, mean.get),
        v128.store(v, at.get, square.get),
        weight.set(v128.load(w, at.get)),
        v128.store(
          w,
          at.get,
          sub(weight.get, add(div(mul(rate, mean.get), add(sqrt(square.get), epsilon)), mul(decay, weight.get))),
        ),
        at.set(i32.add(at.get, i32.const(VECTOR_BYTES))),
      ),
    ].flat();
  },
};

/** The module: `update` and `memory`. */
export function adamwProgram(): Uint8Array<ArrayBuffer> {
  return wasmModule(Math.ceil((BLOCKS_AT + BLOCKS.length * BLOCK_BYTES) / PAGE_BYTES), [update]);
}
