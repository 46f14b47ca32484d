/**
 * The loops that draw dropout masks, in WebAssembly: four places of one stream of xoshiro128++ at once, 16 elements each
 * instruction. JavaScript has no vectors, and takes five times as long.
 */
import {
  type Code,
  I32,
  i8x16,
  i32,
  i32x4,
  type Local,
  repeatWhile,
  V128,
  v128,
  type WasmFunction,
  wasmModule,
  when,
} from "./wasm-module.ts";

/** Elements of a lane: four lanes are a block, which stays in the processor's cache. */
export const LANE_BYTES = 16_384;
export const LANES = 4;

/** Places in the memory. The words of the lanes' states: four of the first, four of the second, and so on. */
export const STATES = 0;
/** The state of the stream for ties: four words. */
export const TIES = 64;
/** The block. */
export const BLOCK = 1024;

const PAGES = 2;
const VECTOR_BYTES = 16;
/** The loop works on as many words of each lane as there are lanes. */
const STEP_BYTES = 4 * LANES;

/** What the arithmetic of a generator needs, of one word or of four. */
interface Words {
  add(x: Code, y: Code): Code;
  xor(x: Code, y: Code): Code;
  shl(x: Code, bits: Code): Code;
  rotl(x: Local, bits: number): Code;
}

const oneWord: Words = { ...i32, rotl: (x, bits) => i32.rotl(x.get, i32.const(bits)) };

const fourWords: Words = {
  add: i32x4.add,
  xor: v128.xor,
  shl: i32x4.shl,
  rotl: (x, bits) => v128.or(i32x4.shl(x.get, i32.const(bits)), i32x4.shrU(x.get, i32.const(32 - bits))),
};

type State = readonly [Local, Local, Local, Local];

/** Sets `word` to the next one of the stream, as `Random.uint32` draws it. */
function nextWord({ add, xor, shl, rotl }: Words, [a, b, c, d]: State, word: Local, shifted: Local): Code {
  return [
    word.set(add(a.get, d.get)),
    word.set(add(rotl(word, 7), a.get)),
    shifted.set(shl(b.get, i32.const(9))),
    c.set(xor(c.get, a.get)),
    d.set(xor(d.get, b.get)),
    b.set(xor(b.get, c.get)),
    a.set(xor(a.get, d.get)),
    c.set(xor(c.get, shifted.get)),
    d.set(rotl(d, 11)),
  ].flat();
}

/**
 * draw(bytes, high): fills that many bytes of each lane, a multiple of 16, and moves the states on. A byte becomes 1 where the
 * stream's is above `high`, 0 where it is below, and 255 where it is equal.
 */
const draw: WasmFunction = {
  name: "draw",
  parameters: 2,
  body: ([bytes, high], declare) => {
    const [at, limit, ones] = [declare(I32), declare(V128), declare(V128)];
    const [word, shifted] = [declare(V128), declare(V128)];
    const state = declareFour(declare, V128);
    const [kept, halves] = [declareFour(declare, V128), declareFour(declare, V128)];
    const [intoHalves, ...lanes] = transposed(kept, halves);
    const { get: length } = bytes as Local;
    return [
      limit.set(i8x16.splat((high as Local).get)),
      ones.set(i8x16.splat(i32.const(1))),
      ...state.map((register, i) => register.set(v128.load(STATES + VECTOR_BYTES * i, i32.const(0)))),
      repeatWhile(
        i32.ltU(at.get, length),
        ...kept.map((keep) => [...nextWord(fourWords, state, word, shifted), ...keep.set(decided(word, limit, ones))]),
        intoHalves,
        ...lanes.map((lane, i) => v128.store(BLOCK + LANE_BYTES * i, at.get, lane)),
        at.set(i32.add(at.get, i32.const(STEP_BYTES))),
      ),
      ...state.map((register, i) => v128.store(STATES + VECTOR_BYTES * i, i32.const(0), register.get)),
    ].flat();
  },
};

/** There is no unsigned "above" of bytes, but what is left above the limit is at least 1. */
function decided(word: Local, limit: Local, ones: Local): Code {
  return v128.or(i8x16.minU(i8x16.subSatU(word.get, limit.get), ones.get), i8x16.eq(word.get, limit.get));
}

/** The columns of four vectors of four words, which lie together in a lane. */
function transposed([x, y, z, w]: State, [lowFront, lowBack, highFront, highBack]: State): [Code, ...Code[]] {
  const columns = (front: Local, back: Local) =>
    [[0, 1, 4, 5] as const, [2, 3, 6, 7] as const].map((words) => i32x4.shuffle(words, front.get, back.get));
  const halves = [
    lowFront.set(i32x4.shuffle([0, 4, 1, 5], x.get, y.get)),
    lowBack.set(i32x4.shuffle([0, 4, 1, 5], z.get, w.get)),
    highFront.set(i32x4.shuffle([2, 6, 3, 7], x.get, y.get)),
    highBack.set(i32x4.shuffle([2, 6, 3, 7], z.get, w.get)),
  ];
  return [halves.flat(), ...columns(lowFront, lowBack), ...columns(highFront, highBack)];
}

/**
 * settle(bytes, low): where a byte of the block is 255, draws 16 bits of the stream for ties, in the order of the elements:
 * 0 where they are below `low`, else 1. Looks at up to 15 bytes more than it is told.
 */
const settle: WasmFunction = {
  name: "settle",
  parameters: 2,
  body: ([bytes, low], declare) => {
    const [at, ties, word, shifted] = declareFour(declare, I32);
    const state = declareFour(declare, I32);
    const isKept = i32.geU(i32.shrU(word.get, i32.const(16)), (low as Local).get);
    return [
      ...state.map((register, i) => register.set(i32.load(TIES + 4 * i, i32.const(0)))),
      repeatWhile(
        i32.ltU(at.get, (bytes as Local).get),
        ties.set(i8x16.bitmask(v128.load(BLOCK, at.get))),
        when(
          ties.get,
          repeatWhile(
            ties.get,
            nextWord(oneWord, state, word, shifted),
            i32.store8(BLOCK, i32.add(at.get, i32.ctz(ties.get)), isKept),
            ties.set(i32.and(ties.get, i32.sub(ties.get, i32.const(1)))),
          ),
        ),
        at.set(i32.add(at.get, i32.const(VECTOR_BYTES))),
      ),
      ...state.map((register, i) => i32.store(TIES + 4 * i, i32.const(0), register.get)),
    ].flat();
  },
};

function declareFour(declare: (type: number) => Local, type: number): State {
  return [declare(type), declare(type), declare(type), declare(type)];
}

/** The module: `draw`, `settle` and `memory`. */
export function keepMaskProgram(): Uint8Array<ArrayBuffer> {
  return wasmModule(PAGES, [draw, settle]);
}
