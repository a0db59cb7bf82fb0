// Defines the API's routes, with the rules of all routes: undocumented input is refused, and preconditions are never
// ignored.

import { createRoute, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { invalid } from "../../errors.ts";
import { type ExpectedVersions, preconditionFailed, type Version } from "../../versions.ts";
import { isSafeMethod } from "../../http/same_origin.ts";
import { JSON_BODY_MAX_BYTES, jsonBody, optionalJsonBody, readBody, utf8 } from "../inputs/body.ts";
import { errorAnswer, query } from "../inputs/fields.ts";

type Definition<P extends string> =
  & Omit<RouteConfig, "path" | "middleware" | "operationId">
  & {
    path: P;
    /** Unique, in camelCase. Generated clients name their methods after it, so it must not change. */
    operationId: string;
    /** Whether successful answers have the `ETag` of a resource. */
    etag?: boolean;
    /** Whether the handler compares `If-Match`. */
    conditional?: boolean;
    /** The most bytes of a JSON body; 1 MiB by default. */
    bodyMaxBytes?: number;
  };

const IF_MATCH = {
  name: "If-Match",
  in: "header",
  required: false,
  schema: { type: "string" },
  description: "The `ETag` of an earlier answer: if the resource has changed since then, nothing is done (412).",
} as const;
const ETAG_HEADER = {
  ETag: {
    schema: { type: "string" },
    description: "The version of the resource, for `If-Match`.",
  },
} as const;

/** Defines a route. Without `request.query` it accepts no parameter, without `request.body` no body. */
export function apiRoute<P extends string, R extends Definition<P>>(
  definition: R,
) {
  const { etag: _, conditional = false, bodyMaxBytes, ...given } = definition;
  const body = given.request?.body;
  const hasBody = body !== undefined;
  const route = {
    ...documented(definition),
    request: { query: query({}), ...given.request },
    middleware: [
      refuseUndocumented({ body: hasBody, conditional }),
      ...(!body ? [] : body.required ? [jsonBody(bodyMaxBytes)] : [optionalJsonBody]),
    ],
  };
  // The additions validate and document; they do not change the handler's input or answer.
  return createRoute(route as never) as unknown as ReturnType<
    typeof createRoute<P, typeof given>
  >;
}

/** Returns the definition with the header `If-Match` and the `ETag` of its answers, for the OpenAPI document. */
export function documented<P extends string>(
  { etag = false, conditional = false, bodyMaxBytes: _, ...route }: Definition<P>,
): RouteConfig {
  const responses = {
    ...route.responses,
    ...(conditional && { 412: errorAnswer(412) }),
  };
  return {
    ...route,
    responses: etag ? withEtag(responses) : responses,
    ...(conditional && { parameters: [IF_MATCH] }),
  };
}

function withEtag(
  responses: RouteConfig["responses"],
): RouteConfig["responses"] {
  const entries = Object.entries(responses).map(([status, answer]) => [
    status,
    status.startsWith("2") ? { ...answer, headers: ETAG_HEADER } : answer,
  ]);
  return Object.fromEntries(entries);
}

/** Returns the versions that `If-Match` of a request allows. */
export function ifMatch(c: Context): ExpectedVersions {
  const header = c.req.header("if-match")?.trim();
  if (header === undefined) return undefined;
  if (header === "*") return "any";
  // Neither weak tags (RFC 9110, 13.1.1) nor invalid ones match.
  return [...header.matchAll(/(?<![\w/])"([\x21\x23-\x7e]*)"/g)].map((
    [, version],
  ) => version!);
}

/** Sets the `ETag` of the answer. */
export function tag(c: Context, version: Version): void {
  c.header("ETag", `"${version}"`);
}

/** The input that a route accepts. */
interface AcceptedInput {
  readonly body: boolean;
  /** Whether the handler compares `If-Match`. */
  readonly conditional: boolean;
}

/** Refuses input that a route does not accept. For routes that `apiRoute` cannot define; `parameters` are its query's. */
export function nothingUndocumented(
  accepted: AcceptedInput,
  parameters: { parse(given: unknown): unknown } = query({}),
): MiddlewareHandler {
  const refuse = refuseUndocumented(accepted);
  return (c, next) => {
    parameters.parse(c.req.query());
    return refuse(c, next);
  };
}

/** The same, except for the query, which the schema of a route checks. */
function refuseUndocumented({ body, conditional }: AcceptedInput): MiddlewareHandler {
  return async (c, next) => {
    if (!conditional) refusePrecondition(c);
    if (!body) await refuseBody(c.req.raw);
    await next();
  };
}

/** A resource without versions matches none (RFC 9110, 13.1.1). */
function refusePrecondition(c: Context): void {
  if (!isSafeMethod(c.req.method) && typeof ifMatch(c) === "object") {
    throw preconditionFailed(`${c.req.method} ${c.req.path} has no version, so If-Match matches nothing.`);
  }
}

/** Refuses a body. An empty one and an empty JSON object are accepted, as some clients always send one. */
async function refuseBody(request: Request): Promise<void> {
  if (request.body === null) return;
  const text = utf8(await readBody(request, JSON_BODY_MAX_BYTES)).trim();
  if (text === "") return;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON.
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid("body", "must be empty");
  }
  z.strictObject({}).parse(body);
}
