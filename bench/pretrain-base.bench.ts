/** One pre-training step of BERT-base. */
import { pretrainingBench } from "./pretraining.ts";

export default pretrainingBench("base", 8, 5, { masked: 1 });
