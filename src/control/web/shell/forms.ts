// From a posted form to checked data, by the same schemas as the API, and back to the page with what was wrong.

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { z } from "zod";
import { ENTITLEMENT_LOST } from "../../../actor.ts";
import { AppError } from "../../../errors.ts";
import type { ExpectedVersions } from "../../../versions.ts";
import { JSON_BODY_MAX_BYTES, readBody, tooLarge } from "../../inputs/body.ts";
import { cookieHeader, type OwnCookie, readCookie } from "../../../http/cookies.ts";
import type { WebEnv } from "./deps.ts";

/** What somebody typed, by field; a field that occurs several times has its values in order. */
export type Typed = Readonly<Record<string, readonly string[]>>;

/** What is wrong, by field; "" for what no field can be blamed for. */
export type Problems = Readonly<Record<string, string>>;

/** Returns the body, which is read once. @throws AppError InvalidInput (400), PayloadTooLarge (413) */
export async function bodyOf(c: Context<WebEnv>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = c.get("body") ?? await readBody(c.req.raw, maxBytes);
  c.set("body", body);
  if (body.length > maxBytes) throw tooLarge(maxBytes);
  return body;
}

/**
 * The fields of a posted form (`application/x-www-form-urlencoded`).
 * @throws AppError InvalidInput (400), PayloadTooLarge (413)
 */
export async function readForm(c: Context<WebEnv>, maxBytes = JSON_BODY_MAX_BYTES): Promise<Typed> {
  const bytes = await bodyOf(c, maxBytes);
  const typed: Record<string, string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) (typed[name] ??= []).push(value);
  return typed;
}

/** The one value of a field; "" if it is not there. Browsers send line breaks as CRLF, people mean LF. */
export function typedText(typed: Typed, name: string): string {
  return (typed[name]?.[0] ?? "").replaceAll("\r\n", "\n");
}

/** Returns the version that a form was filled from (see conflict.tsx); no condition if it names none. */
export function expectedIn(typed: Typed): ExpectedVersions {
  const version = typedText(typed, "version");
  return version === "" ? undefined : [version];
}

const FORM_STATUSES = [400, 403, 404, 409, 412, 413] as const;
/** Of a page that shows a form again. */
export type FormStatus = (typeof FORM_STATUSES)[number];

/**
 * Does `work`, which parses by a schema or calls a service; its errors that the user can fix come back as
 * problems of fields, with the status for the page that shows them.
 */
export async function attempt<T>(
  work: () => T | Promise<T>,
): Promise<{ done: T } | { problems: Problems; status: FormStatus }> {
  try {
    return { done: await work() };
  } catch (error) {
    const problems = problemsOf(error);
    if (!problems) throw error;
    const status = error instanceof AppError ? FORM_STATUSES.find((known) => known === error.status) : undefined;
    return { problems, status: status ?? 400 };
  }
}

/** Problems by field of what a schema or a service refused; undefined for anything else. */
export function problemsOf(error: unknown): Problems | undefined {
  const problems: Record<string, string> = Object.create(null);
  if (error instanceof z.ZodError) {
    for (const { path, message } of error.issues) problems[path.map(String).join(".")] ??= message;
    return problems;
  }
  // The user cannot fix what failed in the server, nor a session that has ended, on this form.
  if (!(error instanceof AppError) || error.status >= 500 || error.code === ENTITLEMENT_LOST) return undefined;
  for (const [field, problem] of Object.entries(error.details ?? {})) problems[field] = problem;
  if (Object.keys(problems).length === 0) problems[""] = error.message;
  return problems;
}

/** Sends the browser on, where `notice` is told once. */
export function redirect(c: Context<WebEnv>, path: string, notice?: string): Response {
  if (notice !== undefined) tellNext(c, notice);
  return c.redirect(path, 303);
}

const NOTICE_MAX_LENGTH = 500;
const NOTICE_MAX_AGE_SECONDS = 60;

/** Has the next page tell `notice`. It is text, never markup, and must hold no secret. */
export function tellNext(c: Context<WebEnv>, notice: string): void {
  const text = encodeURIComponent(notice.slice(0, NOTICE_MAX_LENGTH).toWellFormed());
  setCookie(c, "notice", `${text}.${macOf(c, text)}`, NOTICE_MAX_AGE_SECONDS);
}

/** Takes the notice out of the request's cookies, so that it is shown once; undefined for one that is not ours. */
export function takeNotice(c: Context<WebEnv>): string | undefined {
  const value = readCookie(c.req.raw.headers, "notice", c.env);
  if (value === undefined) return undefined;
  setCookie(c, "notice", "", 0);
  const end = value.lastIndexOf(".");
  const text = value.slice(0, Math.max(0, end));
  const [given, right] = [Buffer.from(value.slice(end + 1)), Buffer.from(macOf(c, text))];
  return given.length === right.length && timingSafeEqual(given, right) ? decodeURIComponent(text) : undefined;
}

/** Another host of the same domain, or plain http, could set a cookie with a text of its own. */
function macOf(c: Context<WebEnv>, text: string): string {
  return Buffer.from(c.get("noticeKey").mac(text)).toString("base64url");
}

export function setCookie(c: Context<WebEnv>, cookie: OwnCookie, value: string, maxAgeSeconds: number): void {
  const header = cookieHeader(cookie, value, { headers: c.req.raw.headers, transport: c.env, maxAgeSeconds });
  c.header("Set-Cookie", header, { append: true });
}
