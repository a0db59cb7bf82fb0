// The configurations in deploy/ in a real nginx and a real Caddy, with TLS, in front of a real server. Only what belongs
// to a machine is replaced: ports, the paths of the certificate, and half a minute of waiting.

import assert from "node:assert/strict";
import { join } from "node:path";
import { deploy, set } from "../http/handlers.ts";
import { ROOT, type Server, startServer } from "../http/server.ts";

const HOST = "crude.example.com";
const FUNCTIONS_HOST = "functions.example.com";
/** An address of this machine that is not the proxy's. */
const CLIENT = "127.0.0.2";
const HEAD_TIMEOUT = /\b30s\b/;
const UPLOAD_BYTES = 20_000_000;

interface Ports {
  readonly http: number;
  readonly https: number;
}

function shipped(name: string): string {
  const text = Deno.readTextFileSync(join(ROOT, "deploy", name));
  assert.match(text, HEAD_TIMEOUT);
  return text.replace(/#.*$/gm, "").replace(HEAD_TIMEOUT, "1s");
}

function freePorts(): Ports {
  using first = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using second = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return { http: first.addr.port, https: second.addr.port };
}

/** Makes a certificate for both hosts that nobody but the test trusts. */
async function makeCertificate(folder: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
      ...["-subj", `/CN=${HOST}`, "-addext", `subjectAltName=DNS:${HOST},DNS:${FUNCTIONS_HOST}`],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-keyout", join(folder, "privkey.pem"), "-out", join(folder, "fullchain.pem")],
    ],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
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

/** Arguments of curl for a request to `url` by a client that has the address CLIENT. */
function curlArgs(folder: string, { http, https }: Ports, url: string, more: readonly string[]): string[] {
  const resolve = [HOST, FUNCTIONS_HOST].flatMap((host) =>
    [http, https].flatMap((port) => ["--resolve", `${host}:${port}:127.0.0.1`])
  );
  return [
    ...["--silent", "--show-error", "--no-buffer", "--interface", CLIENT, "--cacert", join(folder, "fullchain.pem")],
    ...[...resolve, ...more, url],
  ];
}

interface Reply {
  readonly status: number;
  readonly version: string;
  readonly head: string;
  readonly body: string;
}

type Ask = (url: string, ...more: string[]) => Promise<Reply>;

/** Behind a proxy: sends a request to `https://HOST/path`, or to another address. */
function asker(folder: string, ports: Ports): Ask {
  return async (url, ...more) => {
    const address = url.startsWith("/") ? `https://${HOST}:${ports.https}${url}` : url;
    const write = ["--dump-header", "/dev/stderr", "--write-out", "\n%{http_code} %{http_version}"];
    const { stdout, stderr } = await new Deno.Command("curl", {
      args: curlArgs(folder, ports, address, [...write, ...more]),
    }).output();
    const [text, head] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
    const end = text.lastIndexOf("\n");
    const [status, version] = text.slice(end + 1).split(" ");
    return { status: Number(status), version: version!, head, body: text.slice(0, end) };
  };
}

async function deployAll(server: Server): Promise<void> {
  await deploy(
    server,
    "echo",
    `export default async (c) => c.json({ headers: c.req.header(), length: (await c.req.arrayBuffer()).byteLength });`,
    { methods: ["GET", "POST"] },
  );
  // Not an event stream, for which the server itself asks proxies not to buffer.
  await deploy(
    server,
    "drip",
    `export default () => new Response(new ReadableStream({
      start(controller) { controller.enqueue(new TextEncoder().encode("first\\n")); },
    }), { headers: { "content-type": "text/plain" } });`,
  );
  await set(server, { "run.hosts": [FUNCTIONS_HOST] });
}

/** What holds behind either proxy. */
async function assertServes(t: Deno.TestContext, folder: string, ports: Ports, server: Server): Promise<void> {
  const ask = asker(folder, ports);
  const key = ["--header", `X-API-Key: ${server.key}`];
  const own = `${HOST}:${ports.https}`;

  await t.step("the health check answers by HTTP/2, and browsers are to stay with https", async () => {
    const { status, version, head } = await ask("/health");
    assert.deepEqual([status, version], [200, "2"]);
    assert.match(head, /^strict-transport-security: max-age=\d{7,}/im);
  });

  await t.step("http:// leads to https://", async () => {
    const { status, head } = await ask(`http://${HOST}:${ports.http}/web/setup?x=1`);
    assert.equal(status, 308);
    assert.match(head, new RegExp(`^location: https://${HOST}(:\\d+)?/web/setup\\?x=1\\r?$`, "im"));
  });

  await t.step("a page is shown, with its style sheet", async () => {
    const page = await ask("/web/sign-in", "--location");
    assert.equal(page.status, 200);
    const [, style] = /<link rel="stylesheet" href="([^"]+)"/.exec(page.body)!;
    assert.equal((await ask(style!)).status, 200);
  });

  await t.step("the API is reached, and records the client's own address, whatever the client says", async () => {
    const body = JSON.stringify({ name: "BEHIND", value: "the proxy", scope: "global" });
    const forged = ["--header", "X-Forwarded-For: 203.0.113.9", "--header", "Content-Type: application/json"];
    assert.equal((await ask("/api/secrets", ...key, ...forged, "--data", body)).status, 201);
    const { body: audit } = await server.api("GET", "/api/audit?limit=1");
    assert.equal(audit.entries[0].address, CLIENT);
  });

  await t.step("a handler gets the host and the address from the proxy, not from the client", async () => {
    const forged = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded"]
      .flatMap((name) => ["--header", `${name}: forged`]);
    const { headers } = JSON.parse((await ask("/run/echo?api_key=in-the-query", ...forged)).body);
    assert.equal(headers.host, own);
    assert.equal(headers["x-forwarded-for"], CLIENT);
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.equal(headers["x-forwarded-host"], own);
    assert.equal(headers["x-real-ip"], CLIENT);
    assert.equal(headers.forwarded, undefined);
  });

  await t.step("an upload of 20 MB arrives", async () => {
    const upload = join(folder, "upload");
    await Deno.writeFile(upload, new Uint8Array(UPLOAD_BYTES));
    const { body } = await ask("/run/echo", "--data-binary", `@${upload}`);
    assert.equal(JSON.parse(body).length, UPLOAD_BYTES);
  });

  await t.step("streams begin while they are open: a function's, and the log's events", async () => {
    for (
      const [path, first] of [["/run/drip", /^first\n/], ["/api/logs/stream", /^(retry|:|event|data|id)/]] as const
    ) {
      const curl = new Deno.Command("curl", {
        args: curlArgs(folder, ports, `https://${own}${path}`, key),
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const reader = curl.stdout.getReader();
      assert.match(new TextDecoder().decode((await reader.read()).value), first);
      curl.kill();
      await curl.status;
      await reader.cancel();
    }
  });

  await t.step("the host for functions serves functions and nothing else", async () => {
    const base = `https://${FUNCTIONS_HOST}:${ports.https}`;
    assert.equal((await ask(`${base}/run/echo`)).status, 200);
    assert.equal((await ask(`${base}/web/sign-in`)).status, 404);
    assert.equal((await ask(`${base}/api/settings`, ...key)).status, 404);
  });

  await t.step("half a head is cut off", async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: ports.https });
    const caCerts = [await Deno.readTextFile(join(folder, "fullchain.pem"))];
    using slow = await Deno.startTls(connection, { hostname: HOST, caCerts });
    await slow.write(new TextEncoder().encode(`GET /run/echo HTTP/1.1\r\nHost: ${own}\r\n`));
    const buffer = new Uint8Array(1_024);
    for (let count: number | null = 0; count !== null;) count = await slow.read(buffer).catch(() => null);
    assert.equal((await server.api("GET", "/api/settings")).status, 200);
  });
}

/** Runs what holds behind a proxy that `start` starts in a folder with a certificate. */
async function behind(
  t: Deno.TestContext,
  start: (folder: string, ports: Ports, server: Server) => Promise<AsyncDisposable>,
  after?: (folder: string) => Promise<void>,
): Promise<void> {
  await using server = await startServer({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  await deployAll(server);
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-proxy-" });
  try {
    await Deno.chmod(folder, 0o755);
    await makeCertificate(folder);
    const ports = freePorts();
    await using _proxy = await start(folder, ports, server);
    await assertServes(t, folder, ports, server);
    await after?.(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("behind nginx as shipped, everything is served by https", async (t) => {
  await behind(t, async (folder, ports, server) => {
    const site = shipped("nginx.conf")
      .replace("127.0.0.1:8000", new URL(server.url).host)
      // There may be no IPv6 here.
      .replace(/^ *listen \[::\].*$/gm, "")
      .replace("listen 80;", `listen 127.0.0.1:${ports.http};`)
      .replace("listen 443 ", `listen 127.0.0.1:${ports.https} `)
      .replace("/var/log/nginx", folder)
      .replaceAll("/etc/ssl/crude-functions", folder);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
      `${name}_temp_path ${folder}/${name};`
    );
    await Deno.writeTextFile(
      join(folder, "nginx.conf"),
      `daemon off; pid ${folder}/pid; error_log stderr; events {}
       http { ${temporary.join(" ")} ${site} }`,
    );
    return await startProxy(["/usr/sbin/nginx", "-c", join(folder, "nginx.conf"), "-p", folder], ports.https);
  }, async (folder) => {
    const log = await Deno.readTextFile(join(folder, "crude-functions.log"));
    assert.match(log, / "GET \/run\/echo HTTP\/2\.0" 200 /);
    assert.doesNotMatch(log, /in-the-query/);
  });
});

Deno.test("behind Caddy as shipped, everything is served by https", async (t) => {
  await behind(t, async (folder, ports, server) => {
    const site = shipped("Caddyfile")
      .replace("127.0.0.1:8000", new URL(server.url).host)
      .replace("{\n", `{\n  admin off\n  http_port ${ports.http}\n  https_port ${ports.https}\n`)
      // In place of a certificate that Caddy would fetch.
      .replace(/^crude\.example\.com, .*\{$/m, `$&\n  tls ${folder}/fullchain.pem ${folder}/privkey.pem`);
    await Deno.writeTextFile(join(folder, "Caddyfile"), site);
    const command = ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", join(folder, "Caddyfile")];
    return await startProxy(command, ports.https, { HOME: folder, XDG_DATA_HOME: folder });
  });
});
