/**
 * HTTP as a hub wants it: proxies of the environment, redirects that never carry the token to another server, retries
 * with exponential back-off and Retry-After, and errors that say what to do.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { EnvHttpProxyAgent, type Response as HttpResponse, fetch as httpFetch } from "undici";
import { FileError, InterruptedError, verbatim } from "../errors.ts";

/** How patient the client is; the defaults suit people, tests are quicker. */
export interface Patience {
  /** Failures in a row, without a byte gained between them, until the client gives up. */
  readonly attempts: number;
  /** The first wait between two attempts; each further one is twice as long. */
  readonly firstWaitMs: number;
  /** The longest silence of a server. */
  readonly silenceMs: number;
}

const defaultPatience: Patience = { attempts: 5, firstWaitMs: 1000, silenceMs: 30_000 };
/** No server is waited for longer than this, whatever its Retry-After says. */
const MAX_WAIT_MS = 120_000;
const MAX_REDIRECTS = 10;
/** Only who asked for a part of a file can tell what this means. */
const RANGE_NOT_SATISFIABLE = 416;
/** Answers of the API are lists of files: megabytes at most. */
const MAX_ANSWER_BYTES = 1 << 25;
/** Nobody answers there, or there is no network: a second try is enough. */
const HOPELESS = new Set(["ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);
const MAX_HOPELESS_ATTEMPTS = 2;
/** A server that is there answers a connection soon; one that is blocked never does. */
const CONNECT_MS = 10_000;

/** What a client is made of. */
export interface HubHttpOptions {
  /** Where the hub is; only this server is shown the credentials. */
  readonly endpoint: string;
  /** Headers that carry the token; empty without one. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  /** Told of each wait, in words. */
  readonly onNote: ((text: string) => void) | undefined;
  readonly patience: Partial<Patience> | undefined;
  /** Whether its caller has something else to offer when nobody answers. */
  readonly isDispensable?: boolean;
  /** What to do after a refusal, by status and the hub's error code. */
  readonly explain: (status: number, errorCode: string) => Explanation;
}

/** Why a server refused, in words, and what to do. */
export interface Explanation {
  readonly got: string;
  readonly hint: string;
}

/** An answer, with the hub's own headers kept from before it redirected elsewhere. */
export interface HubAnswer {
  readonly response: HttpResponse;
  /** The hub's ETag of the file, without quotes; undefined where it gives none. */
  readonly etag: string | undefined;
}

/** A failure that may pass: the network's, a busy server's, a body cut short. */
export class PassingError extends Error {
  /** How long the server asks to be left alone. */
  readonly waitMs: number | undefined;
  constructor(message: string, { waitMs, cause }: { waitMs?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause });
    this.waitMs = waitMs;
  }
}

/** A client of one hub. Close it when done. */
export class HubHttp {
  readonly #options: HubHttpOptions;
  readonly #patience: Patience;
  readonly #agent: EnvHttpProxyAgent;
  readonly #origin: string;

  /** @throws {FileError} when the endpoint is no URL of http or https. */
  constructor(options: HubHttpOptions) {
    this.#options = options;
    this.#patience = { ...defaultPatience, ...options.patience };
    this.#origin = originOf(options.endpoint);
    const { silenceMs } = this.#patience;
    this.#agent = new EnvHttpProxyAgent({
      headersTimeout: silenceMs,
      bodyTimeout: silenceMs,
      connect: { timeout: Math.min(CONNECT_MS, silenceMs) },
    });
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /**
   * Asks once for a URL, following redirects.
   * @throws {PassingError} when asking again may help. @throws {FileError} when it will not.
   */
  async get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<HubAnswer> {
    let etag: string | undefined;
    let target = new URL(url);
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const isHub = target.origin === this.#origin;
      const response = await this.#once(target, isHub ? headers : withoutCondition(headers), isHub);
      if (isHub) etag = hubEtag(response) ?? etag;
      const location = response.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
        if (response.status >= 400 && response.status !== RANGE_NOT_SATISFIABLE) await this.#refuse(response, url);
        return { response, etag };
      }
      await response.body?.cancel();
      target = redirected(target, location, url);
    }
    throw new FileError({ where: url, expected: "a file", got: verbatim(`more than ${MAX_REDIRECTS} redirects`) });
  }

  async #once(url: URL, headers: Readonly<Record<string, string>>, isHub: boolean): Promise<HttpResponse> {
    const { credentials, signal } = this.#options;
    try {
      return await httpFetch(url, {
        // Lengths and ranges count the bytes of the file, so it must come as it is.
        headers: { "user-agent": "zhbert", "accept-encoding": "identity", ...headers, ...(isHub ? credentials : {}) },
        redirect: "manual",
        dispatcher: this.#agent,
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      throw this.passing(error);
    }
  }

  /** What an error of the network is: an interruption by the user, or a failure that may pass. */
  passing(error: unknown): unknown {
    if (this.#options.signal?.aborted) return interrupted();
    return new PassingError(networkMessage(error), { cause: error });
  }

  async #refuse(response: HttpResponse, url: string): Promise<never> {
    const { status } = response;
    const errorCode = response.headers.get("x-error-code") ?? "";
    await response.body?.cancel();
    if (status === 408 || status === 429 || status >= 500) {
      throw new PassingError(`status ${status}`, { waitMs: retryAfterMs(response.headers.get("retry-after")) });
    }
    const { got, hint } = this.#options.explain(status, errorCode);
    throw new FileError({ where: url, expected: "the hub to give the file", got: verbatim(got), hint });
  }

  /**
   * Does work again after failures that may pass.
   * @param gained - bytes gained so far; after progress the failures are counted anew.
   * @throws {FileError} when patience ends; the PassingError is its cause.
   */
  async retry<Result>(where: string, work: () => Promise<Result>, gained: () => number = () => 0): Promise<Result> {
    let failures = 0;
    let before = gained();
    while (true) {
      this.expectRunning();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        if (gained() > before) failures = 0;
        before = gained();
        failures++;
        const waitMs = error.waitMs ?? this.#patience.firstWaitMs * 2 ** (failures - 1);
        if (failures >= this.#attemptsAfter(error) || waitMs > MAX_WAIT_MS) throw givenUp(where, error, waitMs);
        this.#options.onNote?.(`${where}: ${error.message}; trying again in ${Math.ceil(waitMs / 1000)} s`);
        await this.#wait(waitMs);
      }
    }
  }

  #attemptsAfter(error: PassingError): number {
    const { attempts } = this.#patience;
    if (!HOPELESS.has(errorCodeOf(error.cause))) return attempts;
    return this.#options.isDispensable ? 1 : Math.min(attempts, MAX_HOPELESS_ATTEMPTS);
  }

  async #wait(waitMs: number): Promise<void> {
    const { signal } = this.#options;
    // An abort ends the wait early; the next round throws.
    await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }

  /** @throws {InterruptedError} after Ctrl-C. */
  expectRunning(): void {
    if (this.#options.signal?.aborted) throw interrupted();
  }

  /** A `fetch` for @huggingface/hub: small answers, whole, with all that this client does. */
  asFetch(): typeof fetch {
    return async (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      const headers = Object.fromEntries(new Headers(init?.headers));
      return this.retry(url.replace(/\?.*/, ""), async () => {
        const { response } = await this.get(url, headers);
        const body = await this.#smallBody(response, url);
        return new Response(body, { status: response.status, headers: [...response.headers] });
      });
    };
  }

  /**
   * A JSON answer.
   * @throws {FileError} when it is none.
   */
  async json(url: string): Promise<unknown> {
    const response = await this.asFetch()(url);
    try {
      return await response.json();
    } catch (cause) {
      throw new FileError({ where: url, expected: "JSON", got: verbatim("something else"), cause });
    }
  }

  async #smallBody(response: HttpResponse, url: string): Promise<Uint8Array<ArrayBuffer>> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of response.body ?? []) {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) break;
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.passing(error);
    }
    if (size <= MAX_ANSWER_BYTES) return new Uint8Array(Buffer.concat(chunks));
    throw new FileError({ where: url, expected: `at most ${MAX_ANSWER_BYTES} bytes`, got: verbatim("more") });
  }
}

function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") return url.origin;
  throw new FileError({
    where: "the hub's address",
    expected: "a URL such as https://huggingface.co",
    got: endpoint,
    hint: "check --mirror and HF_ENDPOINT",
  });
}

function redirected(from: URL, location: string, url: string): URL {
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target?.protocol === "https:" || target?.protocol === "http:") return target;
  throw new FileError({ where: url, expected: "a redirect to http or https", got: location });
}

/** The ETag of a hub is not that of the storage behind it, which would answer with the whole file again. */
function withoutCondition(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "if-range"));
}

function hubEtag({ headers }: HttpResponse): string | undefined {
  const etag = headers.get("x-linked-etag") ?? headers.get("etag");
  return etag?.replace(/^W\//, "").replaceAll('"', "");
}

/** @param value - seconds, or a date. */
function retryAfterMs(value: string | null): number | undefined {
  if (value === null) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function errorCodeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === "string") return code;
  return cause === undefined ? "" : errorCodeOf(cause);
}

function networkMessage(error: unknown): string {
  const code = errorCodeOf(error);
  const words: Readonly<Record<string, string>> = {
    ENOTFOUND: "no such server, or no network",
    EAI_AGAIN: "the server's name cannot be looked up",
    ECONNREFUSED: "the server refuses connections",
    ECONNRESET: "the connection was cut",
    UND_ERR_SOCKET: "the connection was cut",
    UND_ERR_HEADERS_TIMEOUT: "the server is silent",
    UND_ERR_BODY_TIMEOUT: "the server is silent",
    UND_ERR_CONNECT_TIMEOUT: "the server does not answer",
  };
  return words[code] ?? `the connection failed (${code === "" ? String(error) : code})`;
}

function givenUp(where: string, error: PassingError, waitMs: number): FileError {
  const asksTooMuch = waitMs > MAX_WAIT_MS ? `; it asks to wait ${Math.ceil(waitMs / 1000)} s` : "";
  return new FileError({
    where,
    expected: "an answer of the hub",
    got: verbatim(`${error.message}${asksTooMuch}`),
    hint: "what was downloaded is kept: run it again to go on; --mirror URL asks another server, --offline takes what is in the cache",
    cause: error,
  });
}

/** The error after Ctrl-C. */
export function interrupted(): InterruptedError {
  return new InterruptedError({
    where: "download",
    expected: "the download to be finished",
    got: verbatim("an interruption"),
    hint: "what was downloaded is kept: run the same command again to go on",
  });
}
