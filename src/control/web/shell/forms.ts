// Reads posted forms, turns errors into problems of their fields, and passes notices to the next page.

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { z } from "zod";
import { ENTITLEMENT_LOST } from "../../../actor.ts";
import { AppError, invalid } from "../../../errors.ts";
import type { ExpectedVersions } from "../../../versions.ts";
import { JSON_BODY_MAX_BYTES, readBody, tooLarge } from "../../inputs/body.ts";
import { cookieHeader, type OwnCookie, readCookie } from "../../../http/cookies.ts";
import type { WebEnv } from "./deps.ts";

/** The values of a form by field; a field that occurs several times has its values in order. */
export type Typed = Readonly<Record<string, readonly string[]>>;

/** Problems by field; a problem of no single field is at "". */
export type Problems = Readonly<Record<string, string>>;

/** Returns the request's body, which is read once. @throws AppError InvalidInput (400), PayloadTooLarge (413) */
export async function bodyOf(c: Context<WebEnv>, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = c.get("body") ?? await readBody(c.req.raw, maxBytes);
  c.set("body", body);
  if (body.length > maxBytes) throw tooLarge(maxBytes);
  return body;
}

/**
 * Returns the fields of a posted form (`application/x-www-form-urlencoded`).
 * @throws AppError InvalidInput (400), PayloadTooLarge (413)
 */
export async function readForm(c: Context<WebEnv>, maxBytes = JSON_BODY_MAX_BYTES): Promise<Typed> {
  const bytes = await bodyOf(c, maxBytes);
  const typed: Record<string, string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(new TextDecoder().decode(bytes))) (typed[name] ??= []).push(value);
  return typed;
}

/** Returns the first value of a field, or "". Browsers send line breaks as CRLF; they become LF. */
export function fieldText(typed: Typed, name: string): string {
  return (typed[name]?.[0] ?? "").replaceAll("\r\n", "\n");
}

/** Returns the version that a form was filled from (see conflict.tsx); no condition if it names none. */
export function expectedIn(typed: Typed): ExpectedVersions {
  const version = fieldText(typed, "version");
  return version === "" ? undefined : [version];
}

/** How many entries of a list a form changes at once; more would hold up other requests. */
export const CHOSEN_MAX = 200;

/** A checked entry of a list. The value of its box is its id and the version that the user saw. */
export interface Chosen<Id extends number> {
  readonly id: Id;
  readonly version: string;
}

/** @throws AppError InvalidInput (400), naming `field` */
export function chosenIn<Id extends number>(typed: Typed, field: string): Chosen<Id>[] {
  const chosen = (typed[field] ?? []).map((text) => {
    const [, id, version] = /^([1-9]\d{0,14}) (.+)$/.exec(text) ?? [];
    if (id === undefined) throw invalid(field, "must be chosen from the list");
    return { id: Number(id) as Id, version: version! };
  });
  if (chosen.length === 0) throw invalid(field, "must be chosen: check at least one");
  if (chosen.length > CHOSEN_MAX) throw new AppError("InvalidInput", 400, `At most ${CHOSEN_MAX} at once.`);
  return chosen;
}

/** The ids of the checked boxes, whatever else they have: the page that is shown again checks no others. */
export function checkedIn(typed: Typed, field: string): ReadonlySet<number> {
  return new Set((typed[field] ?? []).map((text) => Number.parseInt(text, 10)));
}

const FORM_STATUSES = [400, 403, 404, 409, 412, 413, 422] as const;
/** Status of a page that shows a form again with its problems. */
export type FormStatus = (typeof FORM_STATUSES)[number];

/**
 * Runs `work`, which parses by a schema or calls a service. Returns its result, or for errors that the user can fix the
 * problems by field and the status of the page that shows them. Rethrows other errors.
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

/** Returns the problems by field of an error from a schema or a service; undefined for any other error. */
export function problemsOf(error: unknown): Problems | undefined {
  const problems: Record<string, string> = Object.create(null);
  if (error instanceof z.ZodError) {
    for (const { path, message } of error.issues) problems[path.map(String).join(".")] ??= message;
    return problems;
  }
  // On this form, the user can fix neither a failure of the server nor a session that has ended.
  if (!(error instanceof AppError) || error.status >= 500 || error.code === ENTITLEMENT_LOST) return undefined;
  for (const [field, problem] of Object.entries(error.details ?? {})) problems[field] = problem;
  if (Object.keys(problems).length === 0) problems[""] = error.message;
  return problems;
}

/** Redirects to `path`, which shows `notice` once. */
export function redirect(c: Context<WebEnv>, path: string, notice?: string): Response {
  if (notice !== undefined) setNotice(c, notice);
  return c.redirect(path, 303);
}

const HERE = new URL("http://here");

/** Returns a path of these pages, and `/web` for any other address, such as one of another host. */
export function localPath(path: string): string {
  const { origin, pathname, search } = URL.canParse(path, "http://here") ? new URL(path, "http://here") : HERE;
  const isOurs = origin === HERE.origin && (pathname === "/web" || pathname.startsWith("/web/"));
  return isOurs ? pathname + search : "/web";
}

const NOTICE_MAX_LENGTH = 500;
const NOTICE_MAX_AGE_SECONDS = 60;

/** Makes the next page show `notice`, which is text, not markup, and must not contain a secret. */
export function setNotice(c: Context<WebEnv>, notice: string): void {
  const text = encodeURIComponent(notice.slice(0, NOTICE_MAX_LENGTH).toWellFormed());
  setCookie(c, "notice", `${text}.${macOf(c, text)}`, NOTICE_MAX_AGE_SECONDS);
}

/** Returns the notice in the request's cookies and removes it, so that it is shown once; undefined for a forged one. */
export function takeNotice(c: Context<WebEnv>): string | undefined {
  const value = readCookie(c.req.raw.headers, "notice", c.env);
  if (value === undefined) return undefined;
  setCookie(c, "notice", "", 0);
  const end = value.lastIndexOf(".");
  const text = value.slice(0, Math.max(0, end));
  const [given, right] = [Buffer.from(value.slice(end + 1)), Buffer.from(macOf(c, text))];
  return given.length === right.length && timingSafeEqual(given, right) ? decodeURIComponent(text) : undefined;
}

/** Authenticates a notice: another host of the same domain, or a page over plain HTTP, could set the cookie. */
function macOf(c: Context<WebEnv>, text: string): string {
  return Buffer.from(c.get("noticeKey").mac(text)).toString("base64url");
}

export function setCookie(c: Context<WebEnv>, cookie: OwnCookie, value: string, maxAgeSeconds: number): void {
  const header = cookieHeader(cookie, value, { headers: c.req.raw.headers, transport: c.env, maxAgeSeconds });
  c.header("Set-Cookie", header, { append: true });
}
