/** What of a measurement becomes a curve, and under which name. */
import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { readRecords } from "../data/tfrecord.ts";
import { EventSchema } from "./_event_pb.ts";
import { scalarsOf, scalarsRecord, sessionStartRecord, stepOfEvent, versionRecord } from "./tensorboard.ts";

test("training and evaluation get their groups and BERT's names", () => {
  const training = {
    step: 3,
    loss: 2.5,
    mlmLoss: 2,
    nspLoss: 0.5,
    mlmAccuracy: 0.25,
    gradientNorm: 1,
    tokensPerSecond: 9,
  };
  expect(scalarsOf(training)).toEqual([
    { tag: "train/loss", value: 2.5 },
    { tag: "train/mlm_loss", value: 2 },
    { tag: "train/nsp_loss", value: 0.5 },
    { tag: "train/masked_lm_accuracy", value: 0.25 },
    { tag: "train/grad_norm", value: 1 },
    { tag: "train/tokens_per_second", value: 9 },
  ]);
  expect(scalarsOf({ step: 3, evaluation: { loss: 1, nspLoss: 0.5, nspAccuracy: 0.75 } })).toEqual([
    { tag: "eval/loss", value: 1 },
    { tag: "eval/nsp_loss", value: 0.5 },
    { tag: "eval/next_sentence_accuracy", value: 0.75 },
  ]);
});

test("what is no number, and next sentences that the data do not have, are left out", () => {
  const line = { step: 1, mlmLoss: 0, nspLoss: 0, nspAccuracy: 0, loss: Number.NaN, note: "x" };
  expect(scalarsOf(line)).toEqual([{ tag: "train/mlm_loss", value: 0 }]);
});

test("records hold version, start and scalars, zeros included", async () => {
  const bytes = [versionRecord(1.5), sessionStartRecord(2, 7), scalarsRecord(3, 7, [{ tag: "train/loss", value: 0 }])];
  const events = [];
  for await (const data of readRecords(
    (async function* () {
      yield* bytes;
    })(),
    "events",
  )) {
    expect(stepOfEvent(data)).toBe(events.length === 0 ? 0 : 7);
    events.push(fromBinary(EventSchema, data));
  }
  expect(events.map(({ wallTime }) => wallTime)).toEqual([1.5, 2, 3]);
  expect(events[0]?.what).toEqual({ case: "fileVersion", value: "brain.Event:2" });
  expect(events[1]?.what).toMatchObject({ case: "sessionLog", value: { status: 1 } });
  expect(events[2]?.what).toMatchObject({ value: { value: [{ tag: "train/loss", value: { value: 0 } }] } });
});
