// Serves the scripts and styles of the pages: pinned packages and the files of static/, never from another server.

import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { setAssetHash } from "../assets/addresses.ts";
import type { Web } from "./deps.ts";
import { ASSETS_PATH } from "./security.ts";

interface Asset {
  readonly type: string;
  load(): Promise<string>;
}

/** In a thread of its own. */
const compress = promisify<string, { level: number }, Uint8Array>(gzip);

/** By name under /web/assets/. */
const ASSETS: Record<string, Asset> = {
  "tokens.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/tokens.css", { with: { type: "text" } })).default,
  },
  "htmx.js": {
    type: "text/javascript",
    load: async () => (await import("htmx.org/dist/htmx.min.js", { with: { type: "text" } })).default,
  },
  "app.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/app.css", { with: { type: "text" } })).default,
  },
  "frame.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/frame.css", { with: { type: "text" } })).default,
  },
  "frame.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/frame.js", { with: { type: "text" } })).default,
  },
  "pages.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/pages.css", { with: { type: "text" } })).default,
  },
  "palette.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/palette.js", { with: { type: "text" } })).default,
  },
  "shortcuts.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/shortcuts.js", { with: { type: "text" } })).default,
  },
  "search.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/search.css", { with: { type: "text" } })).default,
  },
  "docs.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/docs.css", { with: { type: "text" } })).default,
  },
  "app.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/app.js", { with: { type: "text" } })).default,
  },
  "api.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/api.css", { with: { type: "text" } })).default,
  },
  "secrets.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/secrets.css", { with: { type: "text" } })).default,
  },
  "secrets.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/secrets.js", { with: { type: "text" } })).default,
  },
  "secret_form.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/secret_form.js", { with: { type: "text" } })).default,
  },
  "uplot.js": {
    type: "text/javascript",
    load: async () => (await import("uplot/dist/uPlot.esm.js", { with: { type: "text" } })).default,
  },
  "uplot.css": {
    type: "text/css",
    load: async () => (await import("uplot/dist/uPlot.min.css", { with: { type: "text" } })).default,
  },
  "metrics.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/metrics.css", { with: { type: "text" } })).default,
  },
  "metrics.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/metrics.js", { with: { type: "text" } })).default,
  },
  "logs.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/logs.css", { with: { type: "text" } })).default,
  },
  "logs.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/logs.js", { with: { type: "text" } })).default,
  },
  "audit.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/audit.css", { with: { type: "text" } })).default,
  },
  "functions.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/functions.css", { with: { type: "text" } })).default,
  },
  "settings.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/settings.css", { with: { type: "text" } })).default,
  },
  "components.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/components.css", { with: { type: "text" } })).default,
  },
  "history.css": {
    type: "text/css",
    load: async () => (await import("../../../../static/history.css", { with: { type: "text" } })).default,
  },
  "editor.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/editor.js", { with: { type: "text" } })).default,
  },
  "upload.js": {
    type: "text/javascript",
    load: async () => (await import("../../../../static/upload.js", { with: { type: "text" } })).default,
  },
  "icons.svg": {
    type: "image/svg+xml",
    load: async () => (await import("../../../../static/icons.svg", { with: { type: "text" } })).default,
  },
  "icon.svg": {
    type: "image/svg+xml",
    load: async () => (await import("../../../../static/icon.svg", { with: { type: "text" } })).default,
  },
};

/** What is sent of an asset. */
interface Content {
  readonly text: string;
  readonly hash: string;
  /** Compressed by gzip. */
  readonly compressed: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** An address with a hash has one content forever. */
const KEPT = "public, max-age=31536000, immutable";
/** Other addresses are asked for on each use (mostly 304), so that an updated server's assets are used at once. */
const ASKED = "no-cache";

/** Adds the routes of the assets. They need no sign-in: they contain no data. */
export function addAssets(web: Web): void {
  for (const [name, { type, load }] of Object.entries(ASSETS)) {
    const content = contentOf(name, load);
    // Awaited by the first request for it; until then, a failure is no one's.
    content.catch(() => {});
    web.get(ASSETS_PATH + name, async (c) => {
      const { text, hash, compressed } = await content;
      const isCompressed = /\bgzip\b/.test(c.req.header("accept-encoding") ?? "");
      const etag = `"${hash}${isCompressed ? "-gzip" : ""}"`;
      const headers = {
        "Cache-Control": c.req.query("v") === hash ? KEPT : ASKED,
        ETag: etag,
        Vary: "Accept-Encoding",
      };
      if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
      const described = { ...headers, "Content-Type": `${type}; charset=utf-8` };
      if (!isCompressed) return c.body(text, 200, described);
      return c.body(await compressed(), 200, { ...described, "Content-Encoding": "gzip" });
    });
  }
}

/** Reads an asset. Compressing is left to the first request. */
async function contentOf(name: string, load: Asset["load"]): Promise<Content> {
  const text = await load();
  const hash = createHash("sha256").update(text).digest("base64url").slice(0, 16);
  setAssetHash(name, hash);
  let compressed: Promise<Uint8Array<ArrayBuffer>> | undefined;
  return {
    text,
    hash,
    compressed: () => compressed ??= compress(text, { level: 9 }).then((bytes) => new Uint8Array(bytes)),
  };
}
