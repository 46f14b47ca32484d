/** Ctrl-C and SIGTERM: the first asks the work to save and stop, a second one ends the process at once. */
import { InterruptedError, verbatim } from "../errors.ts";
import type { Output } from "./command.ts";

/** Exit codes by signal, as shells give them: 128 + the signal's number. */
export const INTERRUPTED_EXIT_CODE = 130;
const TERMINATED_EXIT_CODE = 143;

const EXPLAIN_AFTER_MS = 700;

/** A signal that the first SIGINT or SIGTERM aborts, with an InterruptedError as its reason. */
export function interruption({ output }: { readonly output: Output }): AbortSignal {
  const controller = new AbortController();
  const onSignal = (name: "SIGINT" | "SIGTERM"): void => {
    if (controller.signal.aborted) process.exit(name === "SIGINT" ? INTERRUPTED_EXIT_CODE : TERMINATED_EXIT_CODE);
    controller.abort(
      new InterruptedError({ where: "zhbert", expected: "the work to be finished", got: verbatim(name) }),
    );
    // Most commands are gone by then; who still works says so.
    setTimeout(
      () => output.note("stopping after the current step; Ctrl-C again ends at once"),
      EXPLAIN_AFTER_MS,
    ).unref();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return controller.signal;
}
