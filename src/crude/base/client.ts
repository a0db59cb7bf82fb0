// Sends requests to the server's API, and turns what goes wrong into errors with an exit code.

import { requireSecure } from "./address.ts";
import { CrudeError, EXIT, type ExitCode, messageOf } from "./errors.ts";
import type { Credential } from "./profiles.ts";

const TIMEOUT_MS = 60_000;

export interface Wanted {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** For the whole answer; 60 s by default, `null` for none. */
  readonly timeoutMs?: number | null;
}

/** What the server answers to a request that it did not do. */
interface ErrorBody {
  readonly error: string;
  readonly code: string;
  readonly details?: unknown;
}

export interface ClientOptions {
  /** The origin of the server. */
  readonly url: string;
  readonly credential: Credential | undefined;
  readonly version: string;
}

export class Client {
  readonly url: string;
  readonly credential: Credential | undefined;
  readonly #version: string;

  /** @throws CrudeError (usage) if the credential would not be encrypted on its way */
  constructor({ url, credential, version }: ClientOptions) {
    if (credential) requireSecure(url);
    this.url = url;
    this.credential = credential;
    this.#version = version;
  }

  // The caller knows the shape of each answer.
  // deno-lint-ignore no-explicit-any
  async get(path: string, query?: Wanted["query"]): Promise<any> {
    return await this.#json("GET", path, query ? { query } : {});
  }

  // deno-lint-ignore no-explicit-any
  async post(path: string, json: unknown, wanted: Wanted = {}): Promise<any> {
    return await this.#json("POST", path, { ...wanted, json });
  }

  // deno-lint-ignore no-explicit-any
  async put(path: string, json: unknown): Promise<any> {
    return await this.#json("PUT", path, { json });
  }

  async delete(path: string): Promise<void> {
    await this.#json("DELETE", path, {});
  }

  /** Sends one request to the API. @throws CrudeError for an answer that is not 2xx, and for none */
  async request(method: string, path: string, wanted: Wanted = {}): Promise<Response> {
    const { credential } = this;
    // A session is sent in a header that no browser adds, so that pages of other sites cannot use it.
    const headers: Record<string, string> = credential?.kind === "session"
      ? { Authorization: `Bearer ${credential.value}` }
      : credential
      ? { "X-API-Key": credential.value }
      : {};
    const response = await this.send(method, path, { ...wanted, headers: { ...headers, ...wanted.headers } });
    if (response.ok) return response;
    const error = await refusal(response, this.url);
    if (error.exitCode !== EXIT.denied || credential?.kind !== "session") throw error;
    throw new CrudeError(`${error.message} Run "crude login ${this.url}".`, error);
  }

  /** Sends one request without a credential, and returns any answer. @throws CrudeError (unreachable) */
  async send(method: string, path: string, wanted: Wanted = {}): Promise<Response> {
    const { query = {}, json, bytes, headers, timeoutMs = TIMEOUT_MS } = wanted;
    const url = new URL(path, this.url);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, `${value}`);
    const body = json === undefined ? bytes as Uint8Array<ArrayBuffer> | undefined : JSON.stringify(json);
    try {
      return await fetch(url, {
        method,
        headers: {
          "User-Agent": `crude/${this.#version}`,
          ...(json !== undefined && { "Content-Type": "application/json" }),
          ...headers,
        },
        // Or the credential would be sent to wherever the answer points.
        redirect: "manual",
        ...(body !== undefined && { body }),
        ...(timeoutMs !== null && { signal: AbortSignal.timeout(timeoutMs) }),
      });
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }

  async #json(method: string, path: string, wanted: Wanted): Promise<unknown> {
    const response = await this.request(method, path, wanted);
    try {
      const text = await response.text();
      return text === "" ? {} : JSON.parse(text);
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }
}

/** Returns the error for a server that did not answer, or whose answer broke off. */
export function unreachable(url: string, error: unknown): CrudeError {
  return new CrudeError(`${url} could not be reached: ${reasonOf(error)}.`, {
    exitCode: EXIT.unreachable,
    code: "Unreachable",
  });
}

/** `fetch` says "fetch failed", and hides why in the causes. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === "TimeoutError") return "it did not answer in time";
  const reasons: string[] = [];
  for (let cause = error; cause !== undefined && cause !== null; cause = (cause as { cause?: unknown }).cause) {
    const [first] = (cause as { errors?: unknown[] }).errors ?? [];
    const message = messageOf(cause) || messageOf(first);
    if (message) reasons.push(message);
  }
  return (reasons.at(-1) ?? "unknown error").replace(/[.\s]+$/, "");
}

/** Returns the error for an answer that is not 2xx. */
export async function refusal(response: Response, url: string): Promise<CrudeError> {
  const body = await errorBody(response);
  const { status } = response;
  if (!body) {
    const location = response.headers.get("location");
    const message = location && status >= 300 && status < 400
      ? `${url} redirects to ${location}. Use the address that the server is reached by.`
      : `${url} answered ${status}, but not as this server does.`;
    const exitCode = [502, 503, 504].includes(status) ? EXIT.unreachable : EXIT.failed;
    return new CrudeError(message, { exitCode, code: "UnexpectedAnswer" });
  }
  return new CrudeError(body.error, {
    exitCode: exitCodeOf(status, body.code),
    code: body.code,
    details: body.details,
    lines: fieldLines(body),
  });
}

/** Reports whether the server has no such endpoint: it is of another version. */
export function isUnknownEndpoint(error: unknown): boolean {
  if (!(error instanceof CrudeError)) return false;
  if (error.code === "MethodNotAllowed") return true;
  return error.code === "NotFound" && / in the API\b/.test(error.message);
}

/** Runs a request for something that older servers do not have. @throws CrudeError that says so */
export async function sinceVersion<T>(what: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!isUnknownEndpoint(error)) throw error;
    throw new CrudeError(`This server's version does not support ${what}.`, { code: "Unsupported" });
  }
}

async function errorBody(response: Response): Promise<ErrorBody | undefined> {
  try {
    const body = await response.json();
    return typeof body?.error === "string" && typeof body.code === "string" ? body : undefined;
  } catch {
    return undefined;
  }
}

function exitCodeOf(status: number, code: string): ExitCode {
  if ((status === 401 || status === 403) && code !== "Protected") return EXIT.denied;
  return EXIT.failed;
}

/** The problems by field; the message has the first one. */
function fieldLines({ details }: ErrorBody): string[] {
  if (typeof details !== "object" || details === null) return [];
  const problems = Object.entries(details).filter(([, problem]) => typeof problem === "string");
  return problems.length < 2 ? [] : problems.map(([field, problem]) => `  ${field} ${problem}`);
}
