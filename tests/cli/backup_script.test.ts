// deploy/backup.sh, as a timer runs it beside a server.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { startApp } from "../http/app.ts";
import { createSecret, save } from "../http/handlers.ts";
import { ROOT, type Server } from "../http/server.ts";

/** Runs the script beside `server`; the path that it prints. */
async function backup(server: Server, to: string, keep?: number): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("/bin/sh", {
    args: ["deploy/backup.sh", to, ...(keep === undefined ? [] : [String(keep)])],
    cwd: ROOT,
    env: {
      PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`,
      DATA_DIR: server.dataDir,
      CODE_DIR: server.codeDir,
      NO_COLOR: "1",
    },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

const namesIn = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();

Deno.test("a backup has the data and the code, is the owner's alone, and the oldest ones go", async () => {
  await using server = await startApp();
  await createSecret(server, "TOKEN", "of the backup");
  await save(server, "nested/hello.ts", "export default () => new Response();");
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-backup-" });
  try {
    const to = join(folder, "backups");
    // What an administrator put there stays.
    await Deno.mkdir(join(to, "mine"), { recursive: true });
    for (const name of ["2026-01-01T000000Z", "2026-01-02T000000Z", "2026-01-03T000000Z"]) {
      await Deno.mkdir(join(to, name));
    }
    const made = await backup(server, to, 2);
    assert.deepEqual(namesIn(to), ["2026-01-03T000000Z", made.slice(to.length + 1), "mine"]);
    assert.deepEqual(namesIn(made), ["code.tar", "data"]);
    assert.ok(namesIn(join(made, "data")).includes("encryption-keys.json"));
    assert.equal((await Deno.stat(made)).mode! & 0o777, 0o700);
    const { stdout } = await new Deno.Command("tar", { args: ["-tf", join(made, "code.tar")] }).output();
    assert.match(new TextDecoder().decode(stdout), /^\.\/nested\/hello\.ts$/m);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a backup that cannot be made fails, leaves nothing, and removes no older one", async () => {
  await using server = await startApp();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-backup-" });
  try {
    await Deno.mkdir(join(folder, "2026-01-01T000000Z"));
    const nowhere = { ...server, dataDir: join(folder, "missing") };
    await assert.rejects(backup(nowhere, folder, 1));
    assert.deepEqual(namesIn(folder), ["2026-01-01T000000Z"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
