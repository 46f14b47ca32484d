/** Worker threads of the package's own programs, from what is shipped and from the sources. */
import { Worker, type WorkerOptions } from "node:worker_threads";

/** Starts a program of this folder. @param program - its file's name without extension: `data-worker`. */
export function startThread(program: string, options: WorkerOptions): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL(`./${program}.js`, import.meta.url), options);
  // From the sources (tests), where threads do not inherit the loader for TypeScript.
  const url = JSON.stringify(new URL(`./${program}.ts`, import.meta.url).href);
  const code = `import("tsx/esm/api").then(({ register }) => { register(); return import(${url}); });`;
  return new Worker(code, { ...options, eval: true });
}
