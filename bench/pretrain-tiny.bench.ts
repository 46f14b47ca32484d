/** One pre-training step of four layers, 312 wide. */
import { pretrainingBench } from "./pretraining.ts";

export default pretrainingBench("tiny", 32, 9, { all: 1.2 });
