// /api/openapi.json and /api/docs, the page that shows it. Both come from this machine alone.

import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Api } from "./deps.ts";
import { documented, nothingUndocumented } from "./route.ts";
import { errorAnswer } from "./schemas.ts";

const DESCRIPTION = `Manages functions, their files, key groups, API keys, secrets and settings.

Every answer carries \`X-Request-Id\`. Times are ISO 8601 in UTC. Ids are positive whole numbers, never used twice.
A method that a path does not take is answered with 405 and \`Allow\`.`;

/**
 * swagger-ui sets style attributes; everything else has to come from a file of this server, by its path, as
 * functions serve from the same host.
 */
function policy(host: string): string {
  const assets = `${host}/api/docs/`;
  return `default-src 'none'; script-src ${assets}; style-src ${assets} 'unsafe-inline'; img-src ${assets} data:; ` +
    `connect-src ${host}/api/; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Crude Functions API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/api/docs/swagger-ui.css">
  </head>
  <body>
    <main id="docs"></main>
    <script src="/api/docs/swagger-ui-bundle.js"></script>
    <script src="/api/docs/start.js"></script>
  </body>
</html>
`;

/** Without a validator URL, swagger-ui would send the document to one on another host. */
const START = `SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  docExpansion: "list",
});
`;

type OpenApiConfig = Parameters<OpenAPIHono["getOpenAPI31Document"]>[0];

export function addDocs(api: Api, version = "0.0.0"): void {
  const document: OpenApiConfig = {
    openapi: "3.1.0",
    info: { title: "Crude Functions", version, description: DESCRIPTION },
    servers: [{ url: "/" }],
    security: [{ apiKeyHeader: [] }, { bearer: [] }, { basic: [] }, { apiKeyQuery: [] }, { session: [] }],
  };
  describeSecurity(api);
  describeDocs(api);

  const none = nothingUndocumented({ body: false, conditional: false });
  // All routes are known by the first request.
  let json: string | undefined;
  api.get("/api/openapi.json", none, (c) => {
    json ??= JSON.stringify(api.getOpenAPI31Document(document));
    return c.body(json, 200, { "Content-Type": "application/json" });
  });

  api.get(
    "/api/docs",
    none,
    (c) => c.html(PAGE, 200, { "Content-Security-Policy": policy(c.req.header("host") ?? "localhost") }),
  );

  // swagger-ui is 1.5 MB, so it is loaded when somebody looks at the page.
  const assets: Record<string, { type: string; load(): Promise<string> }> = {
    "swagger-ui-bundle.js": {
      type: "text/javascript",
      load: async () => (await import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } })).default,
    },
    "swagger-ui.css": {
      type: "text/css",
      load: async () => (await import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } })).default,
    },
    "start.js": { type: "text/javascript", load: () => Promise.resolve(START) },
  };
  for (const [name, { type, load }] of Object.entries(assets)) {
    api.get(
      `/api/docs/${name}`,
      async (c) =>
        c.body(await load(), 200, { "Content-Type": `${type}; charset=utf-8`, "Cache-Control": "max-age=3600" }),
    );
  }
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
}
