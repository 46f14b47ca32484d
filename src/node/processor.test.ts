import { expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import {
  engineThreads,
  featuresOf,
  linuxFlags,
  macFlags,
  multipliesBf16,
  readProcessor,
  saturatesInt8,
} from "./processor.ts";

const processor = (features: Record<string, boolean> | undefined) => ({
  model: "P",
  architecture: "x64",
  threads: 1,
  features,
});

test("an x86 processor's flags as Linux lists them", () => {
  const cpuinfo =
    "processor\t: 0\nmodel name\t: P\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx_vnni\nbugs\t\t: amx_tile\n";
  const features = featuresOf("x64", linuxFlags(cpuinfo));
  expect(features).toEqual({
    AVX2: true,
    "AVX-512": true,
    VNNI: true,
    AVX512_BF16: true,
    AMX: false,
    "AMX bf16": false,
  });
  expect(multipliesBf16(processor(features))).toBe(true);
});

test("AMX alone multiplies bf16 too; AVX2 does not", () => {
  const of = (flags: string) => multipliesBf16(processor(featuresOf("x64", linuxFlags(`flags : ${flags}\n`))));
  expect([of("avx2 amx_tile amx_bf16"), of("avx2 avx512f")]).toEqual([true, false]);
});

test("an ARM processor's flags, of Linux and of macOS", () => {
  const linux = featuresOf("arm64", linuxFlags("Features\t: fp asimd asimddp i8mm bf16\n"));
  expect(linux).toEqual({ NEON: true, "dot products": true, I8MM: true, BF16: true });
  const listing = "hw.optional.neon: 1\nhw.optional.arm.FEAT_BF16: 0\nhw.optional.arm.FEAT_I8MM: 1\n";
  expect(featuresOf("arm64", macFlags(listing))).toEqual({
    NEON: true,
    "dot products": false,
    I8MM: true,
    BF16: false,
  });
});

test("what the system does not tell is not known, rather than missing", () => {
  expect(featuresOf("x64", linuxFlags(""))).toBeUndefined();
  expect(featuresOf("riscv64", linuxFlags("flags : rv64\n"))).toBeUndefined();
  expect(multipliesBf16(processor(undefined))).toBeUndefined();
});

test("this processor has a name and threads", () => {
  const { model, threads, architecture } = readProcessor();
  expect([model.length > 0, threads > 0, architecture]).toEqual([true, true, process.arch]);
});

test("an engine has all processors, or as many threads as it can start", () => {
  expect([engineThreads(undefined, 3), engineThreads(8, 3), engineThreads(undefined, 4096)]).toEqual([3, 8, 4096]);
  for (const wrong of [0, -1, 1.5, Number.NaN, 1025]) expect(() => engineThreads(wrong, 2)).toThrow(ArgumentError);
  expect(() => engineThreads(100_000, 2)).toThrow("threads: expected a whole number in 1 .. 1024, got 100000");
});

test("sums of 8-bit products are cut off on x64 without VNNI, and perhaps where nothing is known", () => {
  const of = (architecture: string, features: Record<string, boolean> | undefined) =>
    saturatesInt8({ architecture, features });
  expect(of("x64", { AVX2: true, VNNI: false })).toBe(true);
  expect(of("x64", undefined)).toBe(true);
  expect(of("x64", { VNNI: true })).toBe(false);
  expect(of("arm64", { NEON: true })).toBe(false);
});
