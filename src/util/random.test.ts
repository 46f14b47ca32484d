/** Known vectors of the published algorithms, and the statistics that training relies on. */
import { describe, expect, test } from "vitest";
import { inverseNormal } from "./inverse-normal.ts";
import { Random, threefry2x32 } from "./random.ts";

const unsigned = (pair: readonly number[]) => pair.map((word) => word >>> 0);

describe("the algorithms", () => {
  test("threefry2x32 gives the known answers of Random123", () => {
    expect(unsigned(threefry2x32([0, 0], [0, 0]))).toEqual([0x6b200159, 0x99ba4efe]);
    expect(unsigned(threefry2x32([-1, -1], [-1, -1]))).toEqual([0x1cb996fc, 0xbb002be7]);
    expect(unsigned(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]))).toEqual([
      0xc4923a9c, 0x483df7a0,
    ]);
  });

  test("the words are those of xoshiro128++", () => {
    const random = Random.fromState([1, 2, 3, 4]);
    expect(Array.from({ length: 6 }, () => random.uint32())).toEqual([
      641, 1573767, 3222811527, 3517856514, 836907274, 4247214768,
    ]);
  });

  test("a seed's first numbers never change", () => {
    const random = new Random(12345);
    expect([
      random.uint32(),
      random.uniform(),
      random.normal(),
      random.truncatedNormal(0.02),
      random.integer(6),
    ]).toEqual([4227521835, 0.7023151615085309, 0.023217707739312567, 0.016636159539548636, 5]);
  });

  test("inverseNormal agrees with tabulated quantiles", () => {
    expect(inverseNormal(0.5)).toBe(0);
    expect(inverseNormal(0.975)).toBeCloseTo(1.959963984540054, 13);
    expect(inverseNormal(0.9)).toBeCloseTo(1.2815515655446004, 13);
    expect(inverseNormal(1e-10)).toBeCloseTo(-6.361340902404056, 12);
    expect(inverseNormal(1e-16)).toBeCloseTo(-8.222082216130435, 11);
  });
});

describe("Random", () => {
  test("goes on from a stored state", () => {
    const random = new Random(7);
    random.uniform();
    const copy = Random.fromState(JSON.parse(JSON.stringify(random.getState())));
    expect(copy.uniform()).toBe(random.uniform());
  });

  test("derived streams differ by every number and by their order", () => {
    const first = [[1], [2], [1, 2], [2, 1], [1, 2, 0]].map((stream) => Random.derive(3, ...stream).uint32());
    expect(new Set([...first, new Random(3).uint32(), Random.derive(2 ** 32 + 3, 1).uint32()]).size).toBe(7);
  });

  test("normal and truncated normal have their moments", () => {
    const random = new Random(11);
    const normal = moments(200_000, () => random.normal());
    expect(normal.mean).toBeCloseTo(0, 1);
    expect(normal.variance).toBeCloseTo(1, 1);
    const truncated = moments(200_000, () => random.truncatedNormal(0.02));
    expect(truncated.max).toBeLessThanOrEqual(0.04);
    expect(truncated.max).toBeGreaterThan(0.0399);
    expect(Math.abs(truncated.variance / 0.0004 - 0.7737413)).toBeLessThan(0.01);
  });

  test("integer is uniform and bounded", () => {
    const random = new Random(5);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[random.integer(7)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    expect(() => random.integer(0)).toThrow("expected a bound from 1 to 2^32, got 0");
  });

  test("shuffle keeps the elements and reaches every order", () => {
    const random = new Random(9);
    const orders = new Set<string>();
    for (let i = 0; i < 300; i++) orders.add(random.shuffle(["甲", "乙", "丙"]).join(""));
    expect(orders.size).toBe(6);
    expect([...random.shuffle(new Int32Array([1, 2, 3]))].sort()).toEqual([1, 2, 3]);
  });

  test("refuses seeds that are no safe integers", () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) {
      expect(() => new Random(seed)).toThrow("random: seed: expected an integer from 0 to 2^53 - 1");
    }
  });
});

function moments(count: number, draw: () => number) {
  let [sum, squares, max] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const value = draw();
    sum += value;
    squares += value * value;
    max = Math.max(max, Math.abs(value));
  }
  return { mean: sum / count, variance: squares / count - (sum / count) ** 2, max };
}
