// Functions answer from the same origin as the admin pages: what they are kept from by headers. That browsers act
// on them is tests/e2e/hostile_page.test.ts.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { deploy, run } from "./handlers.ts";
import { startServer } from "./server.ts";

const SANDBOX = /(?:^|, )sandbox (?!.*allow-same-origin)(?=.*allow-scripts)/;

Deno.test("every answer under /run is sandboxed, beside the handler's own policy", async () => {
  await using server = await startServer();
  await deploy(server, "page", "export default (c) => c.html('<p>hi</p>')");
  await deploy(
    server,
    "own",
    `export default (c) => c.html("", 200, { "Content-Security-Policy": "sandbox allow-same-origin allow-scripts" })`,
  );
  await deploy(server, "away", `export default (c) => c.redirect("/web")`);
  await deploy(server, "broken", "export default () => { throw 1 }");
  await deploy(server, "closed", "export default () => {}", { keys: [1] });
  const expected = { page: 200, own: 200, broken: 500, closed: 401, nothing: 404 };
  for (const [name, status] of Object.entries(expected)) {
    const answer = await run(server, `/${name}`);
    assert.equal(answer.status, status, name);
    assert.match(answer.headers.get("content-security-policy")!, SANDBOX, name);
  }
  const own = await run(server, "/own");
  assert.match(own.headers.get("content-security-policy")!, /^sandbox allow-same-origin allow-scripts, sandbox /);
  const away = await fetch(`${server.url}/run/away`, { redirect: "manual" });
  await away.body?.cancel();
  assert.match(away.headers.get("content-security-policy")!, SANDBOX);
});

Deno.test("a handler neither sees nor sets cookies of the server, whatever its cookies look like", async () => {
  await using server = await startServer();
  const admin = await setUp(server);
  const forged = [
    "crude_session=x",
    "CRUDE_session=x",
    " crude_session=x; Path=/",
    "=crude_session=x",
    " = crude_device=x",
    "__Host-crude_session=x; Secure; Path=/",
    "__HOST-CRUDE_notice=x",
    "crude_notice",
  ];
  await deploy(
    server,
    "cookies",
    `export default (c) => {
      for (const line of ${JSON.stringify([...forged, "mine=1", "not_crude_session=2"])}) {
        c.header("Set-Cookie", line, { append: true });
      }
      return c.json(c.req.header("cookie") ?? null);
    }`,
  );
  const cookie = `a=1; ${admin.cookie}; __Host-crude_session=x; Crude_x=1; b=2; x_crude_y=3`;
  const { body, headers } = await run(server, "/cookies", undefined, { headers: { Cookie: cookie } });
  assert.equal(body, "a=1; b=2; x_crude_y=3");
  assert.deepEqual(headers.getSetCookie(), ["mine=1", "not_crude_session=2"]);
  assert.equal((await run(server, "/cookies", undefined, { headers: { Cookie: admin.cookie } })).body, null);
});

Deno.test("a handler cannot speak for the whole origin", async () => {
  await using server = await startServer();
  const wide = {
    "Service-Worker-Allowed": "/",
    "Clear-Site-Data": '"*"',
    "Strict-Transport-Security": "max-age=1000",
    "Alt-Svc": 'h3="evil.example:443"',
    NEL: "{}",
    "Report-To": "{}",
  };
  await deploy(
    server,
    "wide",
    `export default () => new Response("self", { headers: ${
      JSON.stringify({ ...wide, "Content-Type": "text/javascript", "X-Mine": "1" })
    } })`,
  );
  const { headers } = await run(server, "/wide");
  for (const name of Object.keys(wide)) assert.equal(headers.get(name), null, name);
  assert.equal(headers.get("x-mine"), "1");
  const worker = await run(server, "/wide", undefined, { headers: { "Service-Worker": "script" } });
  assert.deepEqual([worker.status, worker.body.code], [403, "Forbidden"]);
});
