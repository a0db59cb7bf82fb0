// Serves the scripts, styles and icons of the pages, compressed, never from another server.

import { createHash } from "node:crypto";
import type { Context } from "hono";
import { acceptedEncoding, compress, type Encoding } from "../../../http/compression.ts";
import { ASSETS } from "../assets/table.ts";
import { ASSETS_PATH, assetsVersion } from "../assets/addresses.ts";
import type { Web, WebEnv } from "./deps.ts";

const YEAR_SECONDS = 365 * 86_400;

interface Loaded {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** Adds the routes of the assets. They need no sign-in: they contain no data. */
export function addAssets(web: Web): void {
  const texts = new Map<string, Promise<string>>();
  const loaded = new Map<string, Promise<Loaded>>();

  /** Returns an asset in an encoding; it is compressed once. */
  const find = (name: string, encoding: Encoding | undefined): Promise<Loaded> => {
    const key = `${name} ${encoding}`;
    if (!texts.has(name)) texts.set(name, ASSETS[name]!.load());
    if (!loaded.has(key)) loaded.set(key, texts.get(name)!.then((text) => encoded(text, encoding)));
    return loaded.get(key)!;
  };

  const answer = async (c: Context<WebEnv>, name: string, isVersioned: boolean): Promise<Response> => {
    const encoding = acceptedEncoding(c.req.raw.headers);
    const { bytes, etag } = await find(name, encoding);
    const headers = {
      // Without the version, browsers ask each time, and mostly get 304.
      "Cache-Control": isVersioned ? `public, max-age=${YEAR_SECONDS}, immutable` : "no-cache",
      ETag: etag,
      Vary: "Accept-Encoding",
      "X-Content-Type-Options": "nosniff",
      "Cross-Origin-Resource-Policy": "same-origin",
    };
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    return c.body(bytes, 200, {
      ...headers,
      "Content-Type": `${ASSETS[name]!.type}; charset=utf-8`,
      ...(encoding && { "Content-Encoding": encoding }),
    });
  };

  web.get(`${ASSETS_PATH}:name`, async (c, next) => {
    const name = c.req.param("name");
    return Object.hasOwn(ASSETS, name) ? await answer(c, name, false) : await next();
  });
  web.get(`${ASSETS_PATH}:version/:name`, async (c, next) => {
    const { version, name } = c.req.param();
    if (!Object.hasOwn(ASSETS, name)) return await next();
    // Another version is asked for while nodes are updated one after the other.
    return await answer(c, name, version === assetsVersion());
  });
}

async function encoded(text: string, encoding: Encoding | undefined): Promise<Loaded> {
  const whole = new TextEncoder().encode(text);
  const bytes = encoding ? await compress(whole, encoding, "once") : whole;
  const etag = `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 16)}"`;
  return { bytes, etag };
}
