/** An engine together with another one, for those who said that any engine will do. */
import { RuntimeError } from "../errors.ts";
import type { Runtime } from "./runtime.ts";

/**
 * An engine whose refused graphs another one computes.
 * @param engine - gives the name, version, precision and threads.
 * @param onNote - is told of each graph that the other one computes.
 */
export function withFallback(engine: Runtime, other: Runtime, onNote: (text: string) => void): Runtime {
  const { name, version, precision, threads, streams = 1 } = engine;
  return {
    name,
    version,
    precision,
    threads,
    streams,
    compile: async (graph, options) => {
      try {
        return await engine.compile(graph, options);
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        const executable = await other.compile(graph, options);
        onNote(`${name} refuses a graph, which ${other.name} computes in its place (${error.message})`);
        return executable;
      }
    },
    dispose: async () => {
      await Promise.all([engine.dispose(), other.dispose()]);
    },
  };
}
