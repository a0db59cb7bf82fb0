// Scripts and styles of the pages: sent compressed, kept by browsers as long as they are the same.

import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";

/** What curl gets, which neither adds headers nor decompresses. */
async function get(url: string, headers: Record<string, string> = {}) {
  const args = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const { stdout } = await new Deno.Command("curl", { args: ["-sS", "-i", ...args, url] }).output();
  const text = new TextDecoder("latin1").decode(stdout);
  const end = text.indexOf("\r\n\r\n");
  const [status, ...lines] = text.slice(0, end).split("\r\n");
  return {
    status: Number(status!.split(" ")[1]),
    headers: new Headers(lines.map((line) => line.split(": ") as [string, string])),
    body: stdout.subarray(end + 4),
  };
}

const GZIP = { "Accept-Encoding": "gzip, br" };

Deno.test("an asset is compressed for who understands it, and the same after decompression", async () => {
  await using server = await startApp();
  const url = `${server.url}/web/assets/app.css`;
  const plain = await get(url);
  const small = await get(url, GZIP);
  assert.deepEqual([plain.status, plain.headers.get("content-encoding")], [200, null]);
  assert.deepEqual([small.status, small.headers.get("content-encoding")], [200, "gzip"]);
  assert.ok(small.body.length * 3 < plain.body.length, `${small.body.length} of ${plain.body.length}`);
  assert.deepEqual(new Uint8Array(gunzipSync(small.body)), plain.body);
  for (const { headers } of [plain, small]) {
    assert.equal(headers.get("vary"), "Accept-Encoding");
    assert.equal(headers.get("content-type"), "text/css; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-cache");
  }
  assert.notEqual(plain.headers.get("etag"), small.headers.get("etag"));
  for (const [answer, asked] of [[plain, {}], [small, GZIP]] as const) {
    const again = await get(url, { ...asked, "If-None-Match": answer.headers.get("etag")! });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
  }
});

Deno.test("pages name assets by their hashes, which are kept; an address with another hash is asked for again", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  // The first page may come before the assets are read.
  await get(`${server.url}/web/assets/icons.svg`);
  const { text } = await visitor.get("/web/functions");
  const addresses = [...text.matchAll(/(?:href|src)="(\/web\/assets\/[^"#]+)/g)].map(([, address]) => address!);
  assert.ok(addresses.length > 5);
  for (const address of new Set(addresses)) {
    assert.match(address, /\?v=[\w-]{16}$/);
    const { status, headers } = await get(server.url + address);
    assert.deepEqual([status, headers.get("cache-control")], [200, "public, max-age=31536000, immutable"], address);
  }
  const other = await get(`${server.url}/web/assets/app.css?v=AAAAAAAAAAAAAAAA`);
  assert.deepEqual([other.status, other.headers.get("cache-control")], [200, "no-cache"]);
});

Deno.test("a first page has at most 60 kB of scripts and styles, the editor aside", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  for (const path of ["/web", "/web/functions", "/web/secrets", "/web/logs", "/web/metrics", "/web/settings"]) {
    const { text } = await visitor.get(path);
    const addresses = [...text.matchAll(/(?:href|src)="(\/web\/assets\/[^"#]+)/g)].map(([, address]) => address!);
    let bytes = 0;
    for (const address of new Set(addresses)) bytes += (await get(server.url + address, GZIP)).body.length;
    assert.ok(bytes <= 60_000, `${path}: ${bytes} bytes`);
  }
});
