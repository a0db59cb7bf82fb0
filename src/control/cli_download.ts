// Serves /cli.js: the remote command line as one file, always of the server's own version.

import { createHash } from "node:crypto";
import { errorResponse, methodNotAllowed } from "../http/errors.ts";
import type { Log } from "../telemetry/log.ts";

export const CLI_PATH = "/cli.js";

/** Returns what answers requests for the file. It needs no sign-in: it contains no data. */
export function createCliDownload(log: Log): (request: Request) => Promise<Response> {
  let file: Promise<{ text: string; etag: string }> | undefined;
  return async (request) => {
    const { method, headers } = request;
    if (method !== "GET" && method !== "HEAD") {
      return errorResponse(methodNotAllowed(method, ["GET", "HEAD"]), crypto.randomUUID(), log);
    }
    const { text, etag } = await (file ??= load());
    const common = {
      // Checked on each use, mostly with a 304, so that an updated server's version is used at once.
      "Cache-Control": "no-cache",
      ETag: etag,
      "X-Content-Type-Options": "nosniff",
      "Cross-Origin-Resource-Policy": "same-origin",
    };
    if (headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: common });
    const bytes = new TextEncoder().encode(text);
    return new Response(method === "HEAD" ? null : bytes, {
      headers: {
        ...common,
        "Content-Type": "text/javascript; charset=utf-8",
        ...(method === "HEAD" && { "Content-Length": String(bytes.length) }),
      },
    });
  };
}

/** Loaded on the first request: most servers are never asked for it. */
async function load(): Promise<{ text: string; etag: string }> {
  const text = (await import("../../static/cli.js", { with: { type: "text" } })).default;
  return { text, etag: `"${createHash("sha256").update(text).digest("base64url").slice(0, 16)}"` };
}
