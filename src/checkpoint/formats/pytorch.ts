/** PyTorch's files of weights: torch.save of a state dict, in the zip format and the legacy one, sharded or not. */
import { CheckpointError, verbatim } from "../../errors.ts";
import type { Checkpoint, CheckpointFormat, LazyTensor } from "../format.ts";
import { PickleDict } from "../pickle-machine.ts";
import { isTorchFile, loadTorch, torchDangers } from "../pytorch/containers.ts";
import { ForeignTensor, TorchTensor, torchLazyTensor } from "../pytorch/objects.ts";
import { torchChunks } from "../pytorch/write.ts";
import { openSharded } from "../sharded.ts";
import type { CheckpointSource } from "../source.ts";

/** Keys under which training programs save the state dict, beside epochs and optimisers. */
const WRAPPERS = ["state_dict", "model_state_dict", "model", "module", "net", "network", "weights"];
/** {"model": {"state_dict": ...}} occurs; deeper nesting does not, and a dict may hold itself. */
const MAX_WRAPPERS = 4;
/** Notes on entries that are no tensors. */
const MAX_NAMES = 10;

const format: CheckpointFormat = {
  name: "pytorch",
  title: "PyTorch",
  // What else the trainers of Transformers save beside the weights is left out.
  fileNames: [
    /^pytorch_model\.bin$/,
    /^pytorch_model\.bin\.index\.json$/,
    /^(?!training_args|optimizer|scheduler|scaler|rng_state).+\.(?:bin|pt|pth)$/,
    /\.bin\.index\.json$/,
  ],
  recognizes: isTorchFile,
  async open(files, path) {
    if (path.endsWith(".json")) return openSharded(files, path, openFile);
    return openFile(await files.open(path));
  },
  async findDangers(files, path) {
    return path.endsWith(".json") ? [] : torchDangers(await files.open(path));
  },
  write: (tensors) => [{ path: "pytorch_model.bin", chunks: torchChunks(tensors) }],
};
export default format;

function openFile(source: CheckpointSource): Checkpoint {
  const notes: string[] = [];
  const dict = unwrap(loadTorch(source), source, notes);
  const tensors = new Map<string, LazyTensor>();
  // Tied weights, two names of the same elements, become one object: so they are known to be tied, and written once.
  const known = new Map<string, LazyTensor>();
  const others: string[] = [];
  for (const [name, value] of dict.entries) {
    if (typeof name === "string" && isTensor(value)) {
      const key = value instanceof TorchTensor ? value.identity : name;
      const tensor = known.get(key) ?? torchLazyTensor(name, value);
      known.set(key, tensor);
      tensors.set(name, tensor);
    } else others.push(String(name));
  }
  if (others.length > 0) {
    const more = others.length > MAX_NAMES ? ` and ${others.length - MAX_NAMES} more` : "";
    notes.push(`left out, not tensors: ${others.slice(0, MAX_NAMES).join(", ")}${more}`);
  }
  return { format: "pytorch", tensors, metadata: {}, notes };
}

function isTensor(value: unknown): value is TorchTensor | ForeignTensor {
  return value instanceof TorchTensor || value instanceof ForeignTensor;
}

/** The dict of tensors, out of what it was saved in. */
function unwrap(saved: unknown, source: CheckpointSource, notes: string[]): PickleDict {
  let value = saved;
  for (let depth = 0; depth < MAX_WRAPPERS && value instanceof PickleDict; depth++) {
    const { entries } = value;
    const wrapper = WRAPPERS.find((key) => entries.get(key) instanceof PickleDict);
    if (wrapper === undefined) {
      if ([...entries.values()].some(isTensor)) return value;
      break;
    }
    notes.push(`the weights were saved under "${wrapper}"`);
    value = entries.get(wrapper);
  }
  const keys = value instanceof PickleDict ? [...value.entries.keys()].slice(0, MAX_NAMES).join(", ") : "";
  throw new CheckpointError({
    where: source.name,
    expected: `a dict of tensors, or one under ${WRAPPERS.join(", ")}`,
    got: verbatim(value instanceof PickleDict ? `a dict of: ${keys || "nothing"}` : "another object"),
    hint: "Save the weights alone: torch.save(model.state_dict(), ...).",
  });
}
