/** `load-once.ts <folder or file>`: loads a checkpoint in this process and prints how long it took and what memory it holds. */
import { built } from "./built.ts";
import { memoryMb, resetHighWaterMark } from "./fresh-process.ts";

const PAGE_BYTES = 4096;
/** Stored a second time, or no weight: not counted. */
const EXTRA = /^cls\.predictions\.decoder(\.weight|\.bias|_weight)$|^global_step$/;

const [path] = process.argv.slice(2) as [string];
const { openModelSource } = await built("node/model-source");
const { findCheckpoints } = await built("checkpoint/formats");
globalThis.gc?.();
resetHighWaterMark();
const [resident, anonymous] = [memoryMb("VmRSS"), memoryMb("RssAnon")];

const began = performance.now();
const { files, checkpoint } = await openModelSource(path);
const found = findCheckpoints(checkpoint === undefined ? files.paths : [checkpoint])[0];
if (found === undefined) throw new Error(`${path} holds no checkpoint`);
const { tensors } = await found.format.open(files, found.path);
const openSeconds = (performance.now() - began) / 1000;
const loaded = [...tensors].map(([name, tensor]) => [name, tensor.read().data] as const);
let sum = 0;
for (const [, { buffer, byteOffset, byteLength }] of loaded) {
  // A byte of every page: a file that is only mapped is not loaded yet.
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  for (let at = 0; at < byteLength; at += PAGE_BYTES) sum += bytes[at] as number;
}
const seconds = (performance.now() - began) / 1000;
const counted = loaded.filter(([name]) => !EXTRA.test(name));
console.log(
  JSON.stringify({
    seconds,
    open_seconds: openSeconds,
    growth_mb: memoryMb("VmHWM") - resident,
    private_mb: memoryMb("RssAnon") - anonymous,
    peak_rss_mb: memoryMb("VmHWM"),
    bytes: counted.reduce((total, [, { byteLength }]) => total + byteLength, 0),
    sum,
  }),
);
