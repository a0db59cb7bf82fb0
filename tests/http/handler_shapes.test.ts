// The shapes that a handler's default export may have: a function, or an app with a fetch method.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";

Deno.test("an app with a fetch method answers, and finds ctx in its env and its third argument", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "team");
  const { value: key } = await createKey(server, groupId, "one");
  await createSecret(server, "NAME", "of-the-group", {
    scope: "group",
    groupId,
  });
  const answer = `async function answer(request, env, ctx) {
    return Response.json({
      same: env.ctx === ctx, secret: await ctx.getSecret("NAME"), group: ctx.authenticatedKeyGroup,
      params: ctx.params, url: request.url, base: ctx.basePath, method: request.method,
      header: request.headers.get("x-mine"), body: await request.text(),
      functions: [ctx.waitUntil, ctx.passThroughOnException].map((f) => typeof f), id: ctx.requestId,
    });
  }`;
  const shapes: Record<string, string> = {
    object: `${answer} export default { fetch: answer };`,
    method: `${answer} export default { fetch(...args) { return answer(...args); } };`,
    instance: `${answer} class App { #answer = answer; fetch(...args) { return this.#answer(...args); } }
      export default new App();`,
    callable: `${answer} export default Object.assign(() => new Response("not this"), { fetch: answer });`,
  };
  for (const [name, code] of Object.entries(shapes)) {
    await deploy(server, name, code, {
      route: `/${name}/:tenant/*`,
      keys: [groupId],
    });
    const { status, body, headers } = await run(
      server,
      `/${name}/a%2Fb/items/7?x=1&api_key=${key}`,
      undefined,
      {
        method: "POST",
        body: "sent",
        headers: { "X-Mine": "1" },
      },
    );
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body, {
      same: true,
      secret: "of-the-group",
      group: "team",
      params: { tenant: "a/b" },
      url: `${server.url}/items/7?x=1`,
      base: `/run/${name}/a%2Fb`,
      method: "POST",
      header: "1",
      body: "sent",
      functions: ["function", "function"],
      id: headers.get("x-request-id"),
    }, name);
  }
});

Deno.test("an app sees the path below its function's route", async () => {
  await using server = await startApp();
  const code = `export default { fetch: (request, env, ctx) =>
    Response.json([new URL(request.url).pathname + new URL(request.url).search, ctx.basePath]) };`;
  const cases: [route: string, path: string, seen: string, base: string][] = [
    ["/shop/*", "/shop/items/7?a=/b", "/items/7?a=/b", "/run/shop"],
    ["/shop/*", "/shop", "/", "/run/shop"],
    ["/shop/*", "/shop?a=1", "/?a=1", "/run/shop"],
    ["/shop/*", "/shop/", "/", "/run/shop"],
    ["/shop/*", "/shop//x", "//x", "/run/shop"],
    ["/t/:tenant/*", "/t/a%20b/x", "/x", "/run/t/a%20b"],
    ["/p/:id{a/b|[0-9]{2}}/*", "/p/12/x/y", "/x/y", "/run/p/12"],
    ["/exact", "/exact?q=/1", "/?q=/1", "/run/exact"],
    ["/orders/:id", "/orders/7", "/", "/run/orders/7"],
    ["/", "/", "/", "/run"],
    ["/*", "/anything/at/all", "/anything/at/all", "/run"],
  ];
  const deployed = new Set<string>();
  for (const [route, path, seen, base] of cases) {
    if (!deployed.has(route)) {
      await deploy(server, `app${deployed.size}`, code, { route });
    }
    deployed.add(route);
    const { status, body } = await run(server, path);
    assert.deepEqual([status, body], [200, [seen, base]], path);
  }
});

Deno.test("a Hono app works as it stands: routes, middleware, errors, ctx and the execution context", async () => {
  await using server = await startApp();
  await createSecret(server, "NAME", "value-of-name");
  const code = `import { Hono } from "npm:hono@4.13.19";
    import { HTTPException } from "npm:hono@4.13.19/http-exception";
    const app = new Hono();
    app.use("*", async (c, next) => { c.header("x-first", typeof c.get("ctx")?.getSecret); await next(); });
    app.get("/items/:id", async (c) => {
      const { ctx } = c.env;
      return c.json({ id: c.req.param("id"), secret: await c.get("ctx").getSecret("NAME"),
        same: ctx === c.get("ctx") && ctx === c.executionCtx && ctx === c.var.ctx, route: ctx.route.name, path: c.req.path });
    });
    app.get("/teapot", () => { throw new HTTPException(418, { message: "short and stout" }); });
    app.get("/broken", () => { throw new Error("not shown") });
    const sub = new Hono().get("/deep", (c) => c.text(c.get("ctx").basePath));
    app.route("/sub", sub);
    app.notFound((c) => c.text("none: " + typeof c.get("ctx"), 404));
    export default app;`;
  await deploy(server, "shop", code, { route: "/shop/*" });
  const item = await run(server, "/shop/items/7");
  assert.deepEqual(item.body, {
    id: "7",
    secret: "value-of-name",
    same: true,
    route: "shop",
    path: "/items/7",
  });
  assert.equal(item.headers.get("x-first"), "function");
  const teapot = await run(server, "/shop/teapot");
  assert.deepEqual([teapot.status, teapot.body], [418, "short and stout"]);
  assert.equal((await run(server, "/shop/broken")).status, 500);
  assert.equal((await run(server, "/shop/sub/deep")).body, "/run/shop");
  const none = await run(server, "/shop/nothing");
  assert.deepEqual([none.status, none.body], [404, "none: object"]);
  assert.equal(
    (await run(server, "/shop/items/7", undefined, { method: "HEAD" })).status,
    200,
  );

  // With one route alone, Hono calls its handler without composing a chain.
  const single = `import { Hono } from "npm:hono@4.13.19";
    export default new Hono().get("/", (c) => c.text(c.get("ctx").requestId));`;
  await deploy(server, "single", single);
  const { body, headers } = await run(server, "/single");
  assert.equal(body, headers.get("x-request-id"));
});

Deno.test("what a handler throws with a response of its own is that response", async () => {
  await using server = await startApp();
  const code = `import { HTTPException } from "npm:hono@4.13.19/http-exception";
    export default async (c, ctx) => {
      c.header("x-before", "1");
      switch (ctx.query.kind) {
        case "message": throw new HTTPException(401, { message: "Who are you?" });
        case "response": throw new HTTPException(402, { res: new Response("pay", { headers: { "x-own": "2" } }) });
        case "own": throw { getResponse: async () => new Response("own", { status: 409 }) };
        case "wrong": throw { getResponse: () => "no response", name: "is-wrong" };
        case "broken": throw { getResponse() { throw new Error("is-broken"); } };
      }
    }`;
  await deploy(server, "throws", code);
  await deploy(
    server,
    "app",
    `export default { fetch() { throw { getResponse: () => new Response("a", { status: 410 }) } } }`,
  );
  const answers: Record<string, [status: number, body: string]> = {
    message: [401, "Who are you?"],
    response: [402, "pay"],
    own: [409, "own"],
  };
  for (const [kind, expected] of Object.entries(answers)) {
    const { status, body, headers } = await run(server, `/throws?kind=${kind}`);
    assert.deepEqual([status, body], expected);
    assert.equal(headers.get("x-before"), "1", kind);
    if (kind === "response") assert.equal(headers.get("x-own"), "2");
  }
  assert.equal((await run(server, "/app")).status, 410);
  for (const kind of ["wrong", "broken"]) {
    assert.equal((await run(server, `/throws?kind=${kind}`)).status, 500);
    await server.logged(new RegExp(`is-${kind}`));
  }
});

Deno.test("a module whose default export is no handler says what may be one", async () => {
  await using server = await startApp();
  const exports = [
    "{ handler() {} }",
    "{ fetch: 'no' }",
    "'text'",
    "null",
    "new Map()",
  ];
  for (const [n, exported] of exports.entries()) {
    await deploy(server, `wrong${n}`, `export default ${exported};`);
    assert.equal((await run(server, `/wrong${n}`)).status, 500);
    await server.logged(
      new RegExp(
        `function=wrong${n} .*function \\(c, ctx\\).*fetch method.*export default app`,
      ),
    );
  }
});
