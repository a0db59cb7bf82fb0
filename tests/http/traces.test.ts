// Traces as a collector gets them: a real receiver of OTLP over HTTP, in JSON.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { call, startServer } from "./server.ts";

interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  attributes: Record<string, unknown>;
  /** 2: error. */
  status: number;
}

type Value = { arrayValue: { values: Value[] } } | Record<string, string | number | boolean>;

/** Of https://opentelemetry.io/docs/specs/otlp/, what is looked at. */
interface Exported {
  resourceSpans?: {
    scopeSpans: {
      spans: (Omit<Span, "attributes" | "status"> & {
        attributes: { key: string; value: Value }[];
        status: { code: number };
      })[];
    }[];
  }[];
}

/** A collector that takes what a server sends; written `await using`. */
function collector() {
  const spans: Span[] = [];
  const received: string[] = [];
  const waiting = new Set<() => void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const text = await request.text();
    received.push(`${new URL(request.url).pathname} ${text}`);
    const { resourceSpans = [] } = JSON.parse(text) as Exported;
    for (const span of resourceSpans.flatMap(({ scopeSpans }) => scopeSpans).flatMap(({ spans }) => spans)) {
      const attributes = Object.fromEntries(span.attributes.map(({ key, value }) => [key, valueOf(value)]));
      spans.push({ ...span, attributes, status: span.status.code });
    }
    for (const look of waiting) look();
    return Response.json({});
  });
  return {
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.addr.port}`,
      OTEL_BSP_SCHEDULE_DELAY: "20",
    },
    spans,
    /** Everything that was ever sent, as text. */
    received,
    /** Waits for `count` spans of a name. */
    named(name: string, count = 1): Promise<Span[]> {
      return new Promise((resolve) => {
        const look = () => {
          const found = spans.filter((span) => span.name === name);
          if (found.length < count) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function valueOf(value: Value): unknown {
  return "arrayValue" in value
    ? (value.arrayValue as { values: Value[] }).values.map(valueOf)
    : Object.values(value)[0];
}

const CALLER = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };

Deno.test("a call is one span in its caller's trace, with a sandbox's start and each question for a secret below it", async () => {
  await using to = collector();
  await using server = await startServer({ env: to.env });
  const groupId = await createGroup(server, "callers");
  const { id: keyId, value } = await createKey(server, groupId, "caller");
  await createSecret(server, "TOKEN", "value-for-everybody");
  await createSecret(server, "TOKEN", "value-of-one-caller", { scope: "key", keyId });
  await deploy(
    server,
    "orders",
    `export default async (c, ctx) => {
      await ctx.getSecret("TOKEN");
      await ctx.getSecret("MISSING");
      await ctx.getSecret(await ctx.getSecret("TOKEN"));
      await ctx.getSecret("no name");
      await ctx.getCompleteSecret("TOKEN");
      return c.json({ traceparent: c.req.header("traceparent") });
    }`,
    { route: "/orders/:id", keys: [groupId] },
  );
  const headers = { traceparent: `00-${CALLER.trace}-${CALLER.span}-01` };
  const answer = await run(server, `/orders/7?api_key=wrong&q=personal`, value, { headers });
  await run(server, `/orders/8?api_key=${value}`);

  const [call, later] = (await to.named("GET /run/orders/:id", 2)) as [Span, Span];
  assert.deepEqual([call.traceId, call.parentSpanId], [CALLER.trace, CALLER.span]);
  assert.notEqual(later.traceId, CALLER.trace);
  assert.deepEqual(call.attributes, {
    "http.request.method": "GET",
    "http.response.status_code": "200",
    "http.route": "/run/orders/:id",
    "url.scheme": "http",
    "faas.name": "orders",
    "faas.invocation_id": answer.headers.get("x-request-id"),
  });
  assert.equal(answer.body.traceparent, `00-${CALLER.trace}-${call.spanId}-01`);

  const [start] = (await to.named("start sandbox")) as [Span];
  assert.deepEqual([start.traceId, start.parentSpanId], [CALLER.trace, call.spanId]);
  assert.deepEqual(start.attributes, { "faas.name": "orders" });

  const asked = [...await to.named("getSecret", 10), ...await to.named("getCompleteSecret", 2)];
  const below = (parent: Span) =>
    asked.filter(({ traceId, parentSpanId }) => traceId === parent.traceId && parentSpanId === parent.spanId)
      .map(({ name, attributes }) => [name, ...Object.values(attributes)]);
  const expected = [
    ["getSecret", "TOKEN", ["key"]],
    ["getSecret", "MISSING"],
    ["getSecret", "TOKEN", ["key"]],
    ["getSecret", "[secret TOKEN]"],
    ["getSecret"],
    ["getCompleteSecret", "TOKEN", ["key", "global"]],
  ];
  assert.deepEqual(below(call), expected);
  assert.deepEqual(below(later), expected);
});

Deno.test("nothing of an address, of what was printed or of a secret's value reaches the collector", async () => {
  await using to = collector();
  const secrets: string[] = ["someone", "guessed"];
  {
    await using server = await startServer({ env: to.env });
    await createSecret(server, "TOKEN", "value-of-the-token");
    await deploy(
      server,
      "f",
      `export default async (c, ctx) => {
      console.log("printed", await ctx.getSecret("TOKEN"));
      throw new Error("thrown " + await ctx.getSecret("TOKEN"));
    }`,
      { route: "/f/:what" },
    );
    for (
      const path of ["/run/f/token-in-the-path", "/run/none/token-in-the-path", "/api/secrets", "/web", "/health", "/"]
    ) {
      await (await fetch(`${server.url}${path}?api_key=${server.key}&q=query-of-it`, { redirect: "manual" })).text();
    }
    await server.api("GET", "/api/secrets/by-name/TOKEN?includeValues=true");
    const [, link] = await server.logged(/^Create the first user: (\S+)$/m);
    secrets.push(new URL(link!).searchParams.get("token")!);
    await (await fetch(link!)).text();
    await call("POST", `${server.url}/web/sign-in`, "email=someone%40example.com&password=a+guessed+password", {
      "Content-Type": "application/x-www-form-urlencoded",
      Origin: server.url,
    });
    const [span] = (await to.named("GET /run/f/:what")) as [Span];
    assert.equal(span.attributes["crude_functions.failure"], "threw");
    assert.equal(span.status, 2);
  }
  const all = to.received.join("\n");
  assert.ok(to.spans.length > 5);
  assert.ok(!to.received.some((text) => text.startsWith("/v1/logs")), "console output is not exported");
  for (
    const text of [
      "api_key",
      "query-of-it",
      "token-in-the-path",
      "value-of",
      "test-bootstrap-key",
      "printed",
      "thrown",
      ...secrets,
    ]
  ) {
    assert.ok(!all.includes(text), text);
  }
});

Deno.test("a request's trace does not go on in the next one, whatever was loaded meanwhile", async () => {
  await using to = collector();
  await using server = await startServer({ env: to.env });
  await deploy(server, "f", "export default (c) => c.text('')");
  const headers = { traceparent: `00-${CALLER.trace}-${CALLER.span}-01` };
  // These import modules when they are first asked for.
  for (const path of ["/web/assets/api.css", "/web", "/run/f"]) {
    await (await fetch(server.url + path, { headers })).text();
  }
  for (let n = 0; n < 3; n++) await run(server, "/f");
  const traces = (await to.named("GET /run/f", 4)).map(({ traceId }) => traceId);
  assert.equal(new Set(traces).size, 4);
  assert.equal(traces.filter((id) => id === CALLER.trace).length, 1);
});

Deno.test("a server that would export what is printed does not start", async () => {
  for (const console of [undefined, "capture", "replace"]) {
    // With "replace", the collector alone is told why.
    const why = console === "replace" ? /ended with 1/ : /OTEL_DENO_CONSOLE must be ignore/;
    const env: Record<string, string> = { OTEL_DENO: "true", OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" };
    if (console) env.OTEL_DENO_CONSOLE = console;
    await assert.rejects(startServer({ env }), why);
  }
});
