// The configurations of docs/deployment.md in a real nginx and a real Caddy, in front of a real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { blocksOf, readPage } from "../http/docs_pages.ts";
import { deploy } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";

const HEAD_TIMEOUT = /\b30s\b/;

function documented(language: string): string {
  const block = blocksOf(readPage("docs/deployment.md")).find((block) => block.language === language);
  assert(block, `docs/deployment.md has a block of ${language}`);
  assert.match(block.code, HEAD_TIMEOUT);
  // Nobody waits for half a minute here; TLS is the proxy's own matter.
  return block.code.replace(HEAD_TIMEOUT, "1s");
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts `command` and waits until it accepts connections on `port`. */
async function startProxy(command: string[], port: number, env: Record<string, string> = {}): Promise<AsyncDisposable> {
  const child = new Deno.Command(command[0]!, { args: command.slice(1), env, stdout: "null", stderr: "piped" }).spawn();
  const stderr = new Response(child.stderr).text();
  let ended = false;
  const status = child.status.then((status) => {
    ended = true;
    return status;
  });
  for (;;) {
    if (ended) throw new Error(`${command[0]} ended with ${(await status).code}: ${await stderr}`);
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await status;
      await stderr;
    },
  };
}

async function deployAll(server: Server): Promise<void> {
  await deploy(
    server,
    "echo",
    `export default async (c) => c.json({ host: c.req.header("host"), body: await c.req.text() });`,
    { methods: ["GET", "POST"] },
  );
  await deploy(
    server,
    "drip",
    `export default () => new Response(new ReadableStream({
      start(controller) { controller.enqueue(new TextEncoder().encode("first\\n")); },
    }), { headers: { "content-type": "text/event-stream" } });`,
  );
}

/** What holds behind either proxy on `port`. */
async function assertServes(port: number, server: Server): Promise<void> {
  const url = `http://127.0.0.1:${port}`;
  const answer = await fetch(`${url}/run/echo`, { method: "POST", body: "x".repeat(100_000) });
  const { host, body } = await answer.json();
  assert.equal(host, `127.0.0.1:${port}`);
  assert.equal(body.length, 100_000);

  // A stream's beginning arrives while it is still open.
  const streamed = await fetch(`${url}/run/drip`);
  const reader = streamed.body!.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "first\n");
  await reader.cancel();

  // The page's links and redirects lead to the proxy.
  const page = await fetch(`${url}/web/setup`, { redirect: "manual" });
  await page.body?.cancel();
  assert(page.status < 500, `status ${page.status}`);

  // A head that never ends is cut off.
  using slow = await Deno.connect({ hostname: "127.0.0.1", port });
  await slow.write(new TextEncoder().encode("GET /run/echo HTTP/1.1\r\nHost: x\r\n"));
  const buffer = new Uint8Array(1_024);
  for (let count: number | null = 0; count !== null;) count = await slow.read(buffer).catch(() => null);
  assert.equal((await server.api("GET", "/api/settings")).status, 200);
}

Deno.test("behind nginx as documented, calls and streams pass, and half a head is cut off", async () => {
  await using server = await startServer({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  await deployAll(server);
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-nginx-" });
  try {
    const port = freePort();
    const site = documented("nginx")
      .replace("127.0.0.1:8000", new URL(server.url).host)
      .replace("listen 443 ssl;", `listen 127.0.0.1:${port};`)
      .replace(/^ *ssl_certificate.*$/gm, "");
    const config = `daemon off; pid ${folder}/pid; error_log stderr; events {}
http {
  access_log off;
  ${
      ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(
        " ",
      )
    }
  ${site}
}`;
    await Deno.writeTextFile(join(folder, "nginx.conf"), config);
    await Deno.chmod(folder, 0o755);
    await using _nginx = await startProxy(["/usr/sbin/nginx", "-c", join(folder, "nginx.conf"), "-p", folder], port);
    await assertServes(port, server);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("behind Caddy as documented, calls and streams pass, and half a head is cut off", async () => {
  await using server = await startServer({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  await deployAll(server);
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-caddy-" });
  try {
    const port = freePort();
    const site = documented("caddy")
      .replace("127.0.0.1:8000", new URL(server.url).host)
      .replace("{\n", "{\n  admin off\n  auto_https off\n")
      .replace("functions.example.com {", `http://127.0.0.1:${port} {`);
    await Deno.writeTextFile(join(folder, "Caddyfile"), site);
    const command = ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
    await using _caddy = await startProxy(command, port, { HOME: folder, XDG_DATA_HOME: folder });
    await assertServes(port, server);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
