// Answers a form that is sent twice, for example by a double click, both times with the answer to the first.

import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { FILE_BODY_MAX_BYTES } from "../../inputs/body.ts";
import type { WebEnv } from "./deps.ts";
import { bodyOf } from "./forms.ts";

export const TOKEN_FIELD = "form-token";
/** The second copy of a request arrives within seconds. */
const REMEMBERED_MS = 2 * 60_000;
const REMEMBERED_MAX = 1_000;

/** The answer to a form that succeeded. A form that failed is handled again, with the same problems. */
interface Redirect {
  readonly location: string;
  readonly cookies: readonly string[];
}

interface Submission {
  readonly until: number;
  readonly redirect: Promise<Redirect | undefined>;
}

/** The hidden field of a form that must not be handled twice. */
export function FormToken() {
  const token = randomBytes(16).toString("base64url");
  return <input type="hidden" name={TOKEN_FIELD} value={token} autocomplete="off" data-form-token />;
}

/**
 * Answers a copy of a form, which has the same token and content in the same session, with the redirect of the first
 * one, once that is answered. Runs after the guard.
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
    return undefined; // Not a form: JSON of a script, or a body that the handler will refuse.
  }
  if (!form.get(TOKEN_FIELD)) return undefined;
  const hash = createHash("sha256");
  // Hash the fields: each time a multipart form is sent, it has another boundary.
  for (const [name, value] of form) {
    const bytes = typeof value === "string" ? value : new Uint8Array(await value.arrayBuffer());
    hash.update(JSON.stringify([name, typeof value === "string" ? null : value.name, bytes.length])).update(bytes);
  }
  return hash.digest("base64url");
}
