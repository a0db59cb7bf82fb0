// `crude secrets import` and `export`, on Node and on Deno, against a real server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import { createGroup, createKey } from "../http/handlers.ts";
import { type CrudeHome, makeCrudeHome, RUNTIMES } from "./crude.ts";

for (const runtime of Object.keys(RUNTIMES)) {
  Deno.test(`on ${runtime}, secrets are imported from a file or standard input, and exported`, async () => {
    await using server = await startApp();
    await using home = makeCrudeHome(runtime);
    const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
    const run = (args: readonly string[], input?: string) =>
      (home as CrudeHome).crude(["secrets", ...args], { env, ...(input !== undefined && { input }) });
    await createKey(server, await createGroup(server, "staging"), "acme");

    const file = home.write(".env", "# of A\nA='planted $1'\nSTAGING_A=planted-2\nACME_A=planted-3\n");
    const prefixes = ["--prefix", "STAGING_=group:staging", "--prefix", "ACME_=key:staging/acme"];
    const preview = await run(["import", file, ...prefixes, "--dry-run"]);
    assert.equal(preview.code, 0, preview.stderr);
    assert.equal(
      preview.stdout,
      "Nothing was changed.\nnew: A, A (group staging), A (key acme)\nchanged: none\nsame: none\n",
    );
    assert.deepEqual((await server.api("GET", "/api/secrets")).body.secrets, []);
    const done = await run(["import", file, ...prefixes, "--json"]);
    assert.deepEqual(done.json.counts, { new: 3, changed: 0, same: 0, invalid: 0 });
    assert.ok(!done.stdout.includes("planted"));

    assert.equal((await run(["export"])).stdout, "# of A\nA='planted $1'\n");
    const yaml = await run(["export", "--scope", "key", "--owner", "staging/acme", "--output", "acme.yaml"]);
    assert.equal(yaml.code, 0, yaml.stderr);
    const written = join(home.path, "acme.yaml");
    assert.equal(await Deno.readTextFile(written), 'A: "planted-3"\n');
    assert.equal((await Deno.stat(written)).mode! & 0o777, 0o600);
    // Others may have opened a file that they could read.
    const readable = join(home.path, "readable.env");
    await Deno.writeTextFile(readable, "earlier", { mode: 0o644 });
    await Deno.symlink(readable, join(home.path, "link.env"));
    using opened = await Deno.open(readable);
    assert.equal((await run(["export", "-o", "link.env"])).code, 0);
    assert.equal(await new Response(opened.readable).text(), "earlier");
    assert.equal(await Deno.readTextFile(readable), "# of A\nA='planted $1'\n");
    assert.equal((await Deno.stat(readable)).mode! & 0o777, 0o600);
    const nowhere = await run(["export", "-o", "missing/a.env"]);
    assert.match(nowhere.stderr, /--output cannot be written: .*missing/);
    assert.equal((await run(["export", "-o", "/dev/stdout"])).code, 0);

    const again = await run(["import", "-", "--format", "json"], '{"A": "planted $1", "B": "x"}');
    assert.equal(again.stdout, "new: B\nchanged: none\nsame: A\n");
    const taken = await run(["import", "-", "--create"], "A=1\nC=2\n");
    assert.deepEqual([taken.code, /these secrets exist: A\./.test(taken.stderr)], [1, true]);
    const invalid = await run(["import", "-", "--dry-run"], "D=1\nnonsense\n");
    assert.deepEqual([invalid.code, /^invalid: line 2 is not NAME=value$/m.test(invalid.stdout)], [1, true]);
    const refused = await run(["import", "-"], "D=1\nnonsense\nE\n");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, / {2}line 3 is not NAME=value/);
    for (const prefix of ["A", "A=", "A=group", "A=global:x", "A=other:x"]) {
      assert.equal((await run(["import", file, "--prefix", prefix])).code, 2, prefix);
    }
    assert.equal((await server.api("GET", "/api/secrets")).body.secrets.length, 4);
  });
}
