// Databases over HTTP, object stores and Google's and Amazon's services.

import type { ApiRoute } from "./api.ts";

/** Objects that were put, by their path. */
const objects = new Map<string, string>();

const DATABASES: readonly ApiRoute[] = [
  {
    method: "POST",
    path: /^\/libsql\/v[23]\/pipeline$/,
    authenticated: true,
    answer: ({ json }) => ({
      baton: null,
      base_url: null,
      results: json.requests.map(({ type }: { type: string }) => ({
        type: "ok",
        response: type === "close" ? { type } : {
          type,
          result: {
            cols: [{ name: "name", decltype: "TEXT" }],
            rows: [[{ type: "text", value: "Ada" }]],
            affected_row_count: 0,
            last_insert_rowid: null,
          },
        },
      })),
    }),
  },
  { method: "GET", path: /^\/libsql\/v[23]$/, answer: () => new Response(null) },
  {
    method: "POST",
    path: /^\/neon\/sql$/,
    answer: () => ({
      command: "SELECT",
      rowCount: 1,
      rowAsArray: true,
      fields: [{ name: "name", dataTypeID: 25 }, { name: "age", dataTypeID: 23 }],
      rows: [["Ada", "36"]],
    }),
  },
  {
    method: "GET",
    path: /^\/supabase\/rest\/v1\/todos$/,
    authenticated: true,
    answer: ({ url }) => url.searchParams.get("done") === "eq.false" ? [{ id: 1, title: "write" }] : [],
  },
  {
    method: "POST",
    path: /^\/supabase\/auth\/v1\/token$/,
    authenticated: true,
    answer: ({ json }) => ({
      access_token: "a.b.c",
      token_type: "bearer",
      expires_in: 3_600,
      refresh_token: "r",
      user: { id: "u7", email: json.email },
    }),
  },
  {
    method: "POST",
    path: /^\/upstash\/pipeline$/,
    authenticated: true,
    answer: ({ json }) =>
      json.map(([command]: string[]) => ({ result: btoa(command === "get" ? '{"name":"Ada"}' : "OK") })),
  },
  {
    method: "POST",
    path: /^\/elastic\/books\/_search$/,
    authenticated: true,
    answer: () =>
      Response.json({ took: 1, timed_out: false, hits: { hits: [{ _id: "1", _source: { title: "Middlemarch" } }] } }, {
        headers: { "x-elastic-product": "Elasticsearch", "Content-Type": "application/vnd.elasticsearch+json" },
      }),
  },
  {
    method: "POST",
    path: /^\/clickhouse$/,
    authenticated: true,
    answer: () => new Response('{"page":"/","views":"3"}\n{"page":"/about","views":"1"}\n'),
  },
];

const STORES: readonly ApiRoute[] = [
  {
    method: "POST",
    path: /^\/gcs\/upload\/storage\/v1\/b\/app\/o$/,
    answer: async ({ request, text }) => {
      // The parts of a multipart/related body are its metadata and the content.
      const body = text || await request.text();
      objects.set("gcs", /\r\n\r\n([^\r]*)\r\n--[^\r]*--\s*$/.exec(body)?.[1] ?? "");
      return { kind: "storage#object", name: "note.txt", bucket: "app", size: "6" };
    },
  },
  {
    method: "GET",
    path: /^\/gcs\/(storage\/v1\/)?(download\/storage\/v1\/)?b\/app\/o\/note\.txt$/,
    answer: () => new Response(objects.get("gcs"), { headers: { "Content-Type": "text/plain" } }),
  },
  {
    method: "PUT",
    path: /^\/azure\/files\/note\.txt$/,
    answer: async ({ request, text }) => {
      objects.set("azure", text || await request.text());
      return new Response(null, { status: 201, headers: { ETag: '"7"', "Last-Modified": new Date(0).toUTCString() } });
    },
  },
  {
    method: "HEAD",
    path: /^\/azure\/files\/note\.txt$/,
    answer: () =>
      new Response(null, { headers: { "Content-Length": String(objects.get("azure")?.length), ETag: '"7"' } }),
  },
  {
    method: "GET",
    path: /^\/azure\/files\/note\.txt$/,
    answer: () => new Response(objects.get("azure"), { headers: { ETag: '"7"', "Content-Type": "text/plain" } }),
  },
];

const SERVICES: readonly ApiRoute[] = [
  {
    method: "POST",
    path: /^\/sqs(\/queue|\/)?$/,
    answer: ({ json }) => ({ MessageId: "m7", MD5OfMessageBody: json.MessageBody === "a message" ? MD5 : "" }),
  },
  {
    method: "POST",
    path: /^\/identitytoolkit\.googleapis\.com\/v1\/projects\/app\/accounts:lookup$/,
    answer: ({ json }) => ({ users: [{ localId: json.localId[0], email: "ada@example.com" }] }),
  },
  {
    method: "GET",
    path: /^\/v4\/spreadsheets\/sheet\/values\/A1(:|%3A)B2$/,
    answer: () => ({ range: "A1:B2", values: [["name", "age"], ["Ada", "36"]] }),
  },
  {
    method: "POST",
    path: /^\/google\/token$/,
    answer: ({ text }) =>
      new URLSearchParams(text).get("code") === "a-code"
        ? { access_token: "ya29.token", expires_in: 3_600, token_type: "Bearer" }
        : Response.json({ error: "invalid_grant" }, { status: 400 }),
  },
  {
    method: "GET",
    path: /^\/oidc\/\.well-known\/openid-configuration$/,
    answer: ({ origin }) => ({
      issuer: `${origin}/oidc`,
      authorization_endpoint: `${origin}/oidc/authorize`,
      token_endpoint: `${origin}/oidc/token`,
    }),
  },
];

/** Of "a message"; the SDK compares it. */
const MD5 = "70645f4a342b238e21cb034ffde4279b";

export const CLOUD_ROUTES: readonly ApiRoute[] = [...DATABASES, ...STORES, ...SERVICES];
