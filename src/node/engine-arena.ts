/**
 * One arena of memory for the programs of ONNX Runtime in this process. Its C API has it and its binding for Node.js has not, so
 * that koffi calls it: sessions that ask for the environment's allocators share what they keep between runs.
 */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadKoffi } from "./koffi.ts";

/** Memory that runtimes share. */
export interface EngineArena {
  /** Gives this user's part up; the memory goes with the last user and the last program. */
  close(): void;
}

type Handle = unknown;
type Call = (...values: unknown[]) => Handle;

/** The version of the C API that is asked for; every later engine has it. */
const API_VERSION = 17;
/** Places in the table of functions, which only grows at its end. Source: OrtApi of onnxruntime_c_api.h. */
const PLACE = {
  getErrorMessage: 2,
  createEnv: 3,
  createCpuMemoryInfo: 69,
  releaseStatus: 93,
  releaseMemoryInfo: 94,
  createAndRegisterAllocator: 144,
  createArenaCfg: 156,
  releaseArenaCfg: 157,
  unregisterAllocator: 177,
} as const;
const FUNCTIONS = 178;

// Of the API's enumerations.
const LOG_ERRORS = 3;
const ARENA_ALLOCATOR = 1;
const DEFAULT_MEMORY = 0;
/** What the engine takes for an arena of its own: no limit, blocks that double. */
const ARENA = { limit: 0, strategy: -1, firstBlock: -1, unusedBytes: -1 } as const;

let users = 0;
let unregister: (() => void) | undefined;

/**
 * The arena of this process, made for its first user. Undefined where the engine cannot be called so: programs keep memory of
 * their own then. It is known to work on Linux, and not tried elsewhere.
 */
export function openEngineArena(): EngineArena | undefined {
  try {
    if (process.platform !== "linux") return undefined;
    if (users === 0) unregister = registerArena();
  } catch {
    return undefined;
  }
  users++;
  let isOpen = true;
  return {
    close() {
      if (!isOpen) return;
      isOpen = false;
      users--;
      if (users === 0) unregister?.();
    },
  };
}

/** @throws {Error} when the library cannot be called, or has an arena already (of another thread). */
function registerArena(): () => void {
  const api = loadApi();
  const made = (call: (made: Handle[]) => Handle) => {
    const out: Handle[] = [null];
    api.expectOk(call(out));
    return out[0];
  };
  // The environment is one for the whole process: this is the binding's.
  const environment = made((out) => api.createEnv(LOG_ERRORS, "zhbert", out));
  const memory = made((out) => api.createCpuMemoryInfo(ARENA_ALLOCATOR, DEFAULT_MEMORY, out));
  try {
    const { limit, strategy, firstBlock, unusedBytes } = ARENA;
    const arena = made((out) => api.createArenaCfg(limit, strategy, firstBlock, unusedBytes, out));
    const status = api.createAndRegisterAllocator(environment, memory, arena);
    api.releaseArenaCfg(arena);
    api.expectOk(status);
  } catch (error) {
    api.releaseMemoryInfo(memory);
    throw error;
  }
  return () => {
    const status = api.unregisterAllocator(environment, memory);
    api.releaseMemoryInfo(memory);
    api.expectOk(status);
  };
}

let loaded: ReturnType<typeof declareApi> | undefined;

function loadApi() {
  loaded ??= declareApi();
  return loaded;
}

function declareApi() {
  const koffi = loadKoffi();
  const pointer = "void *";
  const base = koffi.load(libraryPath()).func("OrtGetApiBase", pointer, [])();
  const [getApi] = koffi.decode(base, koffi.array(pointer, 2)) as readonly Handle[];
  const table = koffi.call(getApi, koffi.proto(pointer, ["uint32_t"]), API_VERSION);
  if (table === null) throw new Error(`no API of version ${API_VERSION}`);
  const functions = koffi.decode(table, koffi.array(pointer, FUNCTIONS)) as readonly Handle[];
  const out = koffi.out(koffi.pointer(pointer));
  const func = (place: number, result: string, parameters: readonly (string | typeof out)[]): Call => {
    const type = koffi.proto(result, [...parameters]);
    return (...values) => koffi.call(functions[place], type, ...values);
  };
  const getErrorMessage = func(PLACE.getErrorMessage, "const char *", [pointer]);
  const releaseStatus = func(PLACE.releaseStatus, "void", [pointer]);
  return {
    createEnv: func(PLACE.createEnv, pointer, ["int", "const char *", out]),
    createCpuMemoryInfo: func(PLACE.createCpuMemoryInfo, pointer, ["int", "int", out]),
    releaseMemoryInfo: func(PLACE.releaseMemoryInfo, "void", [pointer]),
    createArenaCfg: func(PLACE.createArenaCfg, pointer, ["size_t", "int", "int", "int", out]),
    releaseArenaCfg: func(PLACE.releaseArenaCfg, "void", [pointer]),
    createAndRegisterAllocator: func(PLACE.createAndRegisterAllocator, pointer, [pointer, pointer, pointer]),
    unregisterAllocator: func(PLACE.unregisterAllocator, pointer, [pointer, pointer]),
    expectOk(status: Handle) {
      if (status === null) return;
      const message = String(getErrorMessage(status));
      releaseStatus(status);
      throw new Error(message);
    },
  };
}

/** The library that the binding has loaded: the same file is the same library. */
function libraryPath(): string {
  const { resolve } = createRequire(import.meta.url);
  const bin = join(dirname(resolve("onnxruntime-node/package.json")), "bin");
  const binding = readdirSync(bin).find((name) => name.startsWith("napi-v")) ?? "";
  return join(bin, binding, process.platform, process.arch, "libonnxruntime.so.1");
}
