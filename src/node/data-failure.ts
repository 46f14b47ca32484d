/** Errors between threads: structured cloning keeps neither classes nor codes. */
import {
  ArgumentError,
  CorpusError,
  DataError,
  type ErrorDetail,
  FileError,
  RuntimeError,
  VocabularyError,
  verbatim,
  ZhbertError,
} from "../errors.ts";

/** An error as plain data. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly stack: string;
  /** The system's code, where a file failed. */
  readonly systemCode?: string;
}

const classes: Readonly<Record<string, new (detail: ErrorDetail) => ZhbertError>> = {
  ERR_ARGUMENT: ArgumentError,
  ERR_CORPUS: CorpusError,
  ERR_DATA: DataError,
  ERR_FILE: FileError,
  ERR_VOCABULARY: VocabularyError,
};

/** An error as it goes to another thread. */
export function toFailure(error: unknown): Failure {
  const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  const systemCode = ((error as Error | undefined)?.cause as NodeJS.ErrnoException | undefined)?.code;
  const known = error instanceof ZhbertError ? { code: error.code, hint: error.hint } : { code: "", hint: "" };
  return { ...known, message, stack, ...(systemCode === undefined ? {} : { systemCode }) };
}

/** The error that another thread has met, of the same class; what is none of ours is a RuntimeError with its cause. */
export function fromFailure({ code, message, hint, stack, systemCode }: Failure): ZhbertError {
  const cause = Object.assign(new Error(message), { stack, ...(systemCode === undefined ? {} : { code: systemCode }) });
  const Class = classes[code];
  const [, where, expected, got] = /^(.*?): expected (.*), got (.*)$/su.exec(message) ?? [];
  if (Class === undefined || where === undefined || expected === undefined || got === undefined) {
    return workerFailed(message, cause);
  }
  return new Class({ where, expected, got: verbatim(got), hint, cause });
}

/** The error for a worker that did not do its work. */
export function workerFailed(got: string, cause?: unknown): RuntimeError {
  return new RuntimeError({
    where: "data: worker",
    expected: "a block of text to be worked on",
    got: verbatim(got),
    hint: "blocks that are finished are kept: the same command goes on from there; --workers 1 works without threads",
    cause,
  });
}
