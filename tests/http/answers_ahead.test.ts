// Answers that are sent along with a call, as the function keeps asking the same: as fresh, as narrow and as well
// accounted for as those that are asked for.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

/** More than are needed for a question to be expected. */
const WARM_CALLS = 6;

const HANDLER = `
  let waiting = 0;
  const spin = (ms) => { for (const end = Date.now() + ms; Date.now() < end;); };
  export default async (c, ctx) => {
    if (ctx.query.waiting) return c.text(String(waiting));
    if (ctx.query.stream) {
      return new Response(new ReadableStream({
        async start(controller) {
          controller.enqueue(new TextEncoder().encode("begun "));
          await new Promise((resolve) => setTimeout(resolve, 20));
          spin(1_000);
          controller.enqueue(new TextEncoder().encode(await ctx.getSecret("S") ?? "none"));
          controller.close();
        },
      }));
    }
    waiting++;
    await c.req.text();
    waiting--;
    return c.text(await ctx.getSecret("S") ?? "none");
  }`;

async function warm(server: Server, key?: string): Promise<void> {
  for (let calls = 0; calls < WARM_CALLS; calls++) {
    await run(server, "/f", key, { method: "POST", body: "x" });
  }
}

/** A call whose handler waits for the end of its request's body; `end` ends it and gives the answer. */
async function waitingCall(
  server: Server,
): Promise<{ end(): Promise<string> }> {
  const body = new TransformStream<Uint8Array, Uint8Array>();
  const writer = body.writable.getWriter();
  const response = fetch(`${server.url}/run/f`, {
    method: "POST",
    body: body.readable,
  });
  await writer.write(new Uint8Array(1));
  while ((await run(server, "/f?waiting=1")).body !== "1");
  return {
    async end() {
      await writer.close();
      return await (await response).text();
    },
  };
}

Deno.test("a change is seen by a getSecret that starts after it was answered, in a call from before it", async () => {
  await using server = await startApp();
  const id = await createSecret(server, "S", "old-value");
  await deploy(server, "f", HANDLER);
  await warm(server);

  const changed = await waitingCall(server);
  await server.api("PUT", `/api/secrets/${id}`, { value: "new-value" });
  assert.equal(await changed.end(), "new-value");

  await warm(server);
  const overridden = await waitingCall(server);
  const [{ id: functionId }] = (await server.api("GET", "/api/functions")).body.functions;
  const override = await createSecret(server, "S", "narrower-value", {
    scope: "function",
    functionId,
  });
  assert.equal(await overridden.end(), "narrower-value");

  await warm(server);
  const deleted = await waitingCall(server);
  await server.api("DELETE", `/api/secrets/${override}`);
  await server.api("DELETE", `/api/secrets/${id}`);
  assert.equal(await deleted.end(), "none");

  await warm(server);
  const created = await waitingCall(server);
  await createSecret(server, "S", "first-value");
  assert.equal(await created.end(), "first-value");
});

Deno.test("a change does not wait for a process that does not react, and what that asks afterwards is new", async () => {
  await using server = await startApp();
  const id = await createSecret(server, "S", "old-value");
  await deploy(server, "f", HANDLER);
  await warm(server);
  const response = await fetch(`${server.url}/run/f?stream=1`);
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .getReader();
  assert.equal((await reader.read()).value, "begun ");
  // In the loop by now, or before it: the value that came with the call must not be used after this.
  const { status } = await server.api("PUT", `/api/secrets/${id}`, {
    value: "new-value",
  });
  assert.equal(status, 200);
  assert.equal((await reader.read()).value, "new-value");
  await reader.cancel();
});

Deno.test("each caller is told its own values ahead, and none of what its function may not ask for", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "callers");
  const keys = await Promise.all(
    ["a", "b"].map((name) => createKey(server, groupId, name)),
  );
  await createSecret(server, "S", "global-value");
  for (const { id: keyId } of keys) {
    await createSecret(server, "S", `value-of-${keyId}`, {
      scope: "key",
      keyId,
    });
  }
  const id = await deploy(server, "f", HANDLER, { keys: [groupId] });
  for (let round = 0; round < 4; round++) {
    for (const key of keys) {
      await warm(server, key.value);
      assert.equal(
        (await run(server, "/f", key.value)).body,
        `value-of-${key.id}`,
      );
    }
  }
  // At once, by turns.
  const answers = await Promise.all(
    Array.from(
      { length: 100 },
      (_, n) => run(server, "/f", keys[n % 2]!.value),
    ),
  );
  answers.forEach(({ body }, n) => assert.equal(body, `value-of-${keys[n % 2]!.id}`));

  await server.api("PUT", `/api/functions/${id}`, { secrets: ["OTHER_*"] });
  await warm(server, keys[0]!.value);
  assert.equal((await run(server, "/f", keys[0]!.value)).body, "none");
});

Deno.test("a value that came with a call counts as read once, and is masked in what the call prints", async () => {
  await using server = await startApp();
  const value = "planted-value-0123456789";
  const id = await createSecret(server, "S", value);
  const functionId = await deploy(
    server,
    "f",
    `export default async (c, ctx) => {
      const value = await ctx.getSecret("S");
      console.log("it is", value);
      return c.text("done");
    }`,
    { responseGuard: "off" },
  );
  const calls = 12;
  for (let n = 0; n < calls; n++) {
    assert.equal((await run(server, "/f")).body, "done");
  }
  const { body: { reads } } = await server.api(
    "GET",
    `/api/secrets/${id}/reads`,
  );
  assert.equal(
    reads.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
    calls,
  );
  let printed: string[] = [];
  while (printed.length < calls) {
    const { body } = await server.api(
      "GET",
      `/api/logs?functionId=${functionId}&level=info`,
    );
    printed = body.logs.map(({ message }: { message: string }) => message)
      .filter((text: string) => /it is/.test(text));
  }
  for (const text of printed) assert.equal(text, "it is [secret S]");
});
