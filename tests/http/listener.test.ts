// Connections beyond what the operating system allows the server.

import assert from "node:assert/strict";
import { deploy, run } from "./handlers.ts";
import { startServer } from "./server.ts";

const DESCRIPTORS = 300;

Deno.test("a server whose descriptors ran out listens again, on the same port, and says so", async () => {
  await using server = await startServer({ prepare: `ulimit -n ${DESCRIPTORS}` });
  await deploy(server, "hello", "export default (c) => c.text('hello');");
  assert.equal((await run(server, "/hello")).body, "hello");
  const { hostname, port } = new URL(server.url);
  for (let round = 0; round < 2; round++) {
    const connections: Deno.Conn[] = [];
    try {
      // Heads that never end: each holds a descriptor of the server.
      for (let count = 0; count < 2 * DESCRIPTORS; count++) {
        const connection = await Deno.connect({ hostname, port: Number(port) });
        connections.push(connection);
        await connection.write(new TextEncoder().encode("GET /run/hello HTTP/1.1\r\n"));
      }
    } catch {
      // Refused or reset: the server has no descriptors left.
    }
    await server.logged(new RegExp("(?:.*A connection could not be accepted[^]*){" + (round + 1) + "}"));
    // The client's own descriptors; the server has closed its side.
    for (const connection of connections) connection.close();
    assert.equal((await untilAnswered(() => run(server, "/hello"))).body, "hello");
  }
  assert.equal(await server.stop(), 0);
});

/** Repeats a request that is refused while the listener is closed. */
async function untilAnswered<T>(request: () => Promise<T>): Promise<T> {
  for (let attempt = 0;; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
