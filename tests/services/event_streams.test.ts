// Event streams behind a proxy that buffers responses by default.

import assert from "node:assert/strict";
import { join } from "node:path";
import { deploy } from "../http/handlers.ts";
import { startServer } from "../http/server.ts";

Deno.test("event streams pass nginx with its defaults at once: the log's, and a function's", async () => {
  await using server = await startServer();
  await deploy(
    server,
    "ticks",
    `export default () => new Response(new ReadableStream({
      start(controller) { controller.enqueue(new TextEncoder().encode("data: first\\n\\n")); },
    }), { headers: { "Content-Type": "text/event-stream" } })`,
  );
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-nginx-" });
  await Deno.chmod(folder, 0o755);
  const socket = join(folder, "socket");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) =>
    `${name}_temp_path ${folder}/${name};`
  );
  await Deno.writeTextFile(
    join(folder, "nginx.conf"),
    `daemon off; pid ${folder}/pid; error_log stderr; events {}
     http { access_log off; ${temporary.join(" ")}
       server { listen unix:${socket}; location / { proxy_pass ${server.url}; } } }`,
  );
  const nginx = new Deno.Command("/usr/sbin/nginx", {
    args: ["-c", join(folder, "nginx.conf"), "-p", folder],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    while (!await Deno.stat(socket).catch(() => undefined)) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const path of ["/run/ticks", "/api/logs/stream"]) {
      using connection = await Deno.connect({ transport: "unix", path: socket });
      await connection.write(
        new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ${server.key}\r\n\r\n`),
      );
      let text = "";
      const buffer = new Uint8Array(4_096);
      while (!/\r\n\r\n.*(?:data: first|retry: \d)/s.test(text)) {
        const count = await connection.read(buffer);
        assert.notEqual(count, null, `${path}: ${text}`);
        text += new TextDecoder().decode(buffer.subarray(0, count!));
      }
      assert.match(text, /^HTTP\/1\.1 200 /);
    }
  } finally {
    nginx.kill("SIGTERM");
    await nginx.status;
    await Deno.remove(folder, { recursive: true });
  }
});
