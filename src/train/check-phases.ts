/** Refuses phases that cannot be trained on. */
import { TrainingError, verbatim } from "../errors.ts";

type AnyPhase = { readonly batches: { readonly batchesPerEpoch: number } };

/**
 * The settings and the data of a second phase come together, and each phase has a batch at least.
 * @throws {TrainingError} otherwise.
 */
export function expectPhases({
  settings,
  phases,
}: {
  readonly settings: { readonly secondPhase?: object };
  readonly phases: readonly AnyPhase[];
}): void {
  if ((settings.secondPhase === undefined) !== (phases[1] === undefined)) {
    throw new TrainingError({
      where: "second phase",
      expected: "settings and batches for it",
      got: verbatim(phases[1] === undefined ? "settings alone" : "batches alone"),
    });
  }
  for (const { batches } of phases) {
    if (batches.batchesPerEpoch >= 1) continue;
    throw new TrainingError({
      where: "training data",
      expected: "at least one batch",
      got: batches.batchesPerEpoch,
      hint: "The data hold fewer instances than a batch: lower --batch-size, or make more with --dupe-factor.",
    });
  }
}
