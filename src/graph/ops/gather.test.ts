/** Rows by index and rows added at indices; above all indices that come several times. */
import { describe, expect, test } from "vitest";
import {
  at,
  checkOperator,
  evaluate,
  expectShapeError,
  numbers,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import { testRuntimes } from "../../../test/runtimes.ts";
import { Random } from "../../util/random.ts";
import { hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { buildGraph, input, type Tensor } from "../graph.ts";
import { add, mul } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { full } from "./constant.ts";
import { gather, oneHot, scatterAdd } from "./gather.ts";

const duplicates = Int32Array.of(1, 4, 1, 0, 1, 4);

describe.each([
  ["small", 5],
  ["large", 20],
])("gather from a %s table", (_, rows) => {
  const table = randomTensor(1, [rows, 3]);

  test.each(["int32", "int64"] as const)("%s indices, some several times", async (dtype) => {
    const data = dtype === "int32" ? duplicates : BigInt64Array.from(Array.from(duplicates), BigInt);
    await checkOperator({
      build: (...[x, indices]) => gather(x as Tensor, indices as Tensor),
      inputs: [table],
      constants: [hostTensor(dtype, [6], data)],
      shape: [6, 3],
      expected: tabulate([6, 3], (i, j) => at(table, duplicates[i] as number, j)),
    });
  });

  test("a table that is used twice gets the sum of both gradients", async () => {
    await checkOperator({
      build: (...[x, indices]) => mul(gather(x as Tensor, indices as Tensor), reduceSum(x as Tensor, [0])),
      inputs: [table],
      constants: [hostTensor("int32", [6], duplicates)],
      shape: [6, 3],
      expected: tabulate([6, 3], (i, j) => {
        let sum = 0;
        for (let row = 0; row < rows; row++) sum += at(table, row, j);
        return sum * at(table, duplicates[i] as number, j);
      }),
    });
  });
});

test.each(testRuntimes)("a named number of indices ($name)", async (runtime) => {
  const y = gather(input("table", "float32", [20, 3]), input("indices", "int32", ["n"]));
  expect(y.shape).toEqual(["n", 3]);
  const executable = await runtime.compile(buildGraph({ y }));
  const table = randomTensor(2, [20, 3]);
  for (const n of [1, 6]) {
    const indices = hostTensor("int32", [n], duplicates.slice(0, n));
    const results = await executable.run({ table, indices });
    expect(numbers(results["y"])).toEqual(tabulate([n, 3], (i, j) => at(table, duplicates[i] as number, j)));
  }
});

describe("scatterAdd", () => {
  const indices = hostTensor("int32", [6], duplicates);

  test("values and gradients with indices that come several times", async () => {
    const [table, updates] = [randomTensor(3, [5, 2]), randomTensor(4, [6, 2])];
    await checkOperator({
      build: (...[x, rows, at]) => scatterAdd(x as Tensor, at as Tensor, rows as Tensor),
      inputs: [table, updates],
      constants: [indices],
      shape: [5, 2],
      expected: tabulate([5, 2], (row, j) => {
        let sum = at(table, row, j);
        duplicates.forEach((index, i) => {
          if (index === row) sum += at(updates, i, j);
        });
        return sum;
      }),
    });
  });

  test.each(testRuntimes)("20 runs with two threads give the same bits ($name)", async (runtime) => {
    const [rows, width, n] = [50, 16, 4000];
    const random = new Random(7);
    const many = hostTensor(
      "int32",
      [n],
      Int32Array.from({ length: n }, () => random.integer(rows)),
    );
    const [table, updates] = [randomTensor(5, [rows, width]), randomTensor(6, [n, width])];
    const y = scatterAdd(
      input("table", "float32", [rows, width]),
      input("indices", "int32", [n]),
      input("updates", "float32", [n, width]),
    );
    const executable = await runtime.compile(buildGraph({ y }));
    const first = (await executable.run({ table, indices: many, updates }))["y"];
    const sums = Float64Array.from(table.data);
    updates.data.forEach((value, i) => {
      const row = many.data[Math.floor(i / width)] as number;
      sums[row * width + (i % width)] = (sums[row * width + (i % width)] as number) + value;
    });
    numbers(first).forEach((value, i) => {
      expect(Math.abs(value - (sums[i] as number))).toBeLessThan(1e-4);
    });
    for (let run = 1; run < 20; run++) {
      expect((await executable.run({ table, indices: many, updates }))["y"]?.data).toEqual(first?.data);
    }
  });

  test("a gradient that meets another is scattered onto it, without an array of zeros", async () => {
    const [x, symbol] = [input("x", "float32", [20, 3]), input("indices", "int32", [6])];
    const loss = add(reduceSum(gather(x, symbol)), reduceSum(mul(x, x)));
    const [grad] = gradients(loss, [x]);
    const graph = buildGraph({ grad: grad as Tensor });
    const scatter = graph.nodes.find(({ operator }) => operator.name === "scatterAdd");
    expect(scatter?.inputs[0]?.node.operator.name).not.toBe("full");
    const table = randomTensor(8, [20, 3]);
    const results = await evaluate({ grad: grad as Tensor }, { x: table, indices });
    numbers(results["grad"]).forEach((value, i) => {
      const count = duplicates.filter((index) => index === Math.floor(i / 3)).length;
      expect(value).toBeCloseTo(2 * (table.data[i] as number) + count, 5);
    });
  });

  test("axes and dtypes that do not fit are refused", () => {
    const [table, at] = [input("t", "float32", [5, 2]), input("i", "int32", [6])];
    const where = "scatterAdd: updates";
    expectShapeError(() => scatterAdd(table, at, full("float32", [4, 2], 0)), where, "float32[6, 2]", "float32[4, 2]");
    expectShapeError(() => scatterAdd(table, at, full("float32", [6, 3], 0)), where, "float32[6, 2]", "float32[6, 3]");
    expectShapeError(() => scatterAdd(table, at, full("float32", [6, 2, 1], 0)), where, "float32[6, 2, 1]");
    expectShapeError(() => scatterAdd(table, at, full("int32", [6, 2], 0)), where, "float32[6, 2]", "int32[6, 2]");
    expectShapeError(() => scatterAdd(at, at, table), "scatterAdd", "[rows, width]", "int32[6]");
  });
});

test("gather refuses other ranks and fractional indices", () => {
  const table = input("t", "float32", [5, 2]);
  expectShapeError(() => gather(table, input("i", "int32", [3, 2])), "gather", "float32[5, 2]", "int32[3, 2]");
  expectShapeError(() => gather(table, input("i", "float32", [3])), "gather", "float32[5, 2]", "float32[3]");
  expectShapeError(() => gather(input("v", "float32", [5]), input("i", "int32", [3])), "gather", "float32[5]");
});

test("oneHot", async () => {
  const hot = oneHot(input("indices", "int32", [3]), 4);
  expect([hot.dtype, hot.shape]).toEqual(["float32", [3, 4]]);
  const { y } = await evaluate({ y: hot }, { indices: hostTensor("int32", [3], Int32Array.of(2, 0, 2)) });
  expect(numbers(y)).toEqual([0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0]);
  expectShapeError(() => oneHot(input("i", "int32", [3, 1]), 4), "oneHot", "int32[3, 1]");
});
