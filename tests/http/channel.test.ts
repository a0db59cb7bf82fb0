// The channel between the server and a sandbox process: who else connects to its socket is given nothing.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { acceptAuthenticated, createToken } from "../../src/sandbox/process/channel.ts";
import { createSecret, deploy, run } from "./handlers.ts";
import { startServer } from "./server.ts";

/** A frame of type Ready, with the clock "0". */
const LOADED = new Uint8Array([5, 0, 0, 0, 65, 0, 0, 0, 0, 1, 0, 0, 0, 48]);

/** Of a sandbox: named by a UUID. */
const SANDBOX_FOLDER = /\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** All that can be read until the end of the connection. */
async function readAll(connection: Deno.UnixConn): Promise<string> {
  try {
    return await new Response(connection.readable).text();
  } catch {
    return "";
  }
}

Deno.test("of all that connect, the one that presents the token is accepted, whole or in pieces", async () => {
  const path = await Deno.makeTempFile({ prefix: "crude-functions-test-" });
  await Deno.remove(path);
  const listener = Deno.listen({ transport: "unix", path });
  const token = createToken();
  const accepted = acceptAuthenticated(listener, token);
  const wrong = [
    new Uint8Array(0),
    token.subarray(0, -1),
    createToken(),
    Uint8Array.from(
      token,
      (byte, index) => index === token.length - 1 ? byte ^ 1 : byte,
    ),
    new TextEncoder().encode("GET / HTTP/1.1\r\n".repeat(10)),
  ];
  const strangers = await Promise.all(wrong.map(async (bytes) => {
    const connection = await Deno.connect({ transport: "unix", path });
    if (bytes.length > 0) await connection.write(bytes);
    if (bytes.length < token.length) await connection.closeWrite();
    return connection;
  }));
  // More than may be waited for at once, and all of them silent.
  const silent: Deno.UnixConn[] = [];
  for (let n = 0; n < 40; n++) {
    silent.push(await Deno.connect({ transport: "unix", path }));
  }
  const own = await Deno.connect({ transport: "unix", path });
  await own.write(token.subarray(0, 5));
  await own.write(token.subarray(5));
  await own.write(new TextEncoder().encode("hello"));

  const connection = await accepted;
  listener.close();
  const first = new Uint8Array(5);
  await connection.read(first);
  assert.equal(new TextDecoder().decode(first), "hello");
  await connection.write(new TextEncoder().encode("secret"));
  connection.close();
  assert.equal(await readAll(own), "secret");
  for (const stranger of [...strangers, ...silent]) {
    assert.equal(await readAll(stranger), "");
  }
  await Deno.remove(path).catch(() => {});
});

Deno.test("a program that is first to connect to a sandbox's socket is given no call and no secret", async () => {
  await using server = await startServer();
  const hash = createHash("sha256").update(server.dataDir).digest("hex").slice(
    0,
    16,
  );
  const runDir = join(tmpdir(), `crude-functions-${hash}`);
  const received: Promise<string>[] = [];
  const watcher = Deno.watchFs(runDir);
  const intrude = (async () => {
    const tried = new Set<string>();
    for await (const { paths } of watcher) {
      // A sandbox's folder; builders have folders there, too.
      for (const folder of paths.filter((path) => SANDBOX_FOLDER.test(path))) {
        const path = join(folder, "socket", "s");
        while (!tried.has(folder)) {
          const attempts = await Promise.allSettled(
            Array.from({ length: 3 }, () => Deno.connect({ transport: "unix", path })),
          );
          const connections = attempts.flatMap((attempt) => attempt.status === "fulfilled" ? [attempt.value] : []);
          await connections[0]?.write(LOADED).catch(() => {});
          received.push(...connections.map(readAll));
          if (connections.length > 0) tried.add(folder);
          // The socket is not there yet, or not any more.
          else if (![...Deno.readDirSync(runDir)].some(({ name }) => folder.endsWith(name))) break;
          else await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
    }
  })();
  await createSecret(server, "VALUE", "only-for-the-handler");
  // With a limit of its own, so that no process that was started ahead will do.
  for (const memoryMb of [64, 65, 66]) {
    await deploy(
      server,
      `asks-${memoryMb}`,
      `export default async (c, ctx) => c.text(await ctx.getSecret("VALUE"))`,
      {
        memoryMb,
      },
    );
    const { status, body } = await run(server, `/asks-${memoryMb}`);
    assert.deepEqual([status, body], [200, "only-for-the-handler"]);
  }
  watcher.close();
  await intrude;
  assert.ok(received.length >= 3, `${received.length} connections`);
  for (const text of await Promise.all(received)) assert.equal(text, "");
});
