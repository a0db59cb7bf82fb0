// Commands on the data folder of a node of a cluster: what only reads works, a backup restores to a single server, and
// what would write is refused with what to do.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClusterKeyring } from "../../src/cluster/keyring/open_keyring.ts";
import { Passphrase } from "../../src/config.ts";
import { createSecret } from "../http/handlers.ts";
import { type Home, makeHome } from "./cli.ts";

const TEXT = "correct horse battery";
const ENV = { KEYRING_PASSPHRASE: TEXT };

/** Makes the data folder of `home` look like a node's. */
function makeNode(home: Home): void {
  createClusterKeyring({
    path: join(home.dataDir, "encryption-keys.json"),
    passphrase: new Passphrase(TEXT, "KEYRING_PASSPHRASE"),
    now: new Date(),
  });
}

Deno.test("a node's folder can be checked and backed up, and only nodes write to it", async () => {
  await using home = makeHome();
  {
    await using server = await home.start(ENV);
    await createSecret(server, "NAME", "a value of eight");
    assert.equal(
      (await server.api("PUT", "/api/files/a.ts", { content: "export default 1;", encoding: "utf-8" })).status,
      201,
    );
  }
  makeNode(home);
  await assert.rejects(home.start(ENV), /DATA_DIR \S+ is of a node of a cluster: set DATABASE_URL/);
  const database = () => readFileSync(join(home.dataDir, "database.db")).toString("base64");
  const before = database();
  for (const args of [["keyring", "status"], ["keyring", "verify"], ["verify"], ["audit", "verify"]]) {
    assert.equal((await home.cli(args, ENV)).code, 0, args.join(" "));
  }
  for (
    const [args, what] of [
      [["keyring", "rotate"], /POST \/api\/encryption-keys\/rotation/],
      [["keys", "create", "--group", "management", "--name", "x"], /BOOTSTRAP_API_KEY/],
      [["admin", "reset", "a@example.com"], /page Users/],
      [["restore", "copy", "--force"], /migrate-to-cluster/],
    ] as const
  ) {
    if (args[0] === "restore") {
      const { code, stderr } = await home.cli(["backup", "copy"], ENV);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /not recorded in the audit/);
    }
    const { code, stderr } = await home.cli(args, ENV);
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, /data folder of a node of a cluster/);
    assert.match(stderr, what);
  }
  assert.equal(database(), before, "nothing was written");

  await using single = makeHome();
  const restored = await single.cli(["restore", join(home.path, "copy")], ENV);
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal("revision" in JSON.parse(readFileSync(join(single.dataDir, "encryption-keys.json"), "utf8")), false);
  await using server = await single.start(ENV);
  const { body } = await server.api("GET", "/api/secrets?includeValues=true");
  assert.deepEqual(body.secrets.map(({ value }: { value: string }) => value), ["a value of eight"]);
  const file = await server.api("GET", "/api/files/a.ts");
  assert.equal(file.status, 200, "the code folder is empty and gets the newest version");
});
