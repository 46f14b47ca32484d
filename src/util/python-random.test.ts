import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared } from "../../test/shared.ts";
import { PythonRandom, roundHalfEven } from "./python-random.ts";

describe("PythonRandom", () => {
  // Printed by CPython 3.11: random.Random(seed).random() and the like.
  test.each([
    [0, 0.8444218515250481],
    [1, 0.13436424411240122],
    [-1, 0.13436424411240122],
    [7, 0.32383276483316237],
  ])("seed %d starts with CPython's number", (seed, first) => {
    expect(new PythonRandom(seed).random()).toBe(first);
  });

  test("getrandbits, wide and narrow, as CPython", () => {
    const random = new PythonRandom(0);
    expect(random.getrandbits(32)).toBe(3626764237);
    expect(new PythonRandom(0).getrandbits(53)).toBe(3469980719646669);
    expect(new PythonRandom(0).getrandbitsBig(53)).toBe(3469980719646669n);
  });

  test("a bigint seed and the same number agree", () => {
    expect(new PythonRandom(12345n).random()).toBe(new PythonRandom(12345).random());
  });

  test("numbers stay in their ranges and reach both ends", () => {
    const random = new PythonRandom(3);
    const seen = new Set(Array.from({ length: 300 }, () => random.randint(-2, 3)));
    expect([...seen].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
  });

  test("refuses an empty range and a seed that is no integer", () => {
    const random = new PythonRandom(0);
    expect(() => random.randint(3, 2)).toThrow(/not empty/);
    expect(() => random.randrange(5, 5)).toThrow(/not empty/);
    expect(() => random.choice([])).toThrow(/not empty/);
    expect(() => random.getrandbits(54)).toThrow(/1 to 53/);
    expect(() => new PythonRandom(1.5)).toThrow(/integer/);
  });

  test("rounds halves to the even integer", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, 2.6].map((x) => roundHalfEven(x) + 0)).toEqual([0, 2, 2, 0, -2, 2, 3]);
  });
});

interface SeedRecord {
  readonly seed: number | string;
  readonly random: number[];
  readonly random_after_700: number[];
  readonly getrandbits: Record<string, (number | string)[]>;
  readonly randint: [number | string, number | string, (number | string)[]][];
  readonly randrange: [[number, number?, number?], number[]][];
  readonly shuffle: [number, number[]][];
  readonly choice: string[];
  readonly mixed: (number | number[])[];
}

describeShared("reference/data/random.json", "PythonRandom against CPython", (path) => {
  const golden = JSON.parse(readFileSync(path, "utf8"));
  test.each(golden.seeds as SeedRecord[])("seed $seed", (record) => {
    const make = () => new PythonRandom(typeof record.seed === "string" ? BigInt(record.seed) : record.seed);
    const times = (n: number, next: () => unknown) => Array.from({ length: n }, next);
    let random = make();
    expect(times(record.random.length, () => random.random())).toEqual(record.random);
    random = make();
    times(700, () => random.random());
    expect(times(4, () => random.random())).toEqual(record.random_after_700);
    for (const [bits, expected] of Object.entries(record.getrandbits)) {
      random = make();
      expect(expected.map(() => random.getrandbitsBig(Number(bits)))).toEqual(expected.map(BigInt));
      random = make();
      if (Number(bits) <= 53)
        expect(expected.map(() => random.getrandbits(Number(bits)))).toEqual(expected.map(Number));
    }
    for (const [low, high, expected] of record.randint) {
      random = make();
      expect(expected.map(() => random.randint(Number(low), Number(high)))).toEqual(expected.map(Number));
    }
    for (const [range, expected] of record.randrange) {
      random = make();
      expect(expected.map(() => random.randrange(...range))).toEqual(expected);
    }
    for (const [length, expected] of record.shuffle) {
      const items = Array.from({ length }, (_, i) => i);
      make().shuffle(items);
      expect(items).toEqual(expected);
    }
    random = make();
    expect(record.choice.map(() => random.choice([..."abcdefghijk"]))).toEqual(record.choice);
    random = make();
    const mixed = times(12, () => {
      const items = [0, 1, 2, 3, 4];
      const first = [random.random(), random.randint(2, 125)];
      random.shuffle(items);
      return [...first, items, random.randint(0, 21127)];
    }).flat();
    expect(mixed).toEqual(record.mixed);
  });

  test("round and the number of predictions", () => {
    for (const [x, expected] of golden.round) expect(roundHalfEven(x) + 0, `round(${x})`).toBe(expected);
    for (const [probability, counts] of Object.entries(golden.num_to_predict as Record<string, number[]>)) {
      expect(counts.map((_, i) => Math.max(1, roundHalfEven((i + 1) * Number(probability))))).toEqual(counts);
    }
  });
});
