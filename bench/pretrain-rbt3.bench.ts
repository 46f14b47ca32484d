/** One pre-training step of three layers of BERT-base's width. */
import { pretrainingBench } from "./pretraining.ts";

export default pretrainingBench("rbt3", 32, 7, { all: 1.2 });
