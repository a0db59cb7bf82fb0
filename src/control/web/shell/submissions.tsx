// Answers a form that is sent twice, for example by a double click, both times with the answer to the first.

import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { SharedState } from "../../../shared_state.ts";
import { FILE_BODY_MAX_BYTES } from "../../inputs/body.ts";
import type { WebEnv } from "./deps.ts";
import { bodyOf } from "./forms.ts";

export const TOKEN_FIELD = "form-token";
/** The second copy of a request arrives within seconds. */
const REMEMBERED_MS = 2 * 60_000;
const REMEMBERED_MAX = 1_000;
/** How often to look whether the first copy, which another node may handle, is answered. */
const LOOK_INTERVAL_MS = 100;
/** What stands for a form that is not answered yet. */
const UNANSWERED = "";

/** The answer to a form that succeeded. A form that failed is handled again, with the same problems. */
interface Redirect {
  readonly location: string;
  readonly cookies: readonly string[];
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
export function submitOnce(shared: SharedState): MiddlewareHandler<WebEnv> {
  const submissions = shared.handovers("submissions", REMEMBERED_MAX);

  /** Returns the answer to the first copy; undefined if this is the first one, which has to be answered. */
  const earlier = async (key: string): Promise<Redirect | undefined> => {
    while (!await submissions.claim(key, UNANSWERED, REMEMBERED_MS)) {
      const found = await submissions.find(key);
      if (found !== undefined && found !== UNANSWERED) return JSON.parse(found);
      if (found === UNANSWERED) await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
    return undefined;
  };

  return async (c, next) => {
    if (c.req.method !== "POST") return await next();
    const content = await contentOf(await bodyOf(c, FILE_BODY_MAX_BYTES), c.req.header("content-type") ?? "");
    if (content === undefined) return await next();
    const key = keyOf(`${c.get("admin").sessionId} ${c.req.path} ${content}`);
    const first = await earlier(key);
    if (first) {
      for (const cookie of first.cookies) c.header("Set-Cookie", cookie, { append: true });
      return c.redirect(first.location, 303);
    }
    let redirect: Redirect | undefined;
    try {
      await next();
      const location = c.res.status === 303 ? c.res.headers.get("location") : null;
      if (location !== null) redirect = { location, cookies: c.res.headers.getSetCookie() };
    } finally {
      // The form is answered, whether or not that can be remembered.
      const remembered = redirect
        ? submissions.put(key, JSON.stringify(redirect), REMEMBERED_MS)
        : submissions.take(key);
      await remembered.catch(() => {});
    }
  };
}

/** Returns a key of fixed length for any input. */
function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
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
