// What a node of a cluster answers while it may not serve: its health, its metrics and its state, and nothing else.

import assert from "node:assert/strict";
import { NodeServing } from "../../src/cluster/node/serving.ts";
import { readConfig } from "../../src/config.ts";
import { AppError } from "../../src/errors.ts";
import { serve } from "../../src/http/server.ts";
import { Lease } from "../../src/sandbox/host/prefetch.ts";
import type { Serving } from "../../src/serving.ts";

/** A server whose planes name themselves, for requests by path. */
function listening(serving: Serving | undefined) {
  const config = readConfig((name) => name === "PORT" ? "0" : undefined, Deno.cwd());
  const answer = (plane: string) => () => new Response(plane);
  const server = serve(config, {
    run: () => Promise.resolve(new Response("run")),
    runHosts: () => [],
    api: answer("api"),
    web: answer("web"),
    files: new Map([["/cli.js", () => Promise.resolve(new Response("file"))]]),
    health: { version: "1", warnings: [] },
    serving,
    running: () => false,
    barrier: () => Promise.resolve(),
  }, () => {});
  return {
    async get(path: string, method = "GET"): Promise<[number, string]> {
      const response = await fetch(new URL(path, server.url), { method });
      const text = await response.text();
      return [response.status, text.startsWith("{") ? JSON.parse(text).code : text];
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

Deno.test("a node that is cut off answers only for its health, its metrics and its state", async () => {
  const lease = { isLive: false, remainingMs: 0 };
  await using server = listening(new NodeServing(lease, () => "serve-stale"));
  for (const path of ["/api/secrets", "/api", "/api/cluster/x", "/web", "/web/secrets", "/api/settings"]) {
    assert.deepEqual(await server.get(path), [503, "CutOff"], path);
  }
  assert.deepEqual(await server.get("/api/cluster", "PUT"), [503, "CutOff"]);
  assert.deepEqual(await server.get("/health"), [503, "CutOff"]);
  assert.deepEqual(await server.get("/metrics"), [200, "api"]);
  assert.deepEqual(await server.get("/api/cluster"), [200, "api"]);
  assert.deepEqual(await server.get("/cli.js"), [200, "file"]);
  // The data plane decides for itself, as a setting exempts it.
  assert.deepEqual(await server.get("/run/x"), [200, "run"]);
  lease.isLive = true;
  for (const path of ["/api/secrets", "/web"]) assert.equal((await server.get(path))[0], 200, path);
  assert.equal((await server.get("/health"))[0], 200);
});

Deno.test("a node whose log was tampered with says so for its health, too", async () => {
  const serving = new NodeServing({ isLive: true, remainingMs: 1_000 }, () => "serve-stale");
  serving.stop(new AppError("LogTampered", 503, "Entry 7 does not match its MAC."));
  await using server = listening(serving);
  assert.deepEqual(await server.get("/health"), [503, "LogTampered"]);
  assert.deepEqual(await server.get("/api/secrets"), [503, "LogTampered"]);
  assert.equal(serving.callRefusal()?.code, "LogTampered");
});

Deno.test("a server without a cluster refuses nothing", async () => {
  await using server = listening(undefined);
  for (const path of ["/api/secrets", "/web", "/health"]) assert.equal((await server.get(path))[0], 200, path);
});

Deno.test("answers that are sent ahead end with the node's lease, and are revoked for as long as any is valid", async () => {
  const sent: number[] = [];
  const lease = new Lease((revocation) => sent.push(revocation));
  lease.clockShowed(performance.now());
  const now = performance.now();
  const untilLeaseEnds = lease.grant(20);
  assert.ok(untilLeaseEnds < now + 150, "no longer than the node's lease");
  assert.ok(lease.grant() > now + 200, "as long as always");
  lease.grant(0);
  const revoked = lease.revoke();
  assert.ok(revoked, "an earlier answer is still valid");
  lease.acknowledged(sent[0]!);
  await revoked;
});
