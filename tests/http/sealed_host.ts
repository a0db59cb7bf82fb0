// Hosts that requests with sealed secrets are sent to, on this machine, over TLS and without, and what they received.

import { fileURLToPath } from "node:url";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";

const fixture = (name: string): string =>
  Deno.readTextFileSync(
    fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url)),
  );

/** The certificate that signed the one of `localhost`. */
export const CA_PATH = fileURLToPath(new URL("../fixtures/tls/ca.pem", import.meta.url));
export const CA = fixture("ca.pem");

export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SealedHost extends AsyncDisposable {
  readonly port: number;
  /** In the order of their arrival. */
  readonly received: Received[];
  /** The last of them. */
  readonly last: Received;
}

const COMPRESS: Record<string, (text: string) => Uint8Array<ArrayBuffer>> = {
  gzip: (text) => new Uint8Array(gzipSync(text)),
  br: (text) => new Uint8Array(brotliCompressSync(text)),
  deflate: (text) => new Uint8Array(deflateSync(text)),
  "deflate-raw": (text) => new Uint8Array(deflateRawSync(text)),
  zstd: (text) => new TextEncoder().encode(text),
};

/**
 * Starts a host that answers with what it received, as JSON. In the query: `status` and `location` of the answer,
 * `encoding` of its body, `only=authorization` for a header's value alone, `header` to echo that in a header.
 */
export function startHost(
  isEncrypted = true,
  answer?: (request: Request, received: Received) => Response | undefined,
): SealedHost {
  const received: Received[] = [];
  const tls = isEncrypted ? { cert: fixture("localhost.pem"), key: fixture("localhost.key") } : {};
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    onListen() {},
    ...tls,
  }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const one: Received = {
      method: request.method,
      target: pathname + search,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    };
    received.push(one);
    return answer?.(request, one) ?? echo(request, one);
  });
  return {
    port: server.addr.port,
    received,
    get last() {
      return received.at(-1)!;
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
    },
  };
}

function echo({ url }: Request, one: Received): Response {
  const query = new URL(url).searchParams;
  const headers = new Headers({ "content-type": "application/json" });
  const location = query.get("location");
  if (location !== null) headers.set("location", location);
  if (query.has("header")) {
    headers.set("x-echo", one.headers[query.get("header")!] ?? "");
  }
  const only = query.get("only");
  const text = only === null ? JSON.stringify(one) : one.headers[only] ?? "";
  const encoding = query.get("encoding");
  if (encoding !== null) {
    headers.set("content-encoding", encoding.replace("-raw", ""));
  }
  const body = encoding === null ? text : COMPRESS[encoding]!(text);
  return new Response(
    query.has("status") && query.get("status") === "204" ? null : body,
    {
      status: Number(query.get("status") ?? 200),
      headers,
    },
  );
}
