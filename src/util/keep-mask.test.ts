/** Dropout masks: their law, and their bits as a loop over one element after the other has them. */
import { createHash } from "node:crypto";
import { describe, expect, test, vi } from "vitest";
import { fillKeepMask } from "./keep-mask.ts";
import { Random } from "./random.ts";

/** The bits by their definition. */
function expectedMask(length: number, rate: number, seed: number, step: number, site: number): Uint8Array {
  const threshold = Math.min(Math.round(rate * 2 ** 24), 2 ** 24 - 1);
  const [words, ties] = [Random.derive(seed, step, site), Random.derive(seed, step, site, 1)];
  let word = 0;
  return Uint8Array.from({ length }, (_, i) => {
    word = i % 4 === 0 ? words.uint32() : word >>> 8;
    const [byte, limit] = [word & 255, threshold >>> 16];
    return Number(byte === limit ? ties.uint32() >>> 16 >= (threshold & 0xffff) : byte > limit);
  });
}

describe("the bits", () => {
  /** Around the 16 of a vector, the 16,384 of a lane and the 65,536 of a block. */
  const lengths = [0, 1, 15, 16, 17, 4099, 16_384, 16_385, 40_001, 65_535, 65_536, 65_537, 200_003];

  test.each(lengths)("%i elements are those of a loop", (length) => {
    const mask = new Uint8Array(length).fill(9);
    fillKeepMask(mask, 0.1, 12345, 7, 3);
    expect(Buffer.compare(mask, expectedMask(length, 0.1, 12345, 7, 3))).toBe(0);
  });

  test.each([0, 1e-9, 0.001, 0.25, 0.5 + 1 / 512, 0.7, 0.996, 0.999_999_999])("rate %d", (rate) => {
    const mask = new Uint8Array(140_000);
    fillKeepMask(mask, rate, 2 ** 40, 1, 0);
    expect(Buffer.compare(mask, expectedMask(mask.length, rate, 2 ** 40, 1, 0))).toBe(0);
  });

  test("those of a seed never change: resumed runs go on with them", () => {
    const mask = new Uint8Array(300_000);
    fillKeepMask(mask, 0.1, 12345, 7, 3);
    expect(createHash("sha256").update(mask).digest("hex")).toBe(
      "e3da21440176322a92faa0f08ff4670c31717392f60f704add4860d97a31275c",
    );
  });
});

describe("fillKeepMask", () => {
  test("drops at the rate, within four standard errors, over many rates", () => {
    const mask = new Uint8Array(400_000);
    for (const rate of [0.001, 0.1, 0.15, 0.3, 0.5, 0.9, 0.999]) {
      fillKeepMask(mask, rate, 1, 2, 3);
      const dropped = mask.length - mask.reduce((sum, keep) => sum + keep, 0);
      expect(Math.abs(dropped - rate * mask.length)).toBeLessThan(4 * Math.sqrt(mask.length * rate * (1 - rate)));
      expect(mask.every((keep) => keep === 0 || keep === 1)).toBe(true);
    }
  });

  test("resolves rates finer than a byte", () => {
    const mask = new Uint8Array(4_000_000);
    fillKeepMask(mask, 0.5 + 1 / 512, 1, 0, 0);
    const dropped = mask.length - mask.reduce((sum, keep) => sum + keep, 0);
    expect(Math.abs(dropped / mask.length - 0.501953125)).toBeLessThan(0.001);
  });

  test("neighbours are independent", () => {
    const mask = new Uint8Array(400_000);
    fillKeepMask(mask, 0.5, 4, 5, 6);
    for (const lag of [1, 2, 3, 4, 8, 128]) {
      let equal = 0;
      for (let i = lag; i < mask.length; i++) equal += mask[i] === mask[i - lag] ? 1 : 0;
      expect(Math.abs(equal / (mask.length - lag) - 0.5)).toBeLessThan((4 * 0.5) / Math.sqrt(mask.length));
    }
  });

  test("the same names give the same bits; seed, step and site each change them", () => {
    const draw = (seed: number, step: number, site: number) => {
      const mask = new Uint8Array(64);
      fillKeepMask(mask, 0.3, seed, step, site);
      return mask.join("");
    };
    expect(draw(1, 2, 3)).toBe(draw(1, 2, 3));
    expect(new Set([draw(1, 2, 3), draw(2, 2, 3), draw(1, 3, 3), draw(1, 2, 4), draw(2, 1, 3)]).size).toBe(5);
  });

  test("a view inside a larger buffer and a length that is no multiple of four", () => {
    const whole = new Uint8Array(64);
    fillKeepMask(whole, 0.4, 1, 1, 1);
    const buffer = new Uint8Array(64).fill(7);
    fillKeepMask(buffer.subarray(3, 3 + 13), 0.4, 1, 1, 1);
    expect([...buffer.subarray(3, 16)]).toEqual([...whole.subarray(0, 13)]);
    expect([buffer[2], buffer[16]]).toEqual([7, 7]);
  });

  test("rate 0 keeps everything; rates outside [0, 1) are refused", () => {
    const mask = new Uint8Array(10_000);
    fillKeepMask(mask, 0, 1, 1, 1);
    expect(mask.every((keep) => keep === 1)).toBe(true);
    expect(() => fillKeepMask(mask, 1, 1, 1, 1)).toThrow("dropout: rate: expected a number in [0, 1), got 1");
  });
});

test("where programs in WebAssembly are forbidden the error says what to allow", async () => {
  class Forbidden {
    constructor() {
      throw new Error("Wasm code generation disallowed by embedder");
    }
  }
  vi.stubGlobal("WebAssembly", { Module: Forbidden });
  vi.resetModules();
  try {
    const fresh = await import("./keep-mask.ts");
    expect(() => fresh.fillKeepMask(new Uint8Array(4), 0.1, 1, 1, 1)).toThrow(
      /^dropout: expected WebAssembly.*, got Wasm code generation disallowed by embedder/,
    );
  } finally {
    vi.unstubAllGlobals();
  }
});
