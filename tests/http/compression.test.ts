// Which answers of the pages are compressed, and for how long browsers keep assets.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type IncomingHttpHeaders, request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { setUp, setupForm, Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { createGroup, createSecret } from "./handlers.ts";

interface Raw {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Uint8Array;
}

/** An answer as it is sent: `fetch` would decompress it. */
function raw(url: string, headers: Record<string, string>): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, async (response) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({
        status: response.statusCode!,
        headers: response.headers,
        bytes: new Uint8Array(Buffer.concat(chunks)),
      });
    });
    sent.on("error", reject).end();
  });
}

/** The encoding of a page; undefined if it is sent as it is. */
async function encodingOf(visitor: Visitor, path: string, headers: Record<string, string> = {}) {
  const answer = await raw(visitor.url + path, {
    Cookie: visitor.cookie,
    "Accept-Encoding": "gzip, br",
    ...visitor.headers,
    ...headers,
  });
  assert.equal(answer.status, 200, path);
  return answer.headers["content-encoding"];
}

Deno.test("assets are compressed as the client accepts, and kept under an address that changes with them", async () => {
  await using server = await startApp();
  const page = await raw(`${server.url}/web/setup`, {});
  const [, path, version] = /href="(\/web\/assets\/([\w-]{12})\/app\.css)"/.exec(new TextDecoder().decode(page.bytes))!;
  const plain = await raw(server.url + path, {});
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.deepEqual(
    Object.fromEntries(["cache-control", "vary", "content-type", "x-content-type-options"].map((name) => [
      name,
      plain.headers[name],
    ])),
    {
      "cache-control": "public, max-age=31536000, immutable",
      vary: "Accept-Encoding",
      "content-type": "text/css; charset=utf-8",
      "x-content-type-options": "nosniff",
    },
  );
  const cases = [
    ["gzip, deflate, br, zstd", "br"],
    ["gzip, deflate", "gzip"],
    ["GZIP;q=0.5", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["br; q=0.0, gzip;q=0", undefined],
    ["identity", undefined],
    ["brotli, gzipped", undefined],
  ] as const;
  for (const [accepted, encoding] of cases) {
    const answer = await raw(server.url + path, { "Accept-Encoding": accepted });
    assert.equal(answer.headers["content-encoding"], encoding, accepted);
    const decode = encoding && { br: brotliDecompressSync, gzip: gunzipSync }[encoding];
    assert.deepEqual(new Uint8Array(decode ? decode(answer.bytes) : answer.bytes), plain.bytes, accepted);
    if (encoding) assert.ok(answer.bytes.length < plain.bytes.length / 3, accepted);
    const etag = answer.headers.etag!;
    const again = await raw(server.url + path, { "Accept-Encoding": accepted, "If-None-Match": etag });
    assert.deepEqual([again.status, again.bytes.length], [304, 0]);
    assert.equal(etag === plain.headers.etag, encoding === undefined, "each encoding has a tag of its own");
  }
  for (const other of [path!.replace(version!, "AAAAAAAAAAAA"), "/web/assets/app.css"]) {
    const answer = await raw(server.url + other, {});
    assert.deepEqual([answer.status, answer.headers["cache-control"]], [200, "no-cache"], other);
    assert.deepEqual(answer.bytes, plain.bytes);
  }
  for (const name of ["nothing.css", "__proto__", "constructor", "..%2fdeno.json", `${version}/toString`]) {
    assert.notEqual((await raw(`${server.url}/web/assets/${name}`, {})).status, 200, name);
  }
});

Deno.test("a page is compressed for a user who opened it, and not for another site that did", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const cases = [["same-origin", "br"], ["none", "br"], ["cross-site", undefined], ["same-site", undefined]] as const;
  for (const path of ["/web", "/web/secrets", "/web/logs?search=guess", "/web/search?q=a"]) {
    for (const [site, encoding] of cases) {
      assert.equal(await encodingOf(admin, path, { "Sec-Fetch-Site": site }), encoding, `${path} ${site}`);
    }
    assert.equal(await encodingOf(admin, path, { "Sec-Fetch-Site": "none", "Accept-Encoding": "gzip" }), "gzip", path);
    assert.equal(await encodingOf(admin, path), "br", path);
  }
  const { headers } = await raw(`${server.url}/web`, { Cookie: admin.cookie, "Accept-Encoding": "br" });
  assert.match(headers.vary!, /Accept-Encoding/);
  assert.equal(headers["cache-control"], "no-store");
  assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
  assert.equal([headers["x-request-id"]].flat().length, 1);
});

Deno.test("over HTTPS, nothing is compressed for a browser that does not say who opened the page", async () => {
  await using server = await startApp({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  const admin = new Visitor(server.url, { "X-Forwarded-Proto": "https" });
  await admin.post("/web/setup", await setupForm(server), { Origin: server.url.replace("http:", "https:") });
  assert.equal(await encodingOf(admin, "/web"), undefined);
  assert.equal(await encodingOf(admin, "/web", { "Sec-Fetch-Site": "none" }), "br");
});

Deno.test("no page with a secret is compressed, and no proxy may do so", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const groupId = await createGroup(server, "customers");
  await createSecret(server, "NAMED", "a secret value", { scope: "global" });

  const addressAfter = async (path: string, fields: Record<string, string>) => {
    const { status, headers, text } = await admin.post(path, fields);
    assert.equal(status, 303, text);
    return headers.get("location")!;
  };
  const shown = [
    await addressAfter("/web/keys/new", { groupId: String(groupId), name: "acme", value: "" }),
    await addressAfter("/web/users", { name: "Bob", email: "bob@example.com" }),
    await addressAfter("/web/announcements/new", { url: "https://hooks.example.com/x", "secret.due": "yes" }),
    "/web/account/second-factor",
  ];
  for (const path of shown) {
    const answer = await raw(server.url + path, {
      Cookie: admin.cookie,
      "Accept-Encoding": "gzip, br",
      "Sec-Fetch-Site": "same-origin",
    });
    assert.deepEqual([answer.status, answer.headers["content-encoding"]], [200, undefined], path);
    assert.equal(answer.headers["cache-control"], "no-store, no-transform", path);
  }

  const revealed = await fetch(`${server.url}/web/secrets/1/reveal`, {
    method: "POST",
    headers: { Cookie: admin.cookie, Origin: server.url, "Accept-Encoding": "gzip, br" },
  });
  assert.match(await revealed.text(), /a secret value/);
  assert.equal(revealed.headers.get("vary"), null);
});
