// A server that is killed while it deploys: after its next start, all of the deployment is there, or nothing.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startApp } from "../http/app.ts";
import { deployed, on, type Project } from "../http/deploying.ts";
import { type Server, startServer } from "../http/server.ts";

const FILES = ["a.ts", "b.ts", "lib/word.ts", "lib/more/data.txt"];

/** A project whose every file and function shows which release it belongs to. */
function release(n: number): Project {
  const handler = `import { word } from "./lib/word.ts";\nexport default (c) => c.text(word);\n// ${n}\n`;
  return {
    message: `Release ${n}`,
    files: {
      "a.ts": handler,
      "b.ts": handler,
      "lib/word.ts": `export const word = "${n}";\n`,
      "lib/more/data.txt": `${n}`,
      [`only-${n}.ts`]: `${n}`,
    },
    functions: { a: on("/a", "a.ts", { description: `${n}` }), b: on(`/b-${n}`, "b.ts", { description: `${n}` }) },
    prune: true,
  };
}

/** The releases that the parts of a server belong to: one if it is whole. */
async function releases(server: Server): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of FILES) {
    found.add(/(\d+)\D*$/.exec(await Deno.readTextFile(join(server.codeDir, path)))![1]!);
  }
  for await (const { name } of Deno.readDir(server.codeDir)) {
    const only = /^only-(\d+)\.ts$/.exec(name);
    if (only) found.add(only[1]!);
    else assert.match(name, /^(?:[ab]\.ts|lib)$/, "nothing else is left in the code folder");
  }
  const { body } = await server.api("GET", "/api/functions");
  for (const { description } of body.functions) found.add(description);
  const run = await server.api("GET", "/run/a");
  found.add(run.body);
  const [{ message, cause }] = (await server.api("GET", "/api/versions?limit=1")).body.versions;
  assert.equal(cause, "deployment", "a half-written folder does not become a version");
  found.add(/\d+/.exec(message)![0]);
  return found;
}

Deno.test("killed at any moment of a deployment, a server has all of it or nothing after its next start", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let n = 0;
    {
      await using server = await startServer({ folder });
      await deployed(server, release(n));
    }
    const outcomes = new Set<boolean>();
    // A deployment of this project takes a few hundred milliseconds; the last one is killed once it is answered.
    for (const delayMs of [0, 60, 150, 250, 400, undefined]) {
      {
        await using server = await startServer({ folder });
        const next = deployed(server, release(n + 1)).then(() => true, () => false);
        await (delayMs === undefined ? next : new Promise((resolve) => setTimeout(resolve, delayMs)));
        Deno.kill(server.pid, "SIGKILL");
        await next;
      }
      await using server = await startServer({ folder });
      const found = await releases(server);
      assert.equal(
        found.size,
        1,
        `killed ${delayMs === undefined ? "at its end" : `after ${delayMs} ms`}: ${[...found]}`,
      );
      const [now] = [...found].map(Number);
      assert.ok(now === n || now === n + 1);
      outcomes.add(now === n + 1);
      n = now!;
    }
    assert.deepEqual([...outcomes].sort(), [false, true], "some were killed before, and some after the commit");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a deployment that was stored but not put in place is completed at the next start, except for edits", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const old = new Map<string, string>();
    {
      await using server = await startApp({ folder });
      await deployed(server, release(1));
      for (const path of FILES) old.set(path, await Deno.readTextFile(join(server.codeDir, path)));
      await deployed(server, release(2));
    }
    const code = join(folder, "code");
    const kill = (paths: readonly string[]) => {
      for (const path of paths) Deno.writeTextFileSync(join(code, path), old.get(path)!);
      using db = new DatabaseSync(join(folder, "data", "database.db"));
      db.exec("UPDATE meta SET value = '1' WHERE name = 'code-applied'");
    };
    // Some files are in place, some are not, and one of the old release is still there.
    kill(["a.ts", "lib/word.ts"]);
    await Deno.remove(join(code, "only-2.ts"));
    await Deno.writeTextFile(join(code, "only-1.ts"), "1");
    await Deno.mkdir(join(code, ".crude-draft-left"), { recursive: true });
    {
      await using server = await startApp({ folder });
      assert.deepEqual([...await releases(server)], ["2"]);
      await server.logged(/The code folder was brought to version 2/);
    }
    // What the user wrote meanwhile is neither the old nor the new content.
    kill(["a.ts"]);
    await Deno.writeTextFile(join(code, "lib/word.ts"), `export const word = "edited";\n`);
    await using server = await startApp({ folder });
    assert.equal((await server.api("GET", "/run/a")).body, "edited");
    const [newest] = (await server.api("GET", "/api/versions")).body.versions;
    assert.deepEqual([newest.id, newest.cause], [3, "disk"]);
    const { body } = await server.api("GET", "/api/versions/3");
    assert.deepEqual(body.files.map(({ path }: { path: string }) => path), ["lib/word.ts"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a folder that becomes a file, and a file that becomes a folder, are completed at the next start, too", async () => {
  const folder = await Deno.makeTempDir();
  const code = join(folder, "code");
  const kill = () => {
    using db = new DatabaseSync(join(folder, "data", "database.db"));
    db.exec("UPDATE meta SET value = '1' WHERE name = 'code-applied'");
  };
  try {
    {
      await using server = await startApp({ folder });
      await deployed(server, { files: { "a/b.txt": "1", "c": "1" } });
      await deployed(server, { files: { "a/b.txt": null, "a": "2", "c": null, "c/d.txt": "2" } });
    }
    // Nothing is in place; then the old files are gone, and an empty folder is left.
    for (const isEmpty of [false, true]) {
      await Deno.remove(join(code, "a"));
      await Deno.remove(join(code, "c"), { recursive: true });
      await Deno.mkdir(join(code, "a"));
      if (!isEmpty) await Deno.writeTextFile(join(code, "a/b.txt"), "1");
      if (!isEmpty) await Deno.writeTextFile(join(code, "c"), "1");
      kill();
      await using server = await startApp({ folder });
      await server.logged(/The code folder was brought to version 2/);
      assert.equal(await Deno.readTextFile(join(code, "a")), "2");
      assert.equal(await Deno.readTextFile(join(code, "c/d.txt")), "2");
      assert.equal((await server.api("GET", "/api/versions")).body.versions[0].id, 2);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
