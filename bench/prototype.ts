/**
 * The graph of the prototype that ../shared/prototypes/layer.mjs builds, as ONNX bytes. The script runs unchanged in a
 * folder where it finds onnx-proto and, in place of onnxruntime-node, a stub that writes the model to a file.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { Skip } from "./bench.ts";
import { benchFolder } from "./corpus.ts";
import { sharedPath } from "./peers.ts";

const ONNX_PROTO = "8.0.1";
const folder = `${benchFolder}prototype/`;

const STUB = `import { writeFileSync } from "node:fs";
export const InferenceSession = {
  create(bytes) {
    writeFileSync("layer.onnx", bytes);
    process.exit(0);
  },
};
export class Tensor {}
`;

/**
 * The prototype's model: one layer of BERT-base, forward and backward.
 * @throws {Skip} when the prototype is absent or onnx-proto cannot be installed.
 */
export function prototypeModel(batch: number, seq: number): Uint8Array {
  const script = sharedPath("prototypes/layer.mjs");
  if (script === undefined) throw new Skip("../shared/prototypes/layer.mjs is not there");
  const model = `${folder}layer-${batch}x${seq}.onnx`;
  if (!existsSync(model)) {
    install();
    copyFileSync(script, `${folder}layer.mjs`);
    execFileSync(process.execPath, ["layer.mjs", String(batch), String(seq)], { cwd: folder });
    renameSync(`${folder}layer.onnx`, model);
  }
  return readFileSync(model);
}

function install(): void {
  const stub = `${folder}node_modules/onnxruntime-node/`;
  if (existsSync(stub)) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}package.json`, `{ "private": true }\n`);
  try {
    execFileSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", `onnx-proto@${ONNX_PROTO}`], {
      cwd: folder,
      stdio: "pipe",
    });
  } catch (error) {
    throw new Skip(`onnx-proto, which the prototype needs, cannot be installed: ${(error as Error).message}`);
  }
  mkdirSync(stub);
  writeFileSync(`${stub}package.json`, `{ "name": "onnxruntime-node", "type": "module", "main": "index.mjs" }\n`);
  writeFileSync(`${stub}index.mjs`, STUB);
}
