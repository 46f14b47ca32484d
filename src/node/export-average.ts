/** The moving average of a run's weights as a model's folder. */
import { join } from "node:path";
import { writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { CheckpointError, verbatim } from "../errors.ts";
import { fileError, makeFolder, readText, writeFileAtomic } from "./files.ts";
import { SMALL_FILES } from "./model-files.ts";
import { checkpointSteps, MODEL_FILE, RunFolder, readCheckpoint } from "./run-folder.ts";

/**
 * Writes the averaged weights of a run's last checkpoint, with what was not trained as it is, as a model.
 * @param run - the run's folder. @param output - a folder without a model.
 * @returns the updates that the average is over.
 * @throws {CheckpointError} when the run keeps no average. @throws {FileError} when the output holds a model already.
 */
export async function exportAverage(run: string, output: string): Promise<number> {
  const step = (await checkpointSteps(run)).at(-1);
  const checkpoint = step === undefined ? undefined : join(run, `checkpoint-${step}`);
  const { weights, average } = checkpoint === undefined ? {} : await readCheckpoint(checkpoint);
  if (checkpoint === undefined || step === undefined || weights === undefined || average === undefined) {
    throw new CheckpointError({
      where: run,
      expected: "the folder of a run that keeps a moving average",
      got: verbatim(checkpoint === undefined ? "one without a checkpoint" : "one that keeps none"),
      hint: "Begin the run with --ema.",
    });
  }
  await RunFolder.expectFree(output);
  await makeFolder(output).catch((error) => {
    throw fileError(output, "a folder that can be written", error);
  });
  for (const name of SMALL_FILES) await writeFileAtomic(join(output, name), await readText(join(checkpoint, name)));
  await writeFileAtomic(join(output, MODEL_FILE), writeSafetensors(new Map([...weights, ...average])));
  return step;
}
