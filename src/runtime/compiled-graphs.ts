/** What a runtime has compiled: one executable for each graph without built-in weights, and all of them to be disposed of. */
import type { Graph } from "../graph/graph.ts";
import type { CompileOptions, Executable } from "./runtime.ts";

/** Compiles one graph; `onDispose` is to be called when the executable is disposed of. */
type CompileGraph = (graph: Graph, options: CompileOptions, onDispose: () => void) => Promise<Executable>;

/** The executables of one runtime. */
export class CompiledGraphs {
  readonly #compileGraph: CompileGraph;
  readonly #shared = new Map<Graph, Promise<Executable>>();
  /** Weak, so that an executable that nobody holds any more is collected, and its engine's memory with it. */
  readonly #all = new Set<WeakRef<Executable>>();

  constructor(compileGraph: CompileGraph) {
    this.#compileGraph = compileGraph;
  }

  /** The executable of a graph: the same again where no weights are built in and it is not disposed of. */
  compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    if (options.weights) return this.#create(graph, options);
    const known = this.#shared.get(graph);
    if (known) return known;
    const created = this.#create(graph, options);
    this.#shared.set(graph, created);
    created.catch(() => this.#shared.delete(graph));
    return created;
  }

  /** Disposes of every executable. */
  async dispose(): Promise<void> {
    await Promise.allSettled(this.#shared.values());
    await Promise.all([...this.#all].map((kept) => kept.deref()?.dispose()));
  }

  async #create(graph: Graph, options: CompileOptions): Promise<Executable> {
    for (const kept of this.#all) if (kept.deref() === undefined) this.#all.delete(kept);
    // What is called at the end must not hold the options: the weights would stay beside the engine's own copy.
    const isShared = options.weights === undefined;
    const executable = await this.#compileGraph(graph, options, () => {
      this.#all.delete(kept);
      if (isShared) this.#shared.delete(graph);
    });
    const kept = new WeakRef(executable);
    this.#all.add(kept);
    return executable;
  }
}
