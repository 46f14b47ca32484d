/**
 * Writes a model's pre-training logits for fixed random inputs to a safetensors file, to be compared with Transformers
 * (docs/training.md says how): npx tsx scripts/logits.ts out/ logits.safetensors
 */
import { readTensors } from "../src/checkpoint/format.ts";
import { writeSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { buildGraph, input, type Tensor } from "../src/graph/graph.ts";
import { modelContext } from "../src/model/context.ts";
import { encoder } from "../src/model/encoder.ts";
import { maskedLmHead, nextSentenceHead, pooler } from "../src/model/heads.ts";
import { loadPretrained } from "../src/node/bert-model.ts";
import { writeFileAtomic } from "../src/node/files.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { Random } from "../src/util/random.ts";
import { hostTensor } from "../src/util/tensor.ts";

const [folder = "out", target = "logits.safetensors"] = process.argv.slice(2);
const [batch, seq] = [5, 24];
const { config, named } = await loadPretrained(folder);
const weights = readTensors(named.tensors);

const random = new Random(1);
const draw = (below: number) => Int32Array.from({ length: batch * seq }, () => random.integer(below));
const inputs = {
  input_ids: hostTensor("int32", [batch, seq], draw(config.vocabSize)),
  token_type_ids: hostTensor("int32", [batch, seq], draw(config.typeVocabSize)),
  // Row r ends after seq - 4 r tokens.
  attention_mask: hostTensor(
    "int32",
    [batch, seq],
    Int32Array.from({ length: batch * seq }, (_, i) => (i % seq < seq - 4 * Math.floor(i / seq) ? 1 : 0)),
  ),
};

const context = modelContext();
const symbol = (name: keyof typeof inputs) => input(name, "int32", [batch, seq]);
const hiddenStates = encoder(context, config, {
  inputIds: symbol("input_ids"),
  tokenTypeIds: symbol("token_type_ids"),
  attentionMask: symbol("attention_mask"),
});
const last = hiddenStates.at(-1) as Tensor;
const graph = buildGraph({
  mlm_logits: maskedLmHead(context, config, last),
  nsp_logits: nextSentenceHead(context, pooler(context, config, last, batch, seq)),
});
const runtime = createOnnxRuntime();
const executable = await runtime.compile(graph);
const outputs = await executable.run({ ...Object.fromEntries(weights), ...inputs });
await writeFileAtomic(target, writeSafetensors(new Map([...Object.entries(inputs), ...Object.entries(outputs)])));
console.log(`${target}: the inputs, mlm_logits and nsp_logits of ${folder}`);
await runtime.dispose();
