// The ready lines for a terminal: paths that their routes answer, and words that a shell takes as they are.

import assert from "node:assert/strict";
import { createRouter } from "../../src/core/functions/router.ts";
import type { FunctionId } from "../../src/ids.ts";
import { curl, curlOf, examplePath } from "../../src/control/web/ui/curl_example.ts";

Deno.test("the example of a route is a path that the route answers", () => {
  const routes = [
    "/",
    "/hello",
    "/hello/:name",
    "/orders/:id{[0-9]+}/items/:item",
    "/a/:b?",
    "/files/*",
    "/grüße/:wer",
    "/x/:y{[a-f]}",
  ];
  for (const route of routes) {
    const router = createRouter([{ id: 1 as FunctionId, route, methods: ["GET"] }]);
    const path = examplePath(route);
    assert.ok(/^[\x21-\x7e]+$/.test(path), path);
    assert.ok(router.match("GET", decodeURI(path)).found, `${route}: ${path}`);
  }
});

Deno.test("a key with quotes in it survives the shell", async () => {
  const key = `it's"$HOME\`x\`\\16chars`;
  const line = curlOf("http://localhost:8000", { route: "/hello/:name", methods: ["GET", "POST"] }, key);
  const { stdout } = await new Deno.Command("sh", { args: ["-c", line.replace(/^curl/, "printf '%s\\n'")] }).output();
  assert.equal(
    new TextDecoder().decode(stdout),
    `-H\nX-API-Key: ${key}\nhttp://localhost:8000/run/hello/name\n`,
  );
});

Deno.test("a method other than GET is named", () => {
  assert.equal(curl("http://h/x", "POST"), "curl -X POST 'http://h/x'");
  assert.equal(curl("http://h/x", "HEAD"), "curl --head 'http://h/x'");
  assert.equal(curlOf("http://h", { route: "/p", methods: ["PUT"] }), "curl -X PUT 'http://h/run/p'");
});
