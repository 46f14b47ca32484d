/**
 * A training process with all that a run can keep, which ends itself by SIGKILL some milliseconds after its start, or not at 0:
 * tsx test/kill-at-any-time.ts data secondData output config killAfter. It goes on with a run that is there.
 */
import { pretrain, resumePretraining } from "../src/node/pretrain.ts";
import { checkpointSteps } from "../src/node/run-folder.ts";

const [data = "", secondData = "", output = "", config = "", killAfter] = process.argv.slice(2);
const environment = {
  threads: 2,
  onStart: () => {
    if (Number(killAfter) > 0) setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(killAfter));
  },
};
if ((await checkpointSteps(output)).length > 0) await resumePretraining(output, environment);
else {
  await pretrain({
    ...{ data, output, config, ...environment },
    // What a process left that was killed before its first checkpoint.
    overwrite: true,
    optimizer: "lamb-nvidia",
    schedule: "cosine",
    steps: 14,
    secondPhase: { steps: 10, data: secondData, batchSize: 4, learningRate: 2e-3 },
    learningRate: 4e-3,
    batchSize: 8,
    gradientAccumulationSteps: 3,
    batchRamp: 0.5,
    averageDecay: 0.8,
    layerDecay: 0.9,
    patience: 100,
    saveBest: true,
    maskingRatio: "0.30:0.15",
    saveSteps: 3,
    loggingSteps: 4,
    evalSteps: 2,
    seed: 7,
  });
}
