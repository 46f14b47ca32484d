/** Progress display on a stream that is no terminal, and on one. */
import { describe, expect, test } from "vitest";
import { createProgress, formatDuration, openEndedProgress } from "./progress.ts";

/** A stream that keeps what is written to it, and a clock that the test turns. */
function setting(isTTY: boolean) {
  const state = { written: "", timeMs: 0 };
  const stream = {
    isTTY,
    columns: 120,
    write: (text: string) => {
      state.written += text;
      return true;
    },
  } as unknown as NodeJS.WriteStream;
  return { state, stream, now: () => state.timeMs };
}

describe("createProgress where stderr is no terminal", () => {
  test("writes a line every ten seconds, with rate, time left and fields", () => {
    const { state, stream, now } = setting(false);
    const progress = createProgress({ total: 100, unit: "steps", label: "pre-train", stream, now });
    for (let step = 0; step <= 50; step++) {
      state.timeMs = step * 500;
      progress.update(step, { loss: (8 - step / 50).toFixed(2) });
    }
    expect(state.written.split("\n")).toEqual([
      "pre-train: 20/100 steps, 2 steps/s, 40 s left, loss 7.60",
      "pre-train: 40/100 steps, 2 steps/s, 30 s left, loss 7.20",
      "",
    ]);
  });

  test("tells the last state at the end, once", () => {
    const { state, stream, now } = setting(false);
    const progress = createProgress({ total: 10, unit: "lines", stream, now });
    state.timeMs = 100;
    progress.update(10);
    progress.stop();
    progress.stop();
    expect(state.written).toBe("progress: 10/10 lines\n");
  });

  test("shows work within by its own rate, and its time is not in the rate around it", () => {
    const { state, stream, now } = setting(false);
    const progress = createProgress({ total: 100, unit: "steps", label: "train", stream, now });
    const count = (shown: Pick<typeof progress, "update">, from: number, to: number, everyMs: number) => {
      for (let done = from; done <= to; done++) {
        shown.update(done);
        if (done < to) state.timeMs += everyMs;
      }
    };
    count(progress, 0, 10, 1000);
    const evaluation = progress.within({ total: 40, unit: "batches", label: "evaluating" });
    count(evaluation, 0, 40, 500);
    evaluation.stop();
    evaluation.stop();
    count(progress, 10, 20, 1000);
    expect(state.written.split("\n")).toEqual([
      "train: 10/100 steps, 1 steps/s, 1 min 30 s left",
      "evaluating: 20/40 batches, 2 batches/s, 10 s left",
      "evaluating: 40/40 batches, 2 batches/s",
      "train: 20/100 steps, 1 steps/s, 1 min 20 s left",
      "",
    ]);
  });

  test("counts the rate from where a resumed run begins, over the last half minute", () => {
    const { state, stream, now } = setting(false);
    const progress = createProgress({ total: 1000, unit: "steps", stream, now });
    progress.update(400);
    // A minute at 1 step a second, then one at 4.
    for (let second = 1; second <= 120; second++) {
      state.timeMs = second * 1000;
      progress.update(second <= 60 ? 400 + second : 460 + (second - 60) * 4);
    }
    expect(state.written.trimEnd().split("\n").at(-1)).toBe("progress: 700/1000 steps, 4 steps/s, 1 min 15 s left");
  });
});

describe("createProgress on a terminal", () => {
  test("draws a bar and leaves the cursor on a fresh line", () => {
    const { state, stream, now } = setting(true);
    const terminal = Object.assign(stream, { cursorTo: () => {}, moveCursor: () => {}, clearLine: () => {} });
    const progress = createProgress({ total: 4, unit: "steps", label: "train", stream: terminal, now });
    state.timeMs = 1000;
    progress.update(2, { loss: "6.10" });
    progress.stop();
    expect(state.written).toContain("50% 2/4 steps, loss 6.10");
    expect(state.written).toMatch(/\n[^\n]*$/);
  });

  test("gives the bar to work within, and takes it back", () => {
    const drawn = (isBack: boolean) => {
      const { state, stream, now } = setting(true);
      const terminal = Object.assign(stream, { cursorTo: () => {}, moveCursor: () => {}, clearLine: () => {} });
      const progress = createProgress({ total: 4, unit: "steps", label: "train", stream: terminal, now });
      progress.update(1);
      const evaluation = progress.within({ total: 10, unit: "batches", label: "evaluating" });
      evaluation.update(10);
      evaluation.stop();
      if (isBack) progress.update(2);
      // What came too fast to be drawn is drawn at the end.
      progress.stop();
      return state.written;
    };
    expect(drawn(false)).toMatch(/evaluating \S+ 100% 10\/10 batches/);
    expect(drawn(true)).toMatch(/train \S+ 50% 2\/4 steps/);
  });

  test("keeps what is written aside: its long lines wrap, and the end of the bar does not go back over it", () => {
    const { state, stream, now } = setting(true);
    const terminal = Object.assign(stream, { cursorTo: () => {}, moveCursor: () => {}, clearLine: () => {} });
    const progress = createProgress({ total: 4, unit: "steps", stream: terminal, now });
    progress.update(0);
    progress.aside(() => terminal.write("step 1: held-out loss\n"));
    expect(state.written.endsWith("\u001B[?7hstep 1: held-out loss\n\u001B[?7l")).toBe(true);
    progress.stop();
    const places = ["step 1", "\u001B7", "0/4 steps", "\u001B8"].map((text) => state.written.lastIndexOf(text));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    progress.aside(() => terminal.write("table\n"));
    expect(state.written.endsWith("\ntable\n")).toBe(true);
  });
});

test("without a known end, a line every ten seconds says how much there was", () => {
  const notes: string[] = [];
  let timeMs = 0;
  const output = { note: (text: string) => notes.push(text) };
  const progress = openEndedProgress(output, { unit: "MB", label: "data", now: () => timeMs });
  for (; timeMs <= 25_000; timeMs += 500) progress.update(timeMs / 1000, { instances: "7" });
  expect(notes).toEqual(["data: 10 MB, instances 7", "data: 20 MB, instances 7"]);
});

test("formatDuration speaks in the unit that fits", () => {
  expect([0.4, 59.4, 60, 3599, 3600, 90_061].map(formatDuration)).toEqual([
    "0 s",
    "59 s",
    "1 min 00 s",
    "59 min 59 s",
    "1 h 00 min",
    "25 h 01 min",
  ]);
});
