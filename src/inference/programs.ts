/** The compiled graphs of one model: each is compiled when it is first needed, over the model's weights. */
import { type LazyTensors, readTensors } from "../checkpoint/format.ts";
import type { Graph } from "../graph/graph.ts";
import type { BertConfig } from "../model/config.ts";
import { expectNoneMissing, type WeightsReport } from "../model/match-weights.ts";
import { quantizedGraph } from "../model/quantized-graph.ts";
import type { QuantizedLayers } from "../model/quantized-weights.ts";
import { notNumbers } from "../runtime/checks.ts";
import type { Executable, Runtime } from "../runtime/runtime.ts";
import type { HostTensor } from "../util/tensor.ts";

/** What programs are made of. */
export interface ProgramParts {
  readonly config: BertConfig;
  /** float32 under Hugging Face's names; read when a program is compiled, and not kept. */
  readonly weights: LazyTensors;
  readonly report: WeightsReport;
  /** Which of the weights are there as integers too, and how layers compute with them; none when left out. */
  readonly quantized?: QuantizedLayers;
  readonly runtime: Runtime;
  /** Where the weights are from, for messages. */
  readonly where: string;
}

function parameterNames({ inputs }: Graph): Set<string> {
  return new Set(inputs.filter(({ parameter }) => parameter).map(({ name }) => name));
}

/** Compiles the graphs of a model once each. */
export class ModelPrograms {
  readonly config: BertConfig;
  readonly #parts: ProgramParts;
  readonly #compiled = new Map<string, Promise<Executable>>();

  constructor(parts: ProgramParts) {
    this.config = parts.config;
    this.#parts = parts;
  }

  /**
   * The program of a graph.
   * @param key - tells graphs of this model apart: `masked-lm`, `hidden-states -1,-2`.
   * @param build - makes the graph; called once for a key.
   * @throws {ConfigError} when the model has no weights for a part of the graph.
   */
  get(key: string, build: (config: BertConfig) => Graph): Promise<Executable> {
    const known = this.#compiled.get(key);
    if (known) return known;
    const compiled = this.#compile(build(this.config));
    this.#compiled.set(key, compiled);
    // One that failed is tried again, and has nothing to be freed.
    compiled.catch(() => this.#compiled.delete(key));
    return compiled;
  }

  /** Frees the engine's memory; programs are compiled again when they are needed. */
  async dispose(): Promise<void> {
    const compiled = await Promise.allSettled(this.#compiled.values());
    this.#compiled.clear();
    for (const one of compiled) if (one.status === "fulfilled") await one.value.dispose();
  }

  async #compile(graph: Graph): Promise<Executable> {
    const { weights, report, quantized, runtime, where } = this.#parts;
    const needed = parameterNames(graph);
    expectNoneMissing({ ...report, missing: report.missing.filter((name) => needed.has(name)) }, where);
    const executed = quantized === undefined ? graph : quantizedGraph(graph, quantized);
    const names = parameterNames(executed);
    const used = new Map([...weights].filter(([name]) => names.has(name)));
    return checked(await runtime.compile(executed, { weights: readTensors(used) }), runtime.precision, where);
  }
}

/** A program whose results are numbers, or an error: a vector that is none would pass for one in files and searches. */
function checked(executable: Executable, precision: string, where: string): Executable {
  const { streams = 1 } = executable;
  return {
    streams,
    async run(inputs, outputs) {
      const results = await executable.run(inputs, outputs);
      for (const [name, result] of Object.entries(results)) {
        if (hasNaN(result)) throw notNumbers(`${where}: ${name}`, precision);
      }
      return results;
    },
    dispose: () => executable.dispose(),
  };
}

function hasNaN({ dtype, data }: HostTensor): boolean {
  if (dtype !== "float32") return false;
  const values = data as Float32Array;
  // A loop, since `some` calls a function for each of what may be millions.
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return true;
  return false;
}
