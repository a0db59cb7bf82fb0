// The API's JSON, exchange by exchange: tests/fixtures/api_exchanges.json is what clients rely on.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";

interface Exchange {
  request: string;
  body?: unknown;
  status: number;
  answer: unknown;
}

/** Times differ from run to run; their form does not. */
function withoutTimes(answer: unknown): unknown {
  const text = JSON.stringify(answer);
  return JSON.parse(text.replace(/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/g, '"<time>"'));
}

Deno.test("every endpoint answers with the JSON that its clients know", async () => {
  await using server = await startApp();
  const file = new URL("../fixtures/api_exchanges.json", import.meta.url);
  const exchanges: Exchange[] = JSON.parse(await Deno.readTextFile(file));
  for (const { request, body, status, answer } of exchanges) {
    const [method, path] = request.split(" ") as [string, string];
    const given = await server.api(method, path, body);
    assert.deepEqual(withoutTimes(given.body), answer, request);
    assert.equal(given.status, status, request);
  }
});
