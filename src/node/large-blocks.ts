/**
 * Large blocks of memory that go back to the system when they are freed. The C library of Linux (glibc) begins so, but takes
 * blocks of up to 32 MiB from its heap as soon as one of that size was freed: what an engine frees while it sets a program up
 * then stays with the process.
 */
import { loadKoffi } from "./koffi.ts";

/** Source: malloc.h of glibc. */
const MMAP_THRESHOLD = -3;
/** Above what is allocated all the time; activations and gradients are larger. */
const LARGE_BYTES = 2 ** 20;

let isSet: boolean | undefined;

/** Sets it for this process. @returns whether the C library has such a setting. */
export function returnLargeBlocks(): boolean {
  isSet ??= setThreshold();
  return isSet;
}

function setThreshold(): boolean {
  if (process.platform !== "linux") return false;
  try {
    const mallopt = loadKoffi().load(null).func("int mallopt(int parameter, int value)");
    return mallopt(MMAP_THRESHOLD, LARGE_BYTES) === 1;
  } catch {
    return false;
  }
}
