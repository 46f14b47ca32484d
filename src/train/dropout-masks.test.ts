/** The masks of a step: named by numbers, in memory that stays. */
import { expect, test } from "vitest";
import { fillKeepMask } from "../util/keep-mask.ts";
import { Random } from "../util/random.ts";
import { DropoutMasks, type DropoutSite } from "./dropout-masks.ts";
import { type PassRunner, serialPasses } from "./pass-runner.ts";

const sites = (batch: number): DropoutSite[] => [
  { name: "dropout.small", shape: [batch, 3], rate: 0.1 },
  { name: "dropout.large", shape: [batch, 5, 7], rate: 0.5 },
  { name: "dropout.same", shape: [batch, 5, 7], rate: 0.5 },
];

test("a site's mask is that of its number, of the micro-batch's and of the pass's", async () => {
  const masks = new DropoutMasks(42, serialPasses);
  const drawn = async (index: number, pass: number) => {
    const all = Object.entries(await masks.draw(sites(4), index, pass));
    return all.map(([name, { dtype, shape, data }]) => [name, dtype, shape, Array.from(data as Uint8Array)]);
  };
  const expected = (index: number, pass: number) => {
    const seed = Random.derive(42, 0x64726f70, ...(pass === 0 ? [] : [pass])).uint32();
    return sites(4).map(({ name, shape, rate }, site) => {
      const mask = new Uint8Array(shape.reduce((product, size) => product * size, 1));
      fillKeepMask(mask, rate, seed, index, site);
      return [name, "uint8", shape, Array.from(mask)];
    });
  };
  for (const [index, pass] of [
    [0, 0],
    [9, 0],
    [9, 2],
  ] as const) {
    expect(await drawn(index, pass)).toEqual(expected(index, pass));
  }
});

test("the large ones come first, and a length has one array for good", async () => {
  const seen: Uint8Array[][] = [];
  const passes: PassRunner = {
    run: (name, tasks) => {
      seen.push(tasks.map(({ arrays: [mask] }) => mask as unknown as Uint8Array));
      return serialPasses.run(name, tasks);
    },
  };
  const masks = new DropoutMasks(1, passes);
  for (const batch of [4, 2, 4, 2]) await masks.draw(sites(batch), 0, 0);
  expect(seen[0]!.map(({ length }) => length)).toEqual([140, 140, 12]);
  for (const i of [0, 1, 2]) {
    expect(seen[2]![i]).toBe(seen[0]![i]);
    expect(seen[3]![i]).toBe(seen[1]![i]);
    expect(seen[1]![i]!.buffer).toBe(seen[0]![i]!.buffer);
  }
});

test("without dropout there is nothing to draw", async () => {
  expect(await new DropoutMasks(1, serialPasses).draw([], 0, 0)).toEqual({});
});
