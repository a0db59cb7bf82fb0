// The start of a node without PostgreSQL: it waits, says so, begins as soon as it can, and can be stopped meanwhile.

import assert from "node:assert/strict";
import { join } from "node:path";
import { environment, Printed, ROOT } from "../http/server.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { startPostgres } from "./postgres.ts";

async function startProcess(folder: string, databaseUrl: string) {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const [, ...args] = tasks.start.split(" ");
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: {
      ...environment(join(folder, "data"), join(folder, "code")),
      DATABASE_URL: databaseUrl,
      KEYRING_PASSPHRASE: "a passphrase for the tests of clusters",
      NO_COLOR: "1",
    },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed = new Printed();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) printed.add(text);
  };
  const ended = Promise.all([child.status, collect(child.stdout), collect(child.stderr)]);
  return {
    printed,
    async stop(): Promise<number> {
      child.kill("SIGTERM");
      return (await ended)[0].code;
    },
  };
}

Deno.test("a node waits for PostgreSQL, can be stopped meanwhile, and starts when it is there", async () => {
  await using there = await startPostgres();
  await there.stop();
  using folder = temporaryFolder();
  {
    const node = await startProcess(folder.path, there.url);
    await node.printed.match(/PostgreSQL is not available: the connection was refused\. Waiting for 127\.0\.0\.1:\d+,/);
    assert.equal(await node.stop(), 0, node.printed.text);
    assert.match(node.printed.text, /SIGTERM: stopped before the start was complete\./);
  }
  const node = await startProcess(folder.path, there.url);
  await node.printed.match(/Waiting for 127/);
  await there.restart();
  await node.printed.match(/^Listening on http:/m);
  assert.equal(await node.stop(), 0, node.printed.text);
  assert.doesNotMatch(node.printed.text, /of%20tests|a password/);
});
