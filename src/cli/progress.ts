/**
 * Progress on stderr through cli-progress: a bar with rate and time left on a terminal; elsewhere (a log file, a
 * pipe) a plain line now and then.
 */
import { SingleBar } from "cli-progress";
import type { MeasuredProgress, Output, Progress, ProgressSize } from "./command.ts";

/** A Progress that other output can be written above. */
export interface StoppableProgress extends MeasuredProgress {
  /** Erases the bar's line and lets other output take its place; the next update draws the bar below it. */
  aside(write: () => void): void;
}

interface ProgressOptions extends ProgressSize {
  readonly stream: NodeJS.WriteStream;
  /** The time in milliseconds; for tests. */
  readonly now?: () => number;
}

type Fields = Readonly<Record<string, string>>;

const LINE_EVERY_MS = 10_000;
/** The rate is that of the last 30 seconds, so that a slow start or a pause is soon forgotten. */
const RATE_WINDOW_MS = 30_000;
const SAMPLE_EVERY_MS = 500;

const WRAPPING_ON = "\u001B[?7h";
const WRAPPING_OFF = "\u001B[?7l";
const SAVE_CURSOR = "\u001B7";

/** A progress display on a stream. */
export function createProgress({ stream, now = () => performance.now(), ...size }: ProgressOptions): StoppableProgress {
  const screen = stream.isTTY ? terminalBar(stream, size) : plainLines(stream, now);
  // The clock of this one stands still while there is work within.
  let absentMs = 0;
  const update = updater(screen, size, () => now() - absentMs);
  const within = (inner: ProgressSize): Progress => {
    const begun = now();
    let isOpen = true;
    return {
      update: updater(screen, inner, now),
      stop: () => {
        if (isOpen) absentMs += now() - begun;
        isOpen = false;
      },
    };
  };
  return { update, within, aside: screen.aside, stop: screen.stop };
}

/** What is shown of some work. */
interface Shown {
  readonly label: string;
  readonly done: number;
  readonly total: number;
  readonly status: string;
}

/** Where it is shown. */
interface Screen extends Pick<StoppableProgress, "aside" | "stop"> {
  show(shown: Shown): void;
}

const LABEL = "progress";

/** Measures the rate of some work, and shows it. */
function updater(screen: Screen, { total, unit, label = LABEL }: ProgressSize, now: () => number): Progress["update"] {
  const meter = createMeter(total, now);
  return (done, fields) => {
    meter.add(done);
    screen.show({ label, done, total, status: formatStatus(done, total, unit, meter, fields) });
  };
}

function terminalBar(stream: NodeJS.WriteStream, { total, label = LABEL }: ProgressSize): Screen {
  const bar = new SingleBar({
    stream,
    format: "{label} {bar} {percentage}% {status}",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 24,
    hideCursor: true,
    // What was written aside erased the bar.
    forceRedraw: true,
    // Ctrl-C belongs to interruption.ts.
    gracefulExit: false,
  });
  bar.start(total, 0, { label, status: "" });
  let isOpen = true;
  return {
    show: (shown) => {
      bar.setTotal(shown.total);
      bar.update(Math.min(shown.done, shown.total), { label: shown.label, status: shown.status });
    },
    aside: (write) => {
      if (!isOpen) return write();
      // The bar turns line wrapping off; other output keeps its long lines whole.
      stream.write(`\r\u001B[K${WRAPPING_ON}`);
      write();
      stream.write(WRAPPING_OFF);
    },
    stop: () => {
      // The bar goes back to where it began, over what was written aside; so it is told to begin here.
      if (isOpen) stream.write(SAVE_CURSOR);
      if (isOpen) bar.stop();
      isOpen = false;
    },
  };
}

function plainLines(stream: NodeJS.WriteStream, now: () => number): Screen {
  let shownAt = now();
  let unshown: string | undefined;
  const show = (line: string): void => {
    stream.write(`${line}\n`);
    shownAt = now();
    unshown = undefined;
  };
  return {
    show: ({ label, status }) => {
      unshown = `${label}: ${status}`;
      if (now() - shownAt >= LINE_EVERY_MS) show(unshown);
    },
    aside: (write) => write(),
    // The last state is always told.
    stop: () => (unshown === undefined ? undefined : show(unshown)),
  };
}

/** A line now and then, where nobody knows how much is to come: what is read from a pipe has no size. */
export function openEndedProgress(
  output: Pick<Output, "note">,
  { unit, label, now = () => performance.now() }: { unit: string; label: string; now?: () => number },
): Progress {
  let notedAt = now();
  const update = (done: number, fields: Fields = {}): void => {
    if (now() - notedAt < LINE_EVERY_MS) return;
    notedAt = now();
    output.note(`${label}: ${[`${done} ${unit}`, ...formatFields(fields)].join(", ")}`);
  };
  return { update, stop: () => undefined };
}

interface Meter {
  add(done: number): void;
  /** Units a second, or undefined before two points in time are known. */
  rate(): number | undefined;
}

function createMeter(total: number, now: () => number): Meter {
  let samples: { readonly time: number; readonly done: number }[] = [];
  let last = { time: 0, done: 0 };
  return {
    add: (done) => {
      last = { time: now(), done: Math.min(done, total) };
      const newest = samples.at(-1);
      if (newest !== undefined && last.time - newest.time < SAMPLE_EVERY_MS) return;
      const kept = samples.filter((sample) => last.time - sample.time <= RATE_WINDOW_MS);
      // Slow work keeps one older sample: a rate needs two.
      samples = [...(kept.length > 0 ? kept : samples.slice(-1)), last];
    },
    rate: () => {
      const first = samples[0];
      if (first === undefined || last.time <= first.time) return undefined;
      return ((last.done - first.done) / (last.time - first.time)) * 1000;
    },
  };
}

function formatStatus(done: number, total: number, unit: string, meter: Meter, fields: Fields = {}): string {
  const rate = meter.rate();
  const parts = [`${done}/${total} ${unit}`];
  if (rate !== undefined && rate > 0) {
    parts.push(`${rate >= 100 ? Math.round(rate) : Number(rate.toPrecision(2))} ${unit}/s`);
    if (done < total) parts.push(`${formatDuration((total - done) / rate)} left`);
  }
  return [...parts, ...formatFields(fields)].join(", ");
}

function formatFields(fields: Fields): string[] {
  return Object.entries(fields).map(([name, text]) => `${name} ${text}`);
}

/** Seconds as people say them: `42 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}
