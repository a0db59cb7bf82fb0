// The guide's handlers, taken from the document as they stand, called over HTTP.

import assert from "node:assert/strict";
import { guideBlock, guideBlocks } from "./guide_document.ts";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call, type Server } from "./server.ts";
import { kept } from "./tail.ts";

/** A group with one key. */
async function client(
  server: Server,
  groupName: string,
  keyName = `${groupName}-key`,
) {
  const groupId = await createGroup(server, groupName);
  const key = await createKey(server, groupId, keyName);
  return { groupId, keyId: key.id, key: key.value };
}

/** A service on this machine that handlers talk to; answers JSON and remembers what it was asked. */
function startUpstream(answer: unknown) {
  const requests: {
    path: string;
    authorization: string | null;
    body: string;
  }[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const path = new URL(request.url).pathname;
      requests.push({
        path,
        authorization: request.headers.get("authorization"),
        body: await request.text(),
      });
      return Response.json(answer);
    },
  );
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    url: `http://${host}`,
    host,
    requests,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("Explicit Scope Selection answers as the guide's comments say", async () => {
  await using server = await startApp();
  const { groupId, keyId, key } = await client(server, "team");
  const code = await guideBlock("Explicit Scope Selection", "typescript");
  const functionId = await deploy(server, "levels", code, { keys: [groupId] });
  await createSecret(server, "LOG_LEVEL", "info");
  await createSecret(server, "LOG_LEVEL", "debug", {
    scope: "function",
    functionId,
  });
  await createSecret(server, "LOG_LEVEL", "error", { scope: "key", keyId });
  const { status, body } = await run(server, "/levels", key);
  assert.equal(status, 200);
  // The guide: group is undefined, which JSON leaves out.
  assert.deepEqual(body, { global: "info", function: "debug", key: "error" });
});

Deno.test("Complete Secret Inspection gives the guide's response shape and the effective value", async () => {
  await using server = await startApp();
  const { groupId, keyId, key } = await client(
    server,
    "readonly-users",
    "client-123-key",
  );
  const code = await guideBlock("Complete Secret Inspection", "typescript");
  const functionId = await deploy(server, "inspect", code, { keys: [groupId] });
  const missing = await run(server, "/inspect", key);
  assert.equal(missing.status, 500);
  assert.deepEqual(missing.body, {
    error: "DATABASE_URL not found in any scope",
  });

  const values = {
    global: "postgresql://shared-db:5432/main",
    function: "postgresql://analytics-db:5432/analytics",
    group: "postgresql://readonly-db:5432/main",
    key: "postgresql://customer-db:5432/client_123",
  };
  const owners = {
    function: { functionId },
    group: { groupId },
    key: { keyId },
  };
  let expected: Record<string, unknown> = {};
  const group = { groupId, groupName: "readonly-users" };
  for (const scope of ["global", "function", "group", "key"] as const) {
    const owner = scope === "global" ? {} : owners[scope];
    await createSecret(server, "DATABASE_URL", values[scope], {
      scope,
      ...owner,
    });
    const value = values[scope];
    expected = {
      ...expected,
      [scope]: scope === "group"
        ? { value, ...group }
        : scope === "key"
        ? { value, ...group, keyId, keyName: "client-123-key" }
        : value,
    };
    const { status, body } = await run(server, "/inspect", key);
    assert.equal(status, 200);
    assert.deepEqual(body, {
      allSources: expected,
      effectiveValue: value,
      resolution: scope,
    });
  }
});

Deno.test("Public Routes reach global and function scope only, even with a valid key", async () => {
  await using server = await startApp();
  const { groupId, keyId, key } = await client(server, "team");
  const code = await guideBlock(
    "Public Routes and Secret Access",
    "typescript",
  );
  const functionId = await deploy(server, "public", code, { keys: [] });
  await createSecret(server, "PUBLIC_API_KEY", "public-value");
  await createSecret(server, "CONFIG", "function-value", {
    scope: "function",
    functionId,
  });
  await createSecret(server, "GROUP_SECRET", "group-value", {
    scope: "group",
    groupId,
  });
  await createSecret(server, "KEY_SECRET", "key-value", {
    scope: "key",
    keyId,
  });
  const expected = {
    hasPublicApiKey: true,
    hasFunctionConfig: true,
    hasGroupSecret: false,
    hasKeySecret: false,
  };
  for (const sent of [undefined, key]) {
    const { status, body } = await run(server, "/public", sent);
    assert.equal(status, 200);
    assert.deepEqual(body, expected);
  }
  const [printed] = await kept(server);
  assert.equal(printed!.message, "Authenticated key group: undefined");
});

Deno.test("the staging example calls the endpoint of the key's group", async () => {
  await using server = await startApp();
  await using staging = startUpstream({ users: ["staging"] });
  await using production = startUpstream({ users: ["production"] });
  const code = await guideBlock(
    "Group Scope - Team or Environment-Based Settings",
    "typescript",
  );
  const groups = {
    staging: await client(server, "staging"),
    production: await client(server, "production"),
  };
  await deploy(server, "users", code, {
    keys: [groups.staging.groupId, groups.production.groupId],
    permissions: { net: [staging.host, production.host] },
  });
  await createSecret(server, "API_KEY", "upstream-key");
  for (const [name, upstream] of Object.entries({ staging, production })) {
    const { groupId, key } = groups[name as keyof typeof groups];
    await createSecret(server, "API_ENDPOINT", upstream.url, {
      scope: "group",
      groupId,
    });
    const { status, body } = await run(server, "/users", key);
    assert.equal(status, 200);
    assert.deepEqual(body, { users: [name] });
    assert.deepEqual(upstream.requests, [{
      path: "/users",
      authorization: "Bearer upstream-key",
      body: "",
    }]);
  }
});

Deno.test("the multi-tenant example gives each customer its own data, in 400 interleaved calls too", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "customers");
  const code = await guideBlock(
    "Key Scope - Per-Client or Per-User Settings",
    "typescript",
  ) +
    // The guide leaves the database to the reader; a pause lets calls overtake each other.
    `async function queryDatabase(database, tenantId) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      return { database, tenantId };
    }`;
  await deploy(server, "tenant", code, { keys: [groupId] });
  const tenants: {
    key: string;
    expected: { database: string; tenantId: string };
  }[] = [];
  for (const name of ["a", "b"]) {
    const { id: keyId, value: key } = await createKey(
      server,
      groupId,
      `customer-${name}`,
    );
    await createSecret(server, "TENANT_ID", `customer-${name}`, {
      scope: "key",
      keyId,
    });
    await createSecret(server, "DATABASE", `tenant_${name}_db`, {
      scope: "key",
      keyId,
    });
    tenants.push({
      key,
      expected: { database: `tenant_${name}_db`, tenantId: `customer-${name}` },
    });
  }
  const answers = await Promise.all(
    Array.from({ length: 400 }, async (_, call) => {
      const { key, expected } = tenants[call % 2]!;
      const { status, body } = await run(server, "/tenant", key);
      return { status, body, expected };
    }),
  );
  for (const { status, body, expected } of answers) {
    assert.equal(status, 200);
    assert.deepEqual(body, expected);
  }
  const { value: stranger } = await createKey(server, groupId, "customer-c");
  const { status, body } = await run(server, "/tenant", stranger);
  assert.equal(status, 403);
  assert.deepEqual(body, { error: "Tenant not configured for this API key" });
});

Deno.test("Handling Missing Secrets answers 500 with the request id and logs why", async () => {
  await using server = await startApp();
  await deploy(
    server,
    "missing",
    await guideBlock("Handling Missing Secrets", "typescript"),
  );
  const { status, body, headers } = await run(server, "/missing");
  assert.equal(status, 500);
  assert.deepEqual(body, {
    error: "Service not configured",
    requestId: headers.get("x-request-id"),
  });
  const [printed] = await kept(server, `?requestId=${body.requestId}`);
  assert.equal(printed!.message, "THIRD_PARTY_API_KEY is not configured");
});

Deno.test("the global scope example sends the configured CORS origin", async () => {
  await using server = await startApp();
  await deploy(
    server,
    "cors",
    await guideBlock("Global Scope - Shared Configuration", "typescript"),
  );
  const open = await run(server, "/cors");
  assert.equal(open.headers.get("access-control-allow-origin"), "*");
  await createSecret(server, "CORS_ORIGIN", "https://app.example.com");
  const { body, headers } = await run(server, "/cors");
  assert.deepEqual(body, { message: "Success" });
  assert.equal(
    headers.get("access-control-allow-origin"),
    "https://app.example.com",
  );
});

Deno.test("Fetching Multiple Secrets reads four secrets in parallel", async () => {
  await using server = await startApp();
  const code = await guideBlock("Fetching Multiple Secrets Efficiently", "typescript") +
    `async function sendEmail(mail) { return mail.host + mail.user + mail.password + mail.port === "hup587"; }`;
  await deploy(server, "mail", code);
  assert.equal((await run(server, "/mail")).status, 500);
  for (const [name, value] of [["HOST", "h"], ["USER", "u"], ["PASS", "p"]]) {
    await createSecret(server, `SMTP_${name}`, value!);
  }
  assert.deepEqual((await run(server, "/mail")).body, { success: true });
});

Deno.test("the Complete Example handles a webhook with secrets of all four scopes", async () => {
  await using server = await startApp();
  await using notifications = startUpstream({});
  const { groupId, keyId, key } = await client(
    server,
    "customers",
    "customer-123",
  );
  const code = await guideBlock("Complete Example", "typescript");
  const functionId = await deploy(server, "webhook", code, {
    keys: [groupId],
    permissions: { net: [notifications.host] },
  });
  const send = (event: string) =>
    run(server, "/webhook", key, {
      method: "POST",
      body: { event, amount: 1 },
      headers: { "X-Webhook-Signature": "s" },
    });

  assert.deepEqual((await send("payment")).body, {
    error: "Tenant not configured",
  });
  await createSecret(server, "WEBHOOK_SIGNING_ALGORITHM", "sha256");
  await createSecret(server, "DEFAULT_TIMEOUT_MS", "5000");
  await createSecret(server, "ALLOWED_EVENTS", "payment,refund", {
    scope: "function",
    functionId,
  });
  await createSecret(server, "NOTIFICATION_ENDPOINT", notifications.url, {
    scope: "group",
    groupId,
  });
  await createSecret(server, "TENANT_ID", "customer-123", {
    scope: "key",
    keyId,
  });
  await createSecret(server, "WEBHOOK_SECRET", "whsec_customer123secret", {
    scope: "key",
    keyId,
  });
  await createSecret(server, "NOTIFICATION_EMAIL", "alerts@customer123.com", {
    scope: "key",
    keyId,
  });

  const paid = await send("payment");
  assert.equal(paid.status, 200);
  assert.deepEqual(paid.body, {
    received: true,
    processed: true,
    tenant: "customer-123",
    event: "payment",
  });
  assert.deepEqual(notifications.requests.map(({ body }) => JSON.parse(body)), [
    {
      tenant: "customer-123",
      event: "payment",
      email: "alerts@customer123.com",
      data: { event: "payment", amount: 1 },
    },
  ]);
  assert.deepEqual((await send("login")).body, {
    received: true,
    processed: false,
  });
});

Deno.test("the guide's curl commands for secrets all succeed, in the order they stand in", async () => {
  await using server = await startApp();
  // The ids that the guide's commands name: function 1, group 2, key 5.
  await deploy(server, "first", "export default (c) => c.text('first')");
  const groupId = await createGroup(server, "staging");
  assert.equal(groupId, 2);
  let keyId = 0;
  for (let n = 0; keyId < 5; n++) {
    keyId = (await createKey(server, groupId, `key-${n}`)).id;
  }
  assert.equal(keyId, 5);

  const commands = (await guideBlocks("bash")).flatMap(curlCommands);
  // Secret 1 has to exist for the commands that read, and goes with the one that deletes it.
  const order = [
    ...commands.filter((c) => c.includes("-X POST")),
    ...commands.filter((c) => !/-X (POST|DELETE)/.test(c)),
    ...commands.filter((c) => c.includes("-X DELETE")),
  ];
  assert.equal(order.length, commands.length);
  for (const command of order) {
    const { code, stdout } = await new Deno.Command("bash", {
      args: [
        "-euc",
        command.replaceAll("http://localhost:8000", server.url).replaceAll(
          /your-(management-)?key/g,
          server.key,
        )
          .replace(/^curl/, "curl -sS -w '\\n%{http_code}'"),
      ],
    }).output();
    assert.equal(code, 0, command);
    const printed = new TextDecoder().decode(stdout);
    assert.match(printed, /\n20[01]$/, `${command}\n${printed}`);
  }
  const listed = await call("GET", `${server.url}/api/secrets`, undefined, {
    "X-API-Key": server.key,
  });
  assert.deepEqual(
    listed.body.secrets.map((
      { name, scope }: { name: string; scope: string },
    ) => `${scope} ${name}`),
    ["function API_ENDPOINT", "group LOG_LEVEL", "key TENANT_ID"],
  );
});

/** The curl commands of a shell block, continued lines and all. */
function curlCommands(block: string): string[] {
  return block.split(/^(?=curl )/m).map((part) => part.replace(/^#.*$/gm, "").trim()).filter((part) =>
    part.startsWith("curl")
  );
}
