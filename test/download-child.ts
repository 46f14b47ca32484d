/** Downloads a model in a process of its own: the hub's address and the cache folder are its arguments. */
import { downloadModel } from "../src/node/hub.ts";

const [, , mirror, cacheDir] = process.argv;
await downloadModel("hfl/rbt3", { mirror, cacheDir });
