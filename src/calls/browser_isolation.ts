// Isolates functions from the admin pages, with which they share an origin: a page that a function serves gets an
// origin of its own, and a function's headers cannot affect the rest of the host.

import { setsOwnCookie } from "../http/cookies.ts";
import { isOfResponse } from "./response_headers.ts";

/**
 * A page under this policy has an opaque origin, without the server's cookies and storage; scripts, forms and
 * pop-ups work (HTML, 7.1.5). It applies in addition to a policy that the handler sets.
 */
const SANDBOX = "sandbox allow-downloads allow-forms allow-modals allow-orientation-lock allow-pointer-lock " +
  "allow-popups allow-popups-to-escape-sandbox allow-presentation allow-scripts";

/**
 * Reports whether a handler's response header may be sent. `name` is in lower case; `ownHost` says that the request's
 * host serves functions only. Cookies are checked there, too: one may be set for other hosts of the domain.
 */
export function maySend(name: string, value: string, ownHost: boolean): boolean {
  if (name === "set-cookie") return !setsOwnCookie(value);
  if (name === "content-type") return !REPLACED_PARTS.test(value);
  return ownHost || isOfResponse(name, value);
}

/** Firefox sets the cookies that are among the headers of a part, which nothing here checks (nsMultiMixedConv.cpp). */
const REPLACED_PARTS = /multipart\/x-mixed-replace/i;
/** It splits these, too, when it shows them as a page. */
const PARTS = /multipart\/(?!form-data\b)/i;

/** Keeps browsers from showing the parts of a response as pages. */
export function downloadParts(headers: Headers): void {
  if (PARTS.test(headers.get("content-type") ?? "")) headers.set("Content-Disposition", "attachment");
}

/** Adds the policy to a response. Every response under /run has it, errors included. */
export function sandboxPage(headers: Headers): void {
  headers.append("Content-Security-Policy", SANDBOX);
}
