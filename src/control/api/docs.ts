// Serves /api/openapi.json and /api/docs, the page that shows it, without resources of other servers; and
// /crude.schema.json, by which editors check crude.json.

import type { OpenAPIHono } from "@hono/zod-openapi";
import { lookAttributes, lookOfBrowser } from "../web/shell/look.ts";
import { compressedPage } from "../../http/compression.ts";
import type { Api } from "../services.ts";
import type { ApiDocument } from "./api_document.ts";
import { versionOf } from "../../versions.ts";
import { crudeJsonSchema } from "../inputs/crude_json.ts";
import { errorAnswer } from "../inputs/fields.ts";
import { documented, nothingUndocumented, tag } from "./route.ts";

const DESCRIPTION = `Manages functions, their files, key groups, API keys, secrets and settings.

Every answer carries \`X-Request-Id\`. Times are ISO 8601 in UTC. Ids are positive whole numbers, never used twice.
What is taken by its id is taken by its name as well: in JSON a number is an id and a text is a name; in a query, digits
alone are an id and anything else is a name; in a path, only what follows \`by-name/\` is a name.
A method that a path does not take is answered with 405 and \`Allow\`.`;

const CRUDE_SCHEMA_PATH = "/crude.schema.json";
const SCHEMA_MAX_AGE_SECONDS = 3_600;

/** Styles are allowed by path, because functions use the same host. The page has no scripts. */
function policy(host: string): string {
  const assets = `${host}/web/assets/`;
  return `default-src 'none'; style-src ${assets}; img-src ${assets} data:; base-uri 'none'; form-action 'none'; ` +
    "frame-ancestors 'none'";
}

type OpenApiConfig = Parameters<OpenAPIHono["getOpenAPI31Document"]>[0];

export function addDocs(api: Api, version: string): void {
  const document: OpenApiConfig = {
    openapi: "3.1.0",
    info: { title: "Crude Functions", version, description: DESCRIPTION },
    servers: [{ url: "/" }],
    security: [{ apiKeyHeader: [] }, { bearer: [] }, { basic: [] }, { apiKeyQuery: [] }, { session: [] }],
  };
  describeSecurity(api);
  describeDocs(api);

  const none = nothingUndocumented({ body: false, conditional: false });
  // By the first request, all routes have been added.
  let made: ApiDocument | undefined;
  const documentOf = (): ApiDocument => made ??= api.getOpenAPI31Document(document) as unknown as ApiDocument;

  api.get("/api/openapi.json", none, (c) => c.json(documentOf()));

  let schema: unknown;
  api.get(CRUDE_SCHEMA_PATH, none, (c) => {
    schema ??= crudeJsonSchema();
    tag(c, versionOf(schema));
    // Editors of other origins may read it, too: it is the same on every server of this version.
    c.header("Access-Control-Allow-Origin", "*");
    return c.json(schema, 200, { "Cache-Control": `public, max-age=${SCHEMA_MAX_AGE_SECONDS}` });
  });

  let page: string | undefined;
  api.get("/api/docs", none, async (c) => {
    // Loaded when a client first opens it.
    page ??= (await import("./docs_page.tsx")).docsPage(documentOf());
    const attributes = Object.entries(lookAttributes(lookOfBrowser(c.req.raw, c.env)))
      .map(([name, value]) => value === undefined ? "" : ` ${name}="${value}"`).join("");
    const answer = await c.html(page.replace("<html", `<html${attributes}`), 200, {
      "Content-Security-Policy": policy(c.req.header("host") ?? "localhost"),
    });
    // It is the same for everybody, so its length says nothing.
    return await compressedPage(c.req.raw.headers, answer);
  });
}

function describeSecurity({ openAPIRegistry: registry }: Api): void {
  registry.registerComponent("securitySchemes", "apiKeyHeader", { type: "apiKey", in: "header", name: "X-API-Key" });
  registry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  registry.registerComponent("securitySchemes", "basic", {
    type: "http",
    scheme: "basic",
    description: "The key is the password; the user name does not matter.",
  });
  registry.registerComponent("securitySchemes", "apiKeyQuery", { type: "apiKey", in: "query", name: "api_key" });
  registry.registerComponent("securitySchemes", "session", {
    type: "apiKey",
    in: "cookie",
    name: "crude_session",
    description: "Of an admin who is signed in, from pages of this server alone. The name ends with `_` and the " +
      "port if the address has one, and begins with `__Host-` behind https. A key that is presented decides before it.",
  });
}

function describeDocs({ openAPIRegistry: registry }: Api): void {
  const tags = ["Documentation"];
  registry.registerPath(documented({
    method: "get",
    path: "/api/openapi.json",
    operationId: "getOpenApi",
    tags,
    summary: "Get this document",
    security: [],
    responses: {
      200: { description: "OpenAPI 3.1.", content: { "application/json": { schema: { type: "object" } } } },
      400: errorAnswer(400),
    },
  }));
  registry.registerPath(documented({
    method: "get",
    path: "/api/docs",
    operationId: "getDocs",
    tags,
    summary: "Open a page that shows this document",
    security: [],
    responses: {
      200: { description: "A page.", content: { "text/html": { schema: { type: "string" } } } },
      400: errorAnswer(400),
    },
  }));
  registry.registerPath(documented({
    method: "get",
    path: CRUDE_SCHEMA_PATH,
    operationId: "getCrudeSchema",
    etag: true,
    tags,
    summary: "Get the JSON Schema of crude.json",
    security: [],
    responses: {
      200: { description: "JSON Schema, draft-07.", content: { "application/json": { schema: { type: "object" } } } },
      400: errorAnswer(400),
    },
  }));
}
