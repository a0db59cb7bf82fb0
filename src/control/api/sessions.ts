// Implements /api/sessions: the session of a terminal, which a user has approved in the browser.

import { z } from "@hono/zod-openapi";
import { notFound } from "../../errors.ts";
import { readCookie } from "../../http/cookies.ts";
import { credentials, SESSION_PREFIX, sessionToken } from "../../http/credentials.ts";
import {
  answer,
  body,
  errorAnswer,
  errors,
  json,
  SUCCESS,
  successSchema,
  text,
  time,
  timeSchema,
} from "../inputs/fields.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute } from "./route.ts";

const CODE_MAX_LENGTH = 100;
/** Of a verifier (RFC 7636, 4.1). */
const [VERIFIER_MIN_LENGTH, VERIFIER_MAX_LENGTH] = [43, 128];
const VERIFIER_PROBLEM = `must have ${VERIFIER_MIN_LENGTH} to ${VERIFIER_MAX_LENGTH} characters`;

const tags = ["Sessions"];

const create = apiRoute({
  method: "post",
  path: "/api/sessions",
  operationId: "createSession",
  tags,
  summary: "Start the session of a terminal",
  description:
    "Exchanges the code of the page /web/terminal, once, for a session of the user who approved it there. Send the " +
    "answer's `session` as `Authorization: Bearer`.",
  security: [],
  request: {
    body: json(
      body({
        code: text().max(CODE_MAX_LENGTH, `must have at most ${CODE_MAX_LENGTH} characters`).openapi({
          description: "From the address that the browser opened on the terminal's machine.",
        }),
        verifier: text().min(VERIFIER_MIN_LENGTH, VERIFIER_PROBLEM).max(VERIFIER_MAX_LENGTH, VERIFIER_PROBLEM).openapi({
          description: "The text whose SHA-256 the page was opened with (RFC 7636).",
        }),
      }).openapi("NewSession"),
    ),
  },
  responses: {
    201: answer(
      "The new session.",
      z.object({ session: z.string(), email: z.string(), expiresAt: timeSchema }),
    ),
    400: errorAnswer(400),
    401: errorAnswer(401),
    413: errorAnswer(413),
    415: errorAnswer(415),
    500: errorAnswer(500),
  },
});

const end = apiRoute({
  method: "delete",
  path: "/api/sessions/current",
  operationId: "endSession",
  tags,
  summary: "End the session of this request",
  responses: { 200: answer("It has ended.", successSchema), ...errors(400, 404) },
});

/** Adds what needs no credential. */
export function addTerminalSessions(api: Api, { admins }: ApiDeps): void {
  api.openapi(create, async (c) => {
    const { code, verifier } = c.req.valid("json");
    const visitor = {
      actor: { kind: "visitor", address: c.env.address, requestId: c.get("requestId") },
      userAgent: c.req.header("user-agent") ?? "",
      device: undefined,
    } as const;
    const { admin, token, expiresAt } = await admins.terminal.exchange(visitor, code, verifier);
    return c.json({ session: SESSION_PREFIX + token, email: admin.email, expiresAt: time(expiresAt) }, 201);
  });
}

export function addOwnSession(api: Api, { admins: { sessions }, commit }: ApiDeps): void {
  api.openapi(end, async (c) => {
    const [credential] = credentials(c.req.raw.headers, c.req.url);
    const token = credential ? sessionToken(credential) : readCookie(c.req.raw.headers, "session", c.env);
    const found = token === undefined ? undefined : sessions.find(token);
    if (!found) throw notFound("session", "of this request");
    await commit(() => sessions.end(c.get("actor"), found.session.id, found.admin));
    return c.json(SUCCESS, 200);
  });
}
