// Patterns of routes on a server that was started as users start it: none of them holds the others up.

import assert from "node:assert/strict";
import { deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { processorMs } from "../processor_time.ts";

const A = "a".repeat(60);
/** Each would take a back-tracking engine seconds to years on its path. */
const EVIL: Record<string, string> = {
  "/:x{(a+)+b}": `/${A}`,
  "/:x{(a|a)*b}": `/${A}`,
  "/:x{(a|aa)+b}": `/${A}`,
  "/:x{(?:[a-z]+)*[0-9]}": `/${A}`,
  "/:x{(.*)*b}": `/${A}`,
  "/:x{(a+)+b}/edit": `/${A}/edit`,
  "/:x{(a+)+b}/:y": `/${A}/y`,
  "/:x{(.+)+b}/edit": `/${A}/edit`,
  "/:x{[a-z]{0,40}[a-z]{0,40}[a-z]{0,40}[a-z]{0,40}[a-z]{0,40}[a-z]{0,40}0}": `/${A}`,
  "/:x{(?:a|a){0,40}b}": `/${A}`,
  "/:x{(a+){20}b}": `/${A}`,
  "/:x{(a+)+(?=b)b}": `/${A}`,
  "/:x{(a+)+\\1b}": `/${A}`,
  "/:x{(?:a*){3}(?:a*){3}(?:a*){3}b}": `/${"a".repeat(4_000)}`,
  "/:x{a*a*a*a*a*b}": `/${"a".repeat(4_000)}`,
};

Deno.test("no pattern of a route takes long: it is refused, or matched in linear time", async () => {
  await using server = await startApp();
  await deploy(server, "calm", "export default (c) => c.text('calm')");
  assert.equal((await run(server, "/calm")).body, "calm");
  let accepted = 0;
  for (const [index, [pattern, path]] of Object.entries(EVIL).entries()) {
    const { status, body } = await server.api("POST", "/api/functions", {
      name: `evil-${index}`,
      handler: "calm.ts",
      route: `/evil-${index}${pattern}`,
    });
    if (status === 400) {
      assert.match(body.details.route, /could take too long|may match "\/"/, pattern);
      continue;
    }
    assert.equal(status, 201, JSON.stringify(body));
    accepted++;
    const began = processorMs();
    assert.equal((await run(server, `/evil-${index}${path}`)).status, 404, pattern);
    const took = processorMs() - began;
    assert.ok(took < 1_000, `${pattern} took ${took.toFixed()} ms`);
  }
  assert.ok(accepted >= 8, `${accepted} were accepted`);
  for (const usual of ["[0-9]+", "[0-9a-f-]{36}", "en|de", "\\d{4}-\\d{2}-\\d{2}", "[a-z0-9-]{3,63}", ".+\\.png"]) {
    const { status } = await server.api("POST", "/api/functions", {
      name: `usual-${usual.length}-${crypto.randomUUID()}`,
      handler: "calm.ts",
      route: `/usual-${crypto.randomUUID()}/:id{${usual}}/edit`.replace("png}/edit", "png}"),
    });
    assert.equal(status, 201, usual);
  }
});

Deno.test("a route answers the paths that it names, however it and they are encoded", async () => {
  await using server = await startApp();
  const routes: Record<string, string[]> = {
    "/r/caf%C3%A9": ["/r/caf%C3%A9", "/r/café"],
    "/r/thé/:id": ["/r/th%C3%A9/1", "/r/thé/1"],
    "/r/a%20b": ["/r/a%20b", "/r/a b"],
    "/r/c d": ["/r/c%20d", "/r/c d"],
    "/r/x%2Fy": ["/r/x%2Fy"],
    "/r/100%25": ["/r/100%25"],
  };
  for (const [index, [route, paths]] of Object.entries(routes).entries()) {
    await deploy(server, `r${index}`, `export default (c) => c.text("${index}")`, { route });
    for (const path of paths) assert.equal((await run(server, path)).body, String(index), `${route} on ${path}`);
  }
  const taken = await server.api("POST", "/api/functions", { name: "again", handler: "r0.ts", route: "/r/café" });
  assert.equal(taken.status, 409);
  for (const route of ["/r/%00", "/r/%5Cx", "/r/%7Bx%7D", "/r/..%20/%2E%2E"]) {
    const { status, body } = await server.api("POST", "/api/functions", { name: "bad", handler: "r0.ts", route });
    assert.equal(status, 400, route);
    assert.ok(body.details.route, route);
  }
});
