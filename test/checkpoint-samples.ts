/** Small sound checkpoints of every format: made by its own writer or here, and the reference files where they are. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import * as h5wasm from "h5wasm";
import { lazyTensors } from "../src/checkpoint/format.ts";
import { npyHeader } from "../src/checkpoint/formats/numpy.ts";
import { checkpointFormats, findCheckpoints } from "../src/checkpoint/formats.ts";
import { zipChunks } from "../src/checkpoint/zip-writer.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../src/util/tensor.ts";
import { shared } from "./shared.ts";

/** A sound checkpoint. */
export interface Sample {
  readonly title: string;
  /** The name of the format, or "zip" for a download. */
  readonly format: string;
  /** Bytes by path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Of the file that it is opened by. */
  readonly path: string;
}

/** Files beyond this take too long to be read some hundred times. */
const MAX_FILE_BYTES = 700_000;

function weights(): NamedTensors {
  const numbers = Float32Array.from({ length: 24 }, (_, i) => i / 8 - 1);
  return new Map<string, HostTensor>([
    ["bert.encoder.weight", hostTensor("float32", [4, 6], numbers)],
    ["bert.encoder.bias", hostTensor("float32", [4], numbers.slice(0, 4))],
    ["half", hostTensor("float16", [2, 2], Uint16Array.of(0x3c00, 0, 1, 2))],
    ["position_ids", hostTensor("int64", [1, 3], BigInt64Array.of(0n, 1n, 2n))],
    ["scalar", hostTensor("float32", [], Float32Array.of(0.5))],
  ]);
}

const join = (chunks: Iterable<Uint8Array>) => new Uint8Array(Buffer.concat([...chunks]));

function written(): Sample[] {
  return checkpointFormats.flatMap((format) => {
    if (format.write === undefined) return [];
    const files = new Map<string, Uint8Array>();
    for (const { path, chunks } of format.write(lazyTensors(weights()))) files.set(path, join(chunks));
    const found = findCheckpoints([...files.keys()]).find((checkpoint) => checkpoint.format === format);
    return [{ title: `${format.name}, written`, format: format.name, files, path: found?.path ?? "" }];
  });
}

function hdf5(): Sample {
  const file = new h5wasm.File("/sample.h5", "w");
  for (const [name, tensor] of weights()) {
    if (tensor.dtype === "float16") continue;
    const group = file.create_group(name.replaceAll(".", "_"));
    const data = tensor.data as Float32Array;
    group.create_dataset({ name: "kernel:0", data, shape: [...tensor.shape] });
    if (tensor.shape.length === 2) {
      group.create_dataset({ name: "packed", data, shape: [...tensor.shape], chunks: [1, 3], compression: 5 });
    }
  }
  file.create_soft_link("/scalar", "soft");
  file.create_external_link("/other.h5", "/w", "external");
  file.close();
  const fs = h5wasm.FS as NonNullable<typeof h5wasm.FS>;
  const bytes = fs.readFile("/sample.h5").slice();
  fs.unlink("/sample.h5");
  return { title: "keras-h5, made", format: "keras-h5", files: new Map([["tf_model.h5", bytes]]), path: "tf_model.h5" };
}

const npy = (tensor: HostTensor) => join([npyHeader(tensor.dtype, tensor.shape), tensorBytes(tensor)]);

function numpy(): Sample[] {
  const archive = zipChunks([...weights()].map(([name, tensor]) => ({ path: `${name}.npy`, read: () => npy(tensor) })));
  const [first] = weights().values();
  return [
    { title: "numpy, archive", format: "numpy", files: new Map([["w.npz", join(archive)]]), path: "w.npz" },
    { title: "numpy, array", format: "numpy", files: new Map([["v.npy", npy(first!)]]), path: "v.npy" },
  ];
}

/** The checkpoints of the reference model. */
function references(): Sample[] {
  const root = shared("reference/bert-tiny");
  if (root === undefined) return [];
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" });
  const small = paths.filter((path) => !/^(expected|training)/.test(path) && isSmallFile(`${root}/${path}`));
  const samples = findCheckpoints(small).map(({ format, path }): Sample => {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const beside = small.filter((other) => other.startsWith(folder) && !other.slice(folder.length).includes("/"));
    const files = new Map(beside.map((other) => [other, new Uint8Array(readFileSync(`${root}/${other}`))]));
    return { title: `${format.name}, ${path}`, format: format.name, files, path };
  });
  const downloads = small.filter((path) => path.endsWith(".zip"));
  for (const path of downloads) {
    const files = new Map([[path, new Uint8Array(readFileSync(`${root}/${path}`))]]);
    samples.push({ title: `zip, ${path}`, format: "zip", files, path });
  }
  return samples;
}

function isSmallFile(path: string): boolean {
  const stat = statSync(path);
  return stat.isFile() && stat.size <= MAX_FILE_BYTES;
}

/** Sound checkpoints of every format. */
export async function checkpointSamples(): Promise<Sample[]> {
  await h5wasm.ready;
  return [...written(), hdf5(), ...numpy(), ...references()];
}
