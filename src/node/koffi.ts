/** koffi, which calls C libraries: loaded when it is first needed, with room for large libraries. */
import { createRequire } from "node:module";

type Koffi = typeof import("koffi");

/**
 * Stack of a call into a library, in bytes; koffi's largest. Its own 128 KiB for asynchronous calls are too few for a
 * compiler of graphs. Memory that is not used is not taken.
 */
export const NATIVE_STACK_BYTES = 16 * 2 ** 20;

let loaded: Koffi | undefined;

/** @throws {Error} where koffi has no binary for the system. */
export function loadKoffi(): Koffi {
  loaded ??= configured(createRequire(import.meta.url)("koffi"));
  return loaded;
}

function configured(koffi: Koffi): Koffi {
  try {
    koffi.config({ sync_stack_size: NATIVE_STACK_BYTES, async_stack_size: NATIVE_STACK_BYTES });
  } catch {
    // It stays as another user of koffi in this process has left it; who needs the room looks at koffi.config().
  }
  return koffi;
}
