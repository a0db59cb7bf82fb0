// Sends the requests of isomorphic-git. Credentials go to the configured server only, and answers have a limit.

import type { GitHttpRequest, GitHttpResponse, HttpClient } from "isomorphic-git";
import type { FetchJob } from "../src/code/git/job.ts";

/** A problem with a sentence for the user. */
export class Problem extends Error {}

const REDIRECTS_MAX = 5;

/** Creates the client for one job. */
export function createHttpClient({ url, username, token, limits }: FetchJob): HttpClient {
  const { origin, host } = new URL(url);
  const authorization = token === null ? undefined : basic(username, token);

  const send = async (target: string, request: GitHttpRequest, body: Uint8Array<ArrayBuffer> | null) => {
    const headers = new Headers(request.headers);
    if (authorization !== undefined) headers.set("Authorization", authorization);
    try {
      return await fetch(target, { method: request.method ?? "GET", headers, body, redirect: "manual" });
    } catch (error) {
      throw new Problem(`${host} cannot be reached: ${reason(error)}`);
    }
  };

  return {
    async request(request: GitHttpRequest): Promise<GitHttpResponse> {
      const body = request.body ? await collect(request.body) : null;
      let target = request.url;
      for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
        const response = await send(target, request, body);
        const location = response.headers.get("location");
        if (response.status >= 300 && response.status < 400 && location !== null) {
          await response.body?.cancel();
          const next = new URL(location, target);
          if (next.origin !== origin) {
            throw new Problem(`${host} redirects to ${next.origin}, which is not followed. Set the new URL.`);
          }
          target = next.href;
          continue;
        }
        if (response.status !== 200) {
          await response.body?.cancel();
          throw new Problem(refusal(host, response.status, token !== null));
        }
        return {
          url: target,
          method: request.method,
          statusCode: 200,
          statusMessage: response.statusText,
          headers: Object.fromEntries(response.headers),
          body: limited(response.body, limits.answerMaxBytes),
        };
      }
      throw new Problem(`${host} redirects in a circle.`);
    },
  };
}

function basic(username: string, token: string): string {
  const bytes = new TextEncoder().encode(`${username}:${token}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function refusal(host: string, status: number, hasToken: boolean): string {
  switch (status) {
    case 401:
    case 403:
      return hasToken
        ? `${host} refuses the token (${status}). Check the secret, its rights, and the user name.`
        : `${host} requires a token (${status}).`;
    case 404:
      return `${host} has no such repository (404)${hasToken ? ", or the token may not read it" : " without a token"}.`;
    default:
      return `${host} answers ${status}.`;
  }
}

/** Returns why a connection failed, without the URL. */
function reason(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const last = text.split(": ").filter((part) => !/https?:/.test(part)).slice(-2).join(": ");
  return /[.!?]$/.test(last) ? last : `${last}.`;
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(await Array.fromAsync(pieces, (piece) => new Uint8Array(piece))).arrayBuffer());
}

async function* limited(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): AsyncIterableIterator<Uint8Array> {
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > maxBytes) throw new Problem(`The commit is larger than ${maxBytes / 2 ** 20} MiB.`);
    yield piece;
  }
}
