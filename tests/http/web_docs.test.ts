// The documentation under /web/docs: whole, of this version, and no way to any other file.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";
import { call } from "./server.ts";

Deno.test("documents are shown to users, with pictures, and no address leads to another file", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const list = await admin.get("/web/docs");
  assert.match(list.text, /<a href="\/web\/docs\/security-model">Security model<\/a>/);
  const { status, text } = await admin.get("/web/docs/encryption");
  assert.equal(status, 200);
  assert.match(text, /<h1>Encryption<\/h1>/);
  assert.match(text, /<a href="#rotation">Rotation<\/a>/);
  assert.match(text, /<h2 id="rotation">Rotation<\/h2>/);
  assert.equal((await admin.get("/web/docs/decisions/003-aad")).status, 200);

  const picture = await admin.get("/web/assets/docs/secrets.png");
  assert.deepEqual([picture.status, picture.headers.get("content-type")], [200, "image/png"]);
  const etag = picture.headers.get("etag")!;
  assert.equal((await admin.get("/web/assets/docs/secrets.png", { "If-None-Match": etag })).status, 304);

  const outside = ["../README", "%2e%2e%2fREADME", "..%2f..%2fetc%2fpasswd", "decisions/../../README", "README"];
  const odd = ["encryption.md", "encryption/", "images/secrets", "__proto__", "constructor", "encryption%00", "%2f"];
  for (const name of [...outside, ...odd]) {
    assert.notEqual((await admin.get(`/web/docs/${name}`)).status, 200, name);
    assert.notEqual((await admin.get(`/web/assets/docs/${name}.png`)).status, 200, name);
  }
  const stranger = await call("GET", `${server.url}/web/docs/encryption`);
  assert.doesNotMatch(stranger.body, /rotation/i);
});
