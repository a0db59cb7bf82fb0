// crude.json: its parser, and the schema by which editors check it.

import assert from "node:assert/strict";
import { parseCrudeJson } from "../../src/control/inputs/crude_json.ts";
import { AppError } from "../../src/errors.ts";
import { startApp } from "./app.ts";
import { call } from "./server.ts";

const ENTRY = { handler: "hello.ts", route: "/hello" };

function problems(source: string): Record<string, string> {
  try {
    parseCrudeJson(source);
  } catch (error) {
    assert.ok(error instanceof AppError);
    assert.deepEqual([error.status, error.code], [400, "InvalidInput"]);
    return error.details!;
  }
  assert.fail(`${source} was accepted`);
}

const problemsOf = (functions: unknown) => problems(JSON.stringify({ functions }));

Deno.test("crude.json maps names to entries with the API's fields, whose groups are names or ids", () => {
  const entry = { ...ENTRY, methods: ["POST"], keys: ["staging", 3], secrets: ["A_*"], enabled: false };
  const text = JSON.stringify({ $schema: "http://localhost:8000/crude.schema.json", functions: { "a/b": entry } });
  for (const source of [text, `\ufeff${text}`]) {
    assert.deepEqual([...parseCrudeJson(source).functions], [["a/b", entry]]);
  }
  // A list of digits is a name, and names of an object's own methods are no exception.
  const names = ["1", "toString", "constructor", "hasOwnProperty"];
  const given = JSON.stringify({ functions: Object.fromEntries(names.map((name) => [name, ENTRY])) });
  assert.deepEqual([...parseCrudeJson(given).functions.keys()], names);
});

Deno.test("each problem of crude.json names its field", () => {
  assert.deepEqual(problemsOf({ hello: { handler: "../x.ts", route: "hello", keys: ["", 0, true], color: 1 } }), {
    "functions.hello.handler": 'must not contain the segment ".."',
    "functions.hello.route": 'must begin with "/"',
    "functions.hello.keys.0": "must not be empty",
    "functions.hello.keys.1": "must be a positive whole number",
    "functions.hello.keys.2": "must be the id (a number) or the name (a text) of a key group",
    "functions.hello.color": "is not a known field",
  });
  assert.deepEqual(problemsOf({ hello: null, " x": ENTRY, "": ENTRY }), {
    "functions.hello": "must be a JSON object",
    "functions. x": "is not the name of a function: it must not begin or end with white space",
    "functions.": "is not the name of a function: it must not be empty",
  });
  assert.deepEqual(problemsOf({ hello: { ...ENTRY, name: "hello" } }), {
    "functions.hello.name": "is not a known field",
  });
  assert.deepEqual(problems('{"functions": {"__proto__": {}}}'), {
    "functions.__proto__": "cannot be the name of a function",
  });
});

Deno.test("a crude.json that is none is refused as a whole", () => {
  for (const functions of [null, [], "x", 1]) {
    assert.deepEqual(Object.keys(problemsOf(functions)), ["functions"]);
  }
  assert.deepEqual(problems("{}"), { functions: "is required" });
  assert.deepEqual(problems('{"functions": {}, "function": {}}'), { function: "is not a known field" });
  for (const source of ["[]", "null", '"x"']) assert.deepEqual(problems(source), { body: "must be a JSON object" });
  for (const source of ["", "{", "{'functions': {}}", '{"functions": {}} x']) {
    assert.match(problems(source)["crude.json"]!, /^is not valid JSON: /);
  }
});

Deno.test("anybody may read the schema of crude.json, which describes every field of an entry", async () => {
  await using server = await startApp();
  const { status, headers, body: schema } = await call("GET", `${server.url}/crude.schema.json`);
  assert.equal(status, 200);
  assert.match(headers.get("cache-control")!, /^public, max-age=\d+$/);
  assert.match(headers.get("etag")!, /^"[\w-]+"$/);
  assert.equal(schema.$schema, "http://json-schema.org/draft-07/schema#");
  assert.deepEqual(schema.required, ["functions"]);
  assert.equal(schema.properties.functions.additionalProperties.$ref, "#/definitions/FunctionEntry");
  const { FunctionEntry: entry } = schema.definitions;
  assert.deepEqual([entry.required, entry.additionalProperties], [["handler", "route"], false]);
  // deno-lint-ignore no-explicit-any
  for (const [name, field] of Object.entries<any>(entry.properties)) {
    assert.ok(field.description, name);
    assert.equal(field.example, undefined, name);
  }
  // deno-lint-ignore no-explicit-any
  const types = entry.properties.keys.items.anyOf.map(({ type }: any) => type);
  assert.deepEqual(types, ["integer", "string"]);
  assert.equal((await call("GET", `${server.url}/crude.schema.json?x=1`)).status, 400);
  assert.equal((await call("POST", `${server.url}/crude.schema.json`)).status, 401);
});

Deno.test("an entry has the same fields as a function of the API but for its name", async () => {
  await using server = await startApp();
  const { body: schema } = await call("GET", `${server.url}/crude.schema.json`);
  const { body: document } = await call("GET", `${server.url}/api/openapi.json`);
  const { NewFunction } = document.components.schemas;
  assert.deepEqual(
    ["name", ...Object.keys(schema.definitions.FunctionEntry.properties)].sort(),
    Object.keys(NewFunction.properties).sort(),
  );
});
