/** The package as it is shipped: the benchmarks run what `npm run build` made, with the types of the sources. */
import { existsSync } from "node:fs";
import { Skip } from "./bench.ts";

interface Modules {
  readonly index: typeof import("../src/index.ts");
  readonly "checkpoint/formats": typeof import("../src/checkpoint/formats.ts");
  readonly "node/fine-tune": typeof import("../src/node/fine-tune.ts");
  readonly "node/index": typeof import("../src/node/index.ts");
  readonly "node/machine-peak": typeof import("../src/node/machine-peak.ts");
  readonly "node/model-source": typeof import("../src/node/model-source.ts");
  readonly "node/openvino/find": typeof import("../src/node/openvino/find.ts");
  readonly "node/pass-workers": typeof import("../src/node/pass-workers.ts");
  readonly "node/quantize": typeof import("../src/node/quantize.ts");
  readonly "node/runtimes": typeof import("../src/node/runtimes.ts");
  readonly "tasks/pipeline/pipeline": typeof import("../src/tasks/pipeline/pipeline.ts");
  readonly "tasks/task-files": typeof import("../src/tasks/task-files.ts");
  readonly "tasks/task-graph": typeof import("../src/tasks/task-graph.ts");
  readonly "tasks/tasks": typeof import("../src/tasks/tasks.ts");
  readonly "text/index": typeof import("../src/text/index.ts");
  readonly "train/clipping": typeof import("../src/train/clipping.ts");
  readonly "train/compile-pretraining": typeof import("../src/train/compile-pretraining.ts");
  readonly "train/pretraining-step": typeof import("../src/train/pretraining-step.ts");
  readonly "util/random": typeof import("../src/util/random.ts");
}

/**
 * A module of dist/. (The sources under tsx would be slower: it gives every function its name, closures at each call.)
 * @throws {Skip} when the package is not built. @throws {Error} when it has no such module.
 */
export async function built<Name extends keyof Modules>(name: Name): Promise<Modules[Name]> {
  if (!existsSync(new URL("../dist/", import.meta.url))) throw new Skip("dist/ is not there: run npm run build");
  return (await import(new URL(`../dist/${name}.js`, import.meta.url).href)) as Modules[Name];
}
