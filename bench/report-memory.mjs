/** Loaded before a program, also where TypeScript is not: adds its peak memory to the JSON line that the program prints. */
import { readFileSync } from "node:fs";

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk, ...rest) => {
  const text = String(chunk);
  if (!text.startsWith("{")) return write(chunk, ...rest);
  const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return write(`${JSON.stringify({ ...JSON.parse(text), peak_rss_mb: Number(kilobytes) / 1024 })}\n`, ...rest);
};
