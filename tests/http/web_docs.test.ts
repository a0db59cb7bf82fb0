// The documentation under /web/docs: whole, of this version, and no way to any other file.

import assert from "node:assert/strict";
import { get } from "node:http";
import { addressOf, Documents } from "../../src/control/web/pages/docs/documents.ts";
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
  assert.match(text, /<li id="rotation"><a href="\/web\/docs\/encryption\/rotation">Rotation<\/a>/);
  const section = await admin.get("/web/docs/encryption/rotation");
  assert.equal(section.status, 200);
  assert.match(section.text, /<h1>Rotation<\/h1>/);
  assert.match(section.text, /<a href="\/web\/docs\/encryption\/rotation" aria-current="page">Rotation<\/a>/);
  const found = await admin.get("/web/docs?q=passphrase");
  assert.match(found.text, /<a href="\/web\/docs\/encryption\/[^"]+">/);
  assert.match((await admin.get("/web/docs?q=%3Cb%3E")).text, /No section has “&lt;b&gt;”/);
  assert.equal((await admin.get("/web/docs/decisions/003-aad")).status, 200);

  const picture = await admin.get("/web/assets/docs/secrets.png");
  assert.deepEqual([picture.status, picture.headers.get("content-type")], [200, "image/png"]);
  const etag = picture.headers.get("etag")!;
  assert.equal((await admin.get("/web/assets/docs/secrets.png", { "If-None-Match": etag })).status, 304);

  const outside = ["../README", "%2e%2e%2fREADME", "..%2f..%2fetc%2fpasswd", "decisions/../../README", "README"];
  const odd = [
    "encryption.md",
    "encryption/",
    "images/secrets",
    "__proto__",
    "constructor",
    "encryption/nothing",
    ...["encryption/rotation/x", "api-keys/create", "constructor/name"],
    "encryption%00",
    "%2f",
  ];
  for (const name of [...outside, ...odd]) {
    assert.notEqual((await admin.get(`/web/docs/${name}`)).status, 200, name);
    assert.notEqual((await admin.get(`/web/assets/docs/${name}.png`)).status, 200, name);
  }
  const stranger = await call("GET", `${server.url}/web/docs/encryption`);
  assert.doesNotMatch(stranger.body, /rotation/i);
});

/** Of a page after the first one, whose scripts and styles are in the browser's cache. */
const PAGE_MAX_BYTES = 10_000;

/** The bytes of an answer as it is transferred: headers, and the compressed body. */
function transferredBytes(url: string, cookie: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { Cookie: cookie, "Accept-Encoding": "br", "Sec-Fetch-Site": "same-origin" };
    get(url, { headers }, (answer) => {
      let bytes = answer.rawHeaders.join("    ").length;
      answer.on("data", (chunk: Uint8Array) => bytes += chunk.length);
      answer.on("end", () => resolve(bytes));
    }).on("error", reject);
  });
}

Deno.test("a page of the documentation transfers 10 kB at most, however long its document is", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  for (const document of (await new Documents().all()).values()) {
    for (const { id } of document.parts) {
      const address = addressOf(document, id);
      const bytes = await transferredBytes(server.url + address, admin.cookie);
      assert.ok(bytes > 1_000 && bytes <= PAGE_MAX_BYTES, `${address}: ${bytes} bytes`);
    }
  }
});
