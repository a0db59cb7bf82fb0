// Defines the API's routes, with what holds for every one of them: nothing undocumented is accepted, and a
// precondition is never ignored.

import { createRoute, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { invalid } from "../../errors.ts";
import { type ExpectedVersions, preconditionFailed, type Version } from "../../versions.ts";
import { isSafeMethod } from "../../http/same_origin.ts";
import { JSON_BODY_MAX_BYTES, jsonBody, readBody, utf8 } from "../inputs/body.ts";
import { errorAnswer, query } from "../inputs/fields.ts";

type Definition<P extends string> =
  & Omit<RouteConfig, "path" | "middleware" | "operationId">
  & {
    path: P;
    /** Unique, in camelCase. Generated clients name their methods after it, so it stays. */
    operationId: string;
    /** Whether successful answers carry the `ETag` of a resource. */
    etag?: boolean;
    /** Whether the handler compares `If-Match`. */
    conditional?: boolean;
  };

const IF_MATCH = {
  name: "If-Match",
  in: "header",
  required: false,
  schema: { type: "string" },
  description: "An `ETag` of an earlier answer: if the resource was changed since, nothing is done (412).",
} as const;
const ETAG_HEADER = {
  ETag: {
    schema: { type: "string" },
    description: "Version of the resource, for `If-Match`.",
  },
} as const;

/** Defines a route. Without `request.query` it takes no parameter, without `request.body` no body. */
export function apiRoute<P extends string, R extends Definition<P>>(
  definition: R,
) {
  const { etag: _, conditional = false, ...given } = definition;
  const hasBody = given.request?.body !== undefined;
  const route = {
    ...documented(definition),
    request: { query: query({}), ...given.request },
    middleware: [
      refuseUndocumented({ body: hasBody, conditional }),
      ...(hasBody ? [jsonBody] : []),
    ],
  };
  // What is added validates and documents; it does not change what the handler is given or answers.
  return createRoute(route as never) as unknown as ReturnType<
    typeof createRoute<P, typeof given>
  >;
}

/** Returns the definition with the header `If-Match` and the `ETag` of its answers, for the OpenAPI document. */
export function documented<P extends string>(
  { etag = false, conditional = false, ...route }: Definition<P>,
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

/** Returns the versions that a request expects, by `If-Match`. */
export function ifMatch(c: Context): ExpectedVersions {
  const header = c.req.header("if-match")?.trim();
  if (header === undefined) return undefined;
  if (header === "*") return "any";
  // Weak tags never match (RFC 9110, 13.1.1), and neither does what is no tag.
  return [...header.matchAll(/(?<![\w/])"([\x21\x23-\x7e]*)"/g)].map((
    [, version],
  ) => version!);
}

/** Sets the `ETag` of the answer. */
export function tag(c: Context, version: Version): void {
  c.header("ETag", `"${version}"`);
}

/** What a route takes. */
interface Taken {
  readonly body: boolean;
  /** Whether the handler compares `If-Match`. */
  readonly conditional: boolean;
}

/** Refuses what a route does not take, for routes that `apiRoute` cannot define; `parameters` are of its query. */
export function nothingUndocumented(taken: Taken, parameters: ReturnType<typeof query> = query({})): MiddlewareHandler {
  const refuse = refuseUndocumented(taken);
  return (c, next) => {
    parameters.parse(c.req.query());
    return refuse(c, next);
  };
}

/** The same without the query, which the schema of a route checks. */
function refuseUndocumented({ body, conditional }: Taken): MiddlewareHandler {
  return async (c, next) => {
    if (!conditional) refusePrecondition(c);
    if (!body) await refuseBody(c.req.raw);
    await next();
  };
}

/** A resource without versions matches none (RFC 9110, 13.1.1). */
function refusePrecondition(c: Context): void {
  if (!isSafeMethod(c.req.method) && typeof ifMatch(c) === "object") {
    throw preconditionFailed();
  }
}

/** An empty body or JSON object is as good as none, as some clients always send one. */
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
