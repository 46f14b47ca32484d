/** Loaded before a program: adds its peak memory to the JSON line that the program prints. */
import { memoryMb } from "./fresh-process.ts";

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = ((chunk: string | Uint8Array, ...rest: []) => {
  const text = String(chunk);
  if (!text.startsWith("{")) return write(chunk, ...rest);
  return write(`${JSON.stringify({ ...JSON.parse(text), peak_rss_mb: memoryMb("VmHWM") })}\n`, ...rest);
}) as typeof process.stdout.write;
