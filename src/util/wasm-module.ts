/**
 * Writes small WebAssembly modules from expressions, for loops that need the vector instructions which JavaScript lacks.
 *
 * A piece of code is its bytes; functions put pieces together as the text format's folded form does: `i32.add(x, y)`.
 * Source: WebAssembly Core Specification 2.0, chapter 5 (binary format).
 */

import { RuntimeError, verbatim } from "../errors.ts";

/** Instructions in their binary form. */
export type Code = readonly number[];

/** The types of values, by their bytes. */
export const I32 = 0x7f;
export const V128 = 0x7b;

/** A variable of a function. */
export interface Local {
  readonly get: Code;
  set(value: Code): Code;
}

/** A function of a module; its parameters are i32, and it gives nothing. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  /** @param declare - gives a further variable of a type. */
  body(parameters: readonly Local[], declare: (type: number) => Local): Code;
}

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const END = 0x0b;
const NO_RESULT = 0x40;

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** Signed LEB128. */
function signedLeb(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signedLeb(value >> 7)];
}

type Unary = (x: Code) => Code;
type Binary = (x: Code, y: Code) => Code;

const scalar =
  (opcode: number) =>
  (...operands: Code[]) => [...operands.flat(), opcode];
const vector =
  (opcode: number) =>
  (...operands: Code[]) => [...operands.flat(), 0xfd, ...leb(opcode)];

/** Alignment as its logarithm (a hint: 0 is always right) and offset. */
const memory = (offset: number) => [0, ...leb(offset)];
const scalarMemory =
  (opcode: number) =>
  (offset: number, ...operands: Code[]) => [...operands.flat(), opcode, ...memory(offset)];
const vectorMemory =
  (opcode: number) =>
  (offset: number, ...operands: Code[]) => [...operands.flat(), 0xfd, ...leb(opcode), ...memory(offset)];

/** Instructions of 32-bit integers; addresses are offset + i32. */
export const i32 = {
  const: (value: number): Code => [0x41, ...signedLeb(value)],
  load: scalarMemory(0x28) as (offset: number, address: Code) => Code,
  store: scalarMemory(0x36) as (offset: number, address: Code, value: Code) => Code,
  store8: scalarMemory(0x3a) as (offset: number, address: Code, value: Code) => Code,
  ltU: scalar(0x49) as Binary,
  geU: scalar(0x4f) as Binary,
  ctz: scalar(0x68) as Unary,
  add: scalar(0x6a) as Binary,
  sub: scalar(0x6b) as Binary,
  and: scalar(0x71) as Binary,
  xor: scalar(0x73) as Binary,
  shl: scalar(0x74) as Binary,
  shrU: scalar(0x76) as Binary,
  rotl: scalar(0x77) as Binary,
};

/** Instructions of 128 bits. */
export const v128 = {
  load: vectorMemory(0x00) as (offset: number, address: Code) => Code,
  store: vectorMemory(0x0b) as (offset: number, address: Code, value: Code) => Code,
  /** The bits of the first that the second lacks. */
  andnot: vector(0x4f) as Binary,
  or: vector(0x50) as Binary,
  xor: vector(0x51) as Binary,
};

/** Instructions of four 32-bit floats at once. */
export const f32x4 = {
  /** All four from one in the memory. */
  loadSplat: vectorMemory(0x09) as (offset: number, address: Code) => Code,
  /** All bits of an element where the first is less, else none. */
  lt: vector(0x43) as Binary,
  abs: vector(0xe0) as Unary,
  sqrt: vector(0xe3) as Unary,
  add: vector(0xe4) as Binary,
  sub: vector(0xe5) as Binary,
  mul: vector(0xe6) as Binary,
  div: vector(0xe7) as Binary,
};

/** Instructions of 16 bytes at once. */
export const i8x16 = {
  splat: vector(0x0f) as Unary,
  eq: vector(0x23) as Binary,
  bitmask: vector(0x64) as Unary,
  subSatU: vector(0x73) as Binary,
  minU: vector(0x77) as Binary,
};

/** Instructions of four 32-bit integers at once; shifts are by an i32. */
export const i32x4 = {
  shl: vector(0xab) as Binary,
  shrU: vector(0xad) as Binary,
  add: vector(0xae) as Binary,
  /** The words of the two operands that are named: 0 to 3 of the first, 4 to 7 of the second. */
  shuffle: (words: readonly [number, number, number, number], x: Code, y: Code): Code => {
    const bytes = words.flatMap((word) => [0, 1, 2, 3].map((byte) => 4 * word + byte));
    return [...x, ...y, 0xfd, 0x0d, ...bytes];
  },
};

/** Repeats code as long as the condition holds afterwards. */
export function repeatWhile(condition: Code, ...body: Code[]): Code {
  return [0x03, NO_RESULT, ...body.flat(), ...condition, 0x0d, 0, END];
}

/** Code for the case that a condition holds. */
export function when(condition: Code, ...body: Code[]): Code {
  return [...condition, 0x04, NO_RESULT, ...body.flat(), END];
}

/**
 * The bytes of a module that exports its functions, and `memory`.
 * @param pages - of 64 KiB, of the memory.
 */
export function wasmModule(pages: number, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, ...list(Array.from({ length: parameters }, () => [I32])), 0]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, ...leb(index)]);
  return Uint8Array.from([
    ...HEADER,
    ...section(1, list(types)),
    ...section(3, list(functions.map((_, index) => leb(index)))),
    ...section(5, list([[0, ...leb(pages)]])),
    ...section(7, list([...exported, [...text("memory"), 2, 0]])),
    ...section(10, list(functions.map((one) => sized(functionBody(one))))),
  ]);
}

function functionBody({ parameters, body }: WasmFunction): number[] {
  const types: number[] = [];
  const declare = (type: number) => local(parameters + types.push(type) - 1);
  const code = body(
    Array.from({ length: parameters }, (_, index) => local(index)),
    declare,
  );
  return [...list(types.map((type) => [1, type])), ...code, END];
}

function local(index: number): Local {
  return { get: [0x20, ...leb(index)], set: (value) => [...value, 0x21, ...leb(index)] };
}

function list(items: readonly Code[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function sized(bytes: Code): number[] {
  return [...leb(bytes.length), ...bytes];
}

function section(id: number, content: Code): number[] {
  return [id, ...sized(content)];
}

function text(value: string): number[] {
  return sized([...new TextEncoder().encode(value)]);
}

/** What is used of WebAssembly; the language's own library has no types for it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/**
 * The exports of a module, ready to be called.
 * @param where @param what - for the message where it cannot be: the part of the program, and what the module does there.
 * @throws {RuntimeError} where WebAssembly with vectors is missing or forbidden.
 */
export function instantiate<Exports>(module: Uint8Array, where: string, what: string): Exports {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(module)).exports as Exports;
  } catch (cause) {
    throw new RuntimeError({
      where,
      expected: `WebAssembly with vectors, which ${what}`,
      got: verbatim(cause instanceof Error ? cause.message : String(cause)),
      hint: "in a page, let its content security policy allow 'wasm-unsafe-eval'",
      cause,
    });
  }
}
