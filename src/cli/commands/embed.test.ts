import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { smallModelFolder, smallWeights } from "../../../test/small-model.ts";
import { readSafetensors } from "../../checkpoint/formats/safetensors.ts";
import { ArgumentError, ConfigError, UsageError } from "../../errors.ts";
import { hostTensor } from "../../util/tensor.ts";

let folder: string;
let model: ReturnType<typeof smallModelFolder>;
let file: string;

const lines = ["今天天气很好", "我爱 ||| 北京", "", "他来了"];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-embed-"));
  model = smallModelFolder();
  file = join(folder, "texts.txt");
  writeFileSync(file, `${lines.join("\n")}\n`);
});
afterAll(() => {
  model.remove();
  rmSync(folder, { recursive: true, force: true });
});

const embed = (...options: readonly string[]) => runCommand(["embed", model.path, file, ...options]);

/** Shape and values of a .npy file of float32. */
function readNpy(path: string): { shape: string; values: Float32Array } {
  const bytes = readFileSync(path);
  const header = bytes.subarray(0, 128).toString("latin1");
  expect(header.startsWith("\x93NUMPY\x01\x00")).toBe(true);
  expect(header).toContain("'descr': '<f4', 'fortran_order': False");
  return {
    shape: /\(.*\)/.exec(header)?.[0] ?? "",
    values: new Float32Array(Uint8Array.from(bytes.subarray(128)).buffer),
  };
}

describe("embed", () => {
  test("a line for each text, blank ones too, from a file or standard input, with and without --json", async () => {
    const rows = parseLines(await embed("--normalize"));
    expect(rows.map(({ index, text }) => [index, text])).toEqual(lines.map((text, index) => [index, text]));
    for (const { vector } of rows) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    const piped = await runCommand(["embed", model.path, "-", "--normalize", "--json"], lines);
    expect(parseLines(piped)).toEqual(rows);
    const whole = parseLines(await embed("--normalize", "--batch-tokens", "1", "--threads", "1"));
    whole.forEach(({ vector }, i) => {
      vector.forEach((x: number, j: number) => {
        expect(x).toBeCloseTo(rows[i].vector[j], 5);
      });
    });
  });

  test("the same vectors as .npy, .safetensors and .jsonl", async () => {
    const options = ["--layers=-1,-2", "--truncate-dim", "20", "--mask-cls-sep", "--pooling", "mean-max"];
    const shown = parseLines(await embed(...options));
    const paths = ["npy", "safetensors", "jsonl"].map((ending) => join(folder, `vectors.${ending}`));
    for (const path of paths) {
      const written = parseLines(await embed(...options, "-o", path, "--json"));
      expect(written).toEqual([{ output: path, texts: 4, columns: 20 }]);
      expect(await embed(...options, "-o", path)).toMatch(/^output +texts +columns\n[\s\S]*vectors\.\w+ +4 +20\n$/);
    }
    const [npy, safetensors, jsonl] = paths as [string, string, string];
    const { shape, values } = readNpy(npy);
    expect(shape).toBe("(4, 20)");
    expect([...values]).toEqual(shown.flatMap(({ vector }) => vector.map(Math.fround)));
    const tensor = readSafetensors(readFileSync(safetensors)).get("embeddings");
    expect([tensor?.shape, [...((tensor?.data ?? []) as Float32Array)]]).toEqual([[4, 20], [...values]]);
    expect(parseLines(readFileSync(jsonl, "utf8"))).toEqual(shown);
  });

  test("no text gives an array of no rows", async () => {
    const path = join(folder, "empty.npy");
    await runCommand(["embed", model.path, "-o", path], []);
    expect(readNpy(path)).toEqual({ shape: "(0, 12)", values: new Float32Array(0) });
  });

  test("--words with offsets; --pooling none with a vector for each token", async () => {
    const [first, second] = parseLines(await embed("--words", "--segmenter", "jieba"));
    expect(first.words.map(({ text, start, end }: Record<string, unknown>) => [text, start, end])).toEqual([
      ["今天天气", 0, 4],
      ["很", 4, 5],
      ["好", 5, 6],
    ]);
    expect(first.words[0].vector).toHaveLength(12);
    // With --words a line is one text; nothing parts it.
    expect(second.words.at(-1)).toMatchObject({ text: "北京", start: 7, end: 9 });
    const tokens = parseLines(await embed("--pooling", "none"));
    expect(tokens.map(({ vectors }) => vectors.length)).toEqual([8, 7, 2, 5]);
  });

  test("long texts: windows, their merging, or the cut that was asked for", async () => {
    writeFileSync(join(folder, "long.txt"), "今天天气很好我爱北京的天气一是不了在人有他这");
    const long = async (...options: string[]) =>
      parseLines(await runCommand(["embed", model.path, join(folder, "long.txt"), ...options]))[0].vector;
    const whole = await long();
    expect(await long("--window-overlap", "1")).not.toEqual(whole);
    expect(await long("--window-merge", "max")).not.toEqual(whole);
    expect(await long("--truncate")).toEqual(await long("--window-merge", "first"));
    expect(await long("--truncate")).not.toEqual(whole);
    expect(await long("--max-length", "8")).not.toEqual(whole);
  });

  test("takes pooling and normalising from modules.json and says so, unless told otherwise", async () => {
    const own = smallModelFolder();
    mkdirSync(join(own.path, "1_Pooling"));
    const pooling = { pooling_mode_cls_token: true, pooling_mode_mean_tokens: false };
    writeFileSync(join(own.path, "1_Pooling", "config.json"), JSON.stringify(pooling));
    const modules = ["", "1_Pooling", "2_Normalize"].map((path) => ({
      path,
      type: `m.${path.slice(2) || "Transformer"}`,
    }));
    writeFileSync(join(own.path, "modules.json"), JSON.stringify(modules));
    let notes = "";
    const vectors = async (name: string, ...options: string[]) =>
      parseLines(await runCommand(["embed", name, file, ...options], [], (text) => (notes = text)));
    for (const name of [own.path, join(own.path, "model.safetensors")]) {
      expect(await vectors(name)).toEqual(await vectors(model.path, "--pooling", "cls", "--normalize"));
      await vectors(name);
      expect(notes).toContain("pooling cls, vectors of length 1, as modules.json says");
    }
    expect(await vectors(own.path, "--pooling", "max", "--no-normalize")).toEqual(
      await vectors(model.path, "--pooling", "max"),
    );
    await vectors(own.path, "--pooling", "max");
    expect(notes).toContain("vectors of length 1, as modules.json");
    expect(notes).not.toContain("pooling cls");
    own.remove();
  });

  test("refuses what cannot be, and leaves no file behind", async () => {
    const before = readdirSync(folder);
    const out = (name: string) => ["-o", join(folder, name)];
    await expect(embed(...out("v.txt"))).rejects.toThrow(UsageError);
    await expect(embed("--words", ...out("v.npy"))).rejects.toThrow("expected a name that ends in .jsonl");
    await expect(embed("--words", "--truncate-dim", "3")).rejects.toThrow(
      "--truncate-dim: expected no --words beside it",
    );
    await expect(embed("--pooling", "none", ...out("v.safetensors"))).rejects.toThrow(".jsonl");
    writeFileSync(join(folder, "in.jsonl"), "我\n");
    const onto = ["embed", model.path, join(folder, "in.jsonl"), ...out("in.jsonl")];
    await expect(runCommand(onto)).rejects.toThrow("expected another file");
    rmSync(join(folder, "in.jsonl"));
    await expect(embed("--layers=x")).rejects.toThrow("--layers: expected layers with commas between");
    await expect(embed("--layers=-4", ...out("v.npy"))).rejects.toThrow(ArgumentError);
    writeFileSync(join(folder, "pair.txt"), `我\n${"我".repeat(12)} ||| 北京\n`);
    const pairs = ["embed", model.path, join(folder, "pair.txt")];
    await expect(runCommand([...pairs, ...out("v.npy")])).rejects.toThrow("text 2: expected a pair");
    rmSync(join(folder, "pair.txt"));
    expect(readdirSync(folder)).toEqual(before);
    expect(existsSync(join(folder, "v.npy"))).toBe(false);
  });
});

describe("features", () => {
  const features = (...options: readonly string[]) => runCommand(["features", model.path, file, ...options]);

  test("the layout of extract_features.py", async () => {
    const rows = parseLines(await features("--layers=-1,-2"));
    expect(rows.map(({ linex_index }) => linex_index)).toEqual([0, 1, 2, 3]);
    expect(rows[1].features.map(({ token }: { token: string }) => token)).toEqual(
      "[CLS] 我 爱 [SEP] 北 京 [SEP]".split(" "),
    );
    const [cls] = rows[0].features;
    expect(Object.keys(cls)).toEqual(["token", "layers"]);
    expect(cls.layers.map(({ index }: { index: number }) => index)).toEqual([-1, -2]);
    for (const value of cls.layers[0].values) expect(Math.round(value * 1e6) / 1e6).toBe(value);
    const [vector] = parseLines(await embed("--pooling", "cls"));
    cls.layers[0].values.forEach((value: number, i: number) => {
      expect(value).toBeCloseTo(vector.vector[i], 5);
    });
  });

  test("into a file; what is too long is cut", async () => {
    const path = join(folder, "features.jsonl");
    const written = await features("--layers", "0", "--max-seq-length", "4", "-o", path, "--json");
    expect(parseLines(written)).toEqual([{ output: path, texts: 4, columns: 12 }]);
    const rows = parseLines(readFileSync(path, "utf8"));
    expect(rows.map(({ features: tokens }) => tokens.length)).toEqual([4, 4, 2, 4]);
    await expect(features("-o", join(folder, "features.npy"))).rejects.toThrow(UsageError);
  });
});

describe("parity", () => {
  const parity = async (other: string, ...options: readonly string[]) =>
    parseLines(await runCommand(["parity", model.path, other, "--json", ...options]));

  test("a model and itself do not differ; one changed layer shows in it and above", async () => {
    const same = await parity(model.path);
    expect(same.map(({ layer }) => layer)).toEqual([0, 1, 2, "pooled_output", "mlm_logits", "nsp_logits"]);
    for (const { maxAbsDiff, cosine } of same) expect([maxAbsDiff, cosine]).toEqual([0, expect.closeTo(1, 9)]);

    const weights = smallWeights();
    const name = "bert.encoder.layer.1.output.dense.bias";
    const { shape } = weights.get(name) as { shape: readonly number[] };
    weights.set(name, hostTensor("float32", shape, new Float32Array(12).fill(9)));
    const changed = smallModelFolder(weights);
    for (const options of [
      ["--seed", "5"],
      ["--texts", file],
    ]) {
      const differences = (await parity(changed.path, ...options)).map(({ maxAbsDiff }) => maxAbsDiff);
      expect(differences.slice(0, 2)).toEqual([0, 0]);
      for (const difference of differences.slice(2)) expect(difference).toBeGreaterThan(0.01);
    }
    changed.remove();
  });

  test("only heads that both have; a table for people; other sizes are refused", async () => {
    const headless = new Map([...smallWeights()].filter(([name]) => !name.startsWith("cls.predictions")));
    const other = smallModelFolder(headless);
    expect((await parity(other.path)).map(({ layer }) => layer)).toEqual([0, 1, 2, "pooled_output", "nsp_logits"]);
    rmSync(join(other.path, "vocab.txt"));
    rmSync(join(other.path, "tokenizer.json"));
    expect(await runCommand(["parity", model.path, other.path])).toMatch(
      /layer +max abs diff +cosine.*0 \(embeddings\) +0 +1\.0/s,
    );
    await expect(runCommand(["parity", other.path, model.path, "--texts", file])).rejects.toThrow("vocab.txt");
    other.remove();
    const shallow = new Map([...smallWeights()].filter(([name]) => !name.includes("layer.1.")));
    const small = smallModelFolder(shallow, { num_hidden_layers: 1 });
    await expect(parity(small.path)).rejects.toThrow(ConfigError);
    await expect(parity(small.path)).rejects.toThrow("num_hidden_layers: expected 2, as the first model has, got 1");
    small.remove();
  });
});
