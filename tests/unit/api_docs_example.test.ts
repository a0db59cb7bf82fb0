// The examples on the page of the API.

import assert from "node:assert/strict";
import { curlOf } from "../../src/control/api/docs_example.ts";

Deno.test("an example has the required fields, with the examples of their schemas, quoted for a shell", () => {
  const schemas = { Owner: { type: "object", required: ["id"], properties: { id: { type: "integer", minimum: 3 } } } };
  const text = curlOf({
    method: "PUT",
    path: "/api/things/{name}",
    parameters: [
      { name: "name", in: "path", required: true, schema: { type: "string", example: "a b" } },
      { name: "scope", in: "query", required: true, schema: { enum: ["global", "key"] } },
      { name: "limit", in: "query", schema: { type: "integer" } },
    ],
    body: {
      type: "object",
      required: ["title", "owner", "tags"],
      properties: {
        title: { type: "string", example: "Ada's" },
        owner: { $ref: "#/components/schemas/Owner" },
        tags: { type: "array", items: { type: "string" } },
        more: { type: "boolean" },
      },
    },
    needsCredential: true,
  }, schemas);
  assert.equal(
    text,
    `curl -X PUT "$CRUDE_URL/api/things/a%20b?scope=global" \\
  -H "X-API-Key: $CRUDE_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"title":"Ada'\\''s","owner":{"id":3},"tags":["tags"]}'`,
  );
});

Deno.test("an example without a body and credential is the address alone", () => {
  const example = { method: "GET", path: "/api/docs", parameters: [], body: undefined, needsCredential: false };
  assert.equal(curlOf(example, {}), 'curl "$CRUDE_URL/api/docs"');
});
