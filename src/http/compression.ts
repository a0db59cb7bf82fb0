// Compresses answers in the encodings that browsers accept (RFC 9110, 8.4 and 12.5.3).

import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

export type Encoding = "br" | "gzip";

/** `once` for what is kept and sent often; `each` for what is made for one answer. */
export type Effort = "once" | "each";

const BROTLI_QUALITY: Readonly<Record<Effort, number>> = { once: 10, each: 4 };
const GZIP_LEVEL: Readonly<Record<Effort, number>> = { once: 9, each: 5 };
/** Above this size, Brotli's quality 10 takes seven times as long as 9, for 6 % less. */
const LARGE_BYTES = 100_000;
const LARGE_QUALITY = 9;
/** Shorter texts fit into one packet anyway. */
const SHORTEST_BYTES = 1_000;

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

/** Returns the better of the encodings that a request accepts; undefined if it accepts none of them. */
export function acceptedEncoding(headers: Headers): Encoding | undefined {
  const accepted = new Set(
    (headers.get("accept-encoding") ?? "").toLowerCase().split(",").map((one) => one.trim())
      .filter((one) => !/;\s*q=0(?:\.0*)?$/.test(one)).map((one) => one.split(";", 1)[0]!.trim()),
  );
  return accepted.has("br") ? "br" : accepted.has("gzip") ? "gzip" : undefined;
}

/** Compresses `bytes` without blocking this thread. */
export async function compress(
  bytes: Uint8Array<ArrayBuffer>,
  encoding: Encoding,
  effort: Effort,
): Promise<Uint8Array<ArrayBuffer>> {
  const quality = bytes.length > LARGE_BYTES ? Math.min(BROTLI_QUALITY[effort], LARGE_QUALITY) : BROTLI_QUALITY[effort];
  const compressed = encoding === "gzip" ? await zip(bytes, { level: GZIP_LEVEL[effort] }) : await brotli(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: quality,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  return new Uint8Array(compressed);
}

/**
 * Reports whether the answer to a request may be compressed although it is made for a signed-in user. The length of a
 * compressed page says whether what an address put into it also occurs elsewhere in it (BREACH), so a page that another
 * site had the browser open is not compressed. Over plain HTTP, browsers do not say who opened a page, and anyone who sees
 * its length sees all of it. See docs/decisions/022-compression.md.
 */
export function mayCompress({ method, headers }: Request, isSecure: boolean): boolean {
  if (method !== "GET") return false;
  const site = headers.get("sec-fetch-site");
  return site === null ? !isSecure : site === "same-origin" || site === "none";
}

/** Returns an HTML answer compressed, unless it is short or its headers forbid it. */
export async function compressedPage(headers: Headers, answer: Response): Promise<Response> {
  const encoding = acceptedEncoding(headers);
  const isPage = answer.headers.get("content-type")?.startsWith("text/html") ?? false;
  const isForbidden = answer.headers.get("cache-control")?.includes("no-transform") ?? false;
  if (!encoding || !isPage || isForbidden || answer.headers.has("content-encoding")) return answer;
  const whole = new Uint8Array(await answer.arrayBuffer());
  const bytes = whole.length < SHORTEST_BYTES ? whole : await compress(whole, encoding, "each");
  const changed = new Response(bytes, answer);
  if (bytes !== whole) changed.headers.set("Content-Encoding", encoding);
  changed.headers.append("Vary", "Accept-Encoding");
  changed.headers.delete("Content-Length");
  return changed;
}
