// A form that is sent twice, by a double click say, is answered twice as the first time.

import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { FILE_BODY_MAX_BYTES } from "../../inputs/body.ts";
import type { WebEnv } from "./deps.ts";
import { bodyOf } from "./forms.ts";

export const TOKEN_FIELD = "form-token";
/** A second copy of a request comes within seconds. */
const REMEMBERED_MS = 2 * 60_000;
const REMEMBERED_MAX = 1_000;

/** Where a form led to; what was wrong with one is found again when it is sent again. */
interface Redirect {
  readonly location: string;
  readonly cookies: readonly string[];
}

interface Submission {
  readonly until: number;
  readonly redirect: Promise<Redirect | undefined>;
}

/** Goes into a form that must not be carried out twice. */
export function FormToken() {
  const token = randomBytes(16).toString("base64url");
  return <input type="hidden" name={TOKEN_FIELD} value={token} autocomplete="off" data-form-token />;
}

/**
 * Answers a copy of a form, with the same token and the same content in the same session, by waiting for the
 * first one's answer and giving the same redirect. Runs after the guard.
 */
export function submitOnce(now: () => number): MiddlewareHandler<WebEnv> {
  const submissions = new Map<string, Submission>();

  const forget = (): void => {
    for (const [key, { until }] of submissions) {
      if (until > now() && submissions.size < REMEMBERED_MAX) break;
      submissions.delete(key);
    }
  };

  return async (c, next) => {
    if (c.req.method !== "POST") return await next();
    const content = await contentOf(await bodyOf(c, FILE_BODY_MAX_BYTES), c.req.header("content-type") ?? "");
    if (content === undefined) return await next();
    const key = `${c.get("admin").sessionId} ${c.req.path} ${content}`;
    const earlier = await submissions.get(key)?.redirect;
    if (earlier) {
      for (const cookie of earlier.cookies) c.header("Set-Cookie", cookie, { append: true });
      return c.redirect(earlier.location, 303);
    }
    forget();
    const { promise, resolve } = Promise.withResolvers<Redirect | undefined>();
    submissions.set(key, { until: now() + REMEMBERED_MS, redirect: promise });
    let redirect: Redirect | undefined;
    try {
      await next();
      const location = c.res.status === 303 ? c.res.headers.get("location") : null;
      if (location !== null) redirect = { location, cookies: c.res.headers.getSetCookie() };
    } finally {
      if (!redirect) submissions.delete(key);
      resolve(redirect);
    }
  };
}

/** Returns a hash of a form's fields; undefined if it has no token. */
async function contentOf(body: Uint8Array<ArrayBuffer>, contentType: string): Promise<string | undefined> {
  if (!Buffer.from(body.buffer, body.byteOffset, body.length).includes(TOKEN_FIELD)) return undefined;
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "Content-Type": contentType } }).formData();
  } catch {
    return undefined; // No form: JSON of a script, or what the handler will refuse.
  }
  if (!form.get(TOKEN_FIELD)) return undefined;
  const hash = createHash("sha256");
  // By its fields, as each sending of a multipart form has a boundary of its own.
  for (const [name, value] of form) {
    const bytes = typeof value === "string" ? value : new Uint8Array(await value.arrayBuffer());
    hash.update(JSON.stringify([name, typeof value === "string" ? null : value.name, bytes.length])).update(bytes);
  }
  return hash.digest("base64url");
}
