// Packages from a registry that is a mirror: their files, their locks, versions that cannot be had.

import assert from "node:assert/strict";
import { join } from "node:path";
import { setUp } from "./admin.ts";
import { deploy, run, save } from "./handlers.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { startApp } from "./app.ts";

Deno.test("packages of a mirror, and nothing of others", async (t) => {
  await using registry = startNpmRegistry();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  // Users of sandboxes pass through it.
  await Deno.chmod(folder, 0o711);
  const env = {
    CACHE_DIR: join(folder, "cache"),
    NPM_CONFIG_REGISTRY: registry.url.replace("http://", "http://user:password@"),
  };
  const answer = async (path: string): Promise<string> => {
    const { status, body } = await run(server, path);
    return `${status} ${typeof body === "string" ? body : JSON.stringify(body)}`;
  };
  const one = (name: string, version: string, files: Record<string, string> = {}) =>
    registry.publish({ name, version, files: { "index.js": `module.exports = "${name} ${version}";`, ...files } });
  await one("crude-a", "1.0.0");
  await registry.publish({
    name: "crude-files",
    version: "1.0.0",
    manifest: { description: " Reads \u202e files ", licenses: [{ type: "MIT" }, { type: "Apache-2.0" }, 3] },
    files: {
      "index.js": `const fs = require("fs"); const path = require("path");
        module.exports = (name) => fs.readFileSync(path.isAbsolute(name) ? name : path.join(__dirname, name), "utf8");`,
      "data/font.txt": "letters",
      "private.txt": { content: "mode 0600", mode: 0o600 },
      "lib/secret.js": { content: "module.exports = 'hidden module';", mode: 0o600 },
      "link.txt": { link: "/etc/passwd" },
      "up.txt": { link: "../../../../../../../../etc/passwd" },
    },
  });
  let server = await startApp({ folder, env, checksLoads: true });
  try {
    await t.step("are fetched, and run by sandboxes that are told the mirror without its credentials", async () => {
      assert.deepEqual(
        await save(server, "a.ts", 'import a from "npm:crude-a@1"; export default (c) => c.text(a);'),
        [],
      );
      await deploy(server, "a", 'import a from "npm:crude-a@1"; export default (c) => c.text(a);');
      assert.equal(await answer("/a"), "200 crude-a 1.0.0");
      const environments = [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).flatMap(
        ({ name }) => {
          try {
            const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
            return command.includes("supervisor.ts") && command.includes("--cached-only")
              ? [Deno.readTextFileSync(`/proc/${name}/environ`)]
              : [];
          } catch {
            return [];
          }
        },
      );
      assert.ok(environments.some((text) => text.includes(registry.url)), "the registry is named");
      assert.ok(environments.every((text) => !text.includes("password")), "its password is not");
    });

    await t.step("read their own files, whatever the modes, and no others", async () => {
      await deploy(
        server,
        "files",
        `import read from "npm:crude-files@1"; import hidden from "npm:crude-files@1/lib/secret.js";
         const look = (name) => { try { return read(name) } catch (error) { return "refused " + error.name } };
         export default (c) => c.json([hidden, ...c.req.queries("name").map(look)]);`,
      );
      const names = ["data/font.txt", "private.txt", "link.txt", "up.txt"];
      const query = names.map((name) => `name=${encodeURIComponent(name)}`).join("&");
      const { body } = await run(server, `/files?${query}`);
      assert.deepEqual(body.slice(0, 3), ["hidden module", "letters", "mode 0600"]);
      for (const refused of body.slice(3)) assert.match(refused, /^refused/);
    });

    await t.step("do not read other packages, the cache's index, the key file or the code folder", async () => {
      const { body: found } = await run(server, "/files?name=index.js");
      assert.match(found[1], /require/);
      const other = [...walk(join(folder, "cache/deno/npm"), 6)].find((path) => path.endsWith("crude-a/1.0.0"))!;
      for (
        const path of [
          join(other, "index.js"),
          join(other, "../registry.json"),
          join(other, "../../crude-files/registry.json"),
          join(other, "../../crude-files/1.0.0/../../crude-a/1.0.0/index.js"),
          join(server.dataDir, "encryption-keys.json"),
          join(server.codeDir, "a.ts"),
          "/etc/passwd",
          "/proc/self/environ",
        ]
      ) {
        const { body } = await run(server, `/files?name=${encodeURIComponent(path)}`);
        assert.match(body[1], /^refused/, path);
      }
    });

    await t.step("a version that cannot be had stops its function alone, and changes no lock", async () => {
      await one("crude-b", "1.0.0");
      await one("crude-b", "2.0.0");
      registry.lose("crude-b", "2.0.0");
      await deploy(server, "b", 'import b from "npm:crude-b@1"; export default (c) => c.text(b);');
      const broken = 'import b from "npm:crude-b@2"; export default (c) => c.text(b);';
      assert.match((await save(server, "broken.ts", broken)).join(), /crude-b/);
      await deploy(server, "broken", broken);
      assert.match(await answer("/broken"), /^500/);
      assert.equal(await answer("/a"), "200 crude-a 1.0.0");
      assert.equal(await answer("/b"), "200 crude-b 1.0.0");
      await deploy(
        server,
        "optional",
        `import a from "npm:crude-a@1";
         export default async (c) => c.text(a + await import("npm:crude-b@2").then(() => " got", () => " without"));`,
      );
      assert.equal(await answer("/optional"), "200 crude-a 1.0.0 without");
      await server.stop();
      server = await startApp({ folder, env, checksLoads: true });
      assert.equal(await answer("/a"), "200 crude-a 1.0.0");
      assert.equal(await answer("/b"), "200 crude-b 1.0.0");
      assert.match(await answer("/broken"), /^500/);
    });

    await t.step("a range keeps its version, also for functions that come later and after a restart", async () => {
      await one("crude-a", "1.1.0");
      await deploy(server, "later", 'import a from "npm:crude-a@1"; export default (c) => c.text(a);');
      assert.equal(await answer("/later"), "200 crude-a 1.0.0");
      await deploy(server, "exact", 'import a from "npm:crude-a@1.1.0"; export default (c) => c.text(a);');
      assert.equal(await answer("/exact"), "200 crude-a 1.1.0");
      assert.equal(await answer("/a"), "200 crude-a 1.0.0");
    });

    await t.step("are known after a restart without a question to the registry", async () => {
      await server.stop();
      const before = registry.asked.length;
      server = await startApp({ folder, env, checksLoads: true });
      const asked = registry.asked.length;
      assert.equal(await answer("/a"), "200 crude-a 1.0.0");
      assert.equal(await answer("/files?name=data/font.txt"), '200 ["hidden module","letters"]');
      assert.deepEqual(registry.asked.slice(asked), [], `${before} before`);
    });

    await t.step("with native code are named, with what to use, unless they or their users do without", async () => {
      const native = { "binding.gyp": "{}", "index.js": 'module.exports = require("./build/Release/x.node");' };
      await registry.publish({ name: "crude-native", version: "1.0.0", files: native });
      await registry.publish({
        name: "crude-fallback",
        version: "1.0.0",
        files: { ...native, "index.js": 'try { require("./x.node") } catch {} module.exports = "without";' },
      });
      await registry.publish({
        name: "crude-user",
        version: "1.0.0",
        manifest: { optionalDependencies: { "crude-native": "1" } },
        files: { "index.js": 'try { require("crude-native") } catch { module.exports = "without"; }' },
      });
      // By its name alone, whatever is in it.
      await registry.publish({ name: "bcrypt", version: "9.0.0", files: native });
      const problemsOf = (name: string) =>
        save(server, `${name}-user.ts`, `import x from "npm:${name}"; export default (c) => c.text(x);`);
      const [first, ...rest] = await problemsOf("crude-native");
      assert.equal(first, "crude-native needs native code, which functions cannot run.");
      assert.match(rest.join(), /does not load/);
      assert.deepEqual(await problemsOf("crude-fallback"), []);
      assert.deepEqual(await problemsOf("crude-user"), []);
      assert.deepEqual(await problemsOf("bcrypt"), [
        "bcrypt needs native code, which functions cannot run; use bcryptjs instead.",
      ]);
    });

    await t.step("are listed with their versions, their sizes and the functions that import them", async () => {
      const { body } = await server.api("GET", "/api/packages");
      const found = body.packages.find(({ name }: { name: string }) => name === "crude-a");
      assert.deepEqual([found.registry, found.native], ["npm", false]);
      const users = found.versions.map(({ version, functions }: Found) => [
        version,
        functions.map(({ name, specifiers }) => `${name} ${specifiers}`).sort(),
      ]);
      assert.deepEqual(users, [
        ["1.1.0", ["exact npm:crude-a@1.1.0"]],
        ["1.0.0", ["a npm:crude-a@1", "later npm:crude-a@1", "optional npm:crude-a@1"]],
      ]);
      const about = body.packages.map(({ name, description, versions }: Listed) => [
        name,
        description,
        versions[0]!.license,
      ]);
      assert.deepEqual(about.filter(([name]: string[]) => /crude-(?:a|files)$/.test(name!)), [
        ["crude-a", null, null],
        ["crude-files", "Reads \\u202e files", "MIT OR Apache-2.0"],
      ]);
      assert.ok(
        found.size > 0 && found.size === found.versions.reduce((sum: number, { size }: Found) => sum + size, 0),
      );
      const names = body.packages.map(({ name }: { name: string }) => name);
      assert.deepEqual(names, names.toSorted());
      assert.ok(!names.includes("hono"), "what only the workers import is nobody's");
    });

    await t.step("move to another version for all functions or for some, all or none of them", async () => {
      const move = async (name: string, body: unknown) => {
        const { status, body: answer } = await server.api(
          "POST",
          `/api/packages/${encodeURIComponent(name)}/update`,
          body,
        );
        return { status, ...answer };
      };
      const versions = async () => await Promise.all(["/a", "/later", "/exact"].map(answer));
      const { body: { functions } } = await server.api("GET", "/api/functions");
      const id = (name: string): number => functions.find((one: { name: string }) => one.name === name).id;
      assert.deepEqual(await versions(), ["200 crude-a 1.0.0", "200 crude-a 1.0.0", "200 crude-a 1.1.0"]);

      const dry = await move("crude-a", { functions: [id("a")], dryRun: true });
      const moved = { id: id("a"), name: "a", from: ["1.0.0"], to: ["1.1.0"] };
      assert.deepEqual([dry.status, dry.updated, dry.problems], [200, [moved], []]);
      assert.deepEqual(await versions(), ["200 crude-a 1.0.0", "200 crude-a 1.0.0", "200 crude-a 1.1.0"]);
      assert.deepEqual((await move("crude-a", { functions: [id("a")] })).updated, [moved]);
      assert.deepEqual(await versions(), ["200 crude-a 1.1.0", "200 crude-a 1.0.0", "200 crude-a 1.1.0"]);

      // A version that some import does not allow changes nothing anywhere.
      await one("crude-a", "2.0.0");
      const refused = await move("crude-a", { to: "2.0.0" });
      assert.deepEqual([refused.status, refused.code], [409, "PackageProblems"]);
      assert.match(refused.error, /a\.ts imports "npm:crude-a@1", which does not allow 2\.0\.0/);
      assert.deepEqual(await versions(), ["200 crude-a 1.1.0", "200 crude-a 1.0.0", "200 crude-a 1.1.0"]);

      // One that does not load changes nothing, either.
      await one("crude-a", "1.2.0", { "index.js": 'throw new Error("broken release");' });
      const broken = await move("crude-a", { functions: [id("later"), id("a")] });
      assert.deepEqual([broken.status, broken.code], [409, "PackageProblems"]);
      assert.match(broken.error, /broken release/);
      assert.deepEqual(await versions(), ["200 crude-a 1.1.0", "200 crude-a 1.0.0", "200 crude-a 1.1.0"]);

      // For all: new functions get it, too. And back again.
      const all = await move("crude-a", { to: "1.0.0", functions: undefined });
      assert.equal(all.status, 409, "exact imports 1.1.0");
      await one("crude-c", "1.0.0");
      await deploy(server, "c", 'import x from "npm:crude-c@^1.0.0"; export default (c) => c.text(x);');
      await one("crude-c", "1.0.1");
      assert.deepEqual((await move("crude-c", {})).updated.map(({ to }: { to: string[] }) => to), [["1.0.1"]]);
      await deploy(server, "c2", 'import x from "npm:crude-c@^1.0.0"; export default (c) => c.text(x);');
      assert.equal(await answer("/c2"), "200 crude-c 1.0.1");
      const { body: listed } = await server.api("GET", "/api/packages");
      assert.ok(
        !listed.packages.some(({ name }: Listed) => name === "hono"),
        "it is the workers' after an update, too",
      );
      const { body: audit } = await server.api("GET", "/api/audit?action=package.updated");
      assert.deepEqual(audit.entries.map((entry: { subject: { name: string } }) => entry.subject.name), [
        "crude-c",
        "crude-a",
      ]);

      for (
        const [name, body, status] of [
          ["crude-none", {}, 404],
          ["..", {}, 404],
          ["a b", {}, 400],
          ["crude-a", { to: "https://x" }, 400],
          ["crude-a", { to: "" }, 400],
          ["crude-a", { functions: [] }, 400],
          ["crude-a", { functions: [id("files")] }, 400],
          ["crude-a", { functions: [987654] }, 404],
          ["crude-a", { force: true }, 400],
          ["hono", {}, 404],
        ] as const
      ) assert.equal((await move(name, body)).status, status, JSON.stringify([name, body]));
    });

    await t.step("have a page that lists them and updates one", async () => {
      await one("crude-c", "1.0.2");
      const visitor = await setUp(server);
      const { body: { functions } } = await server.api("GET", "/api/functions");
      const exact = functions.find((one: { name: string }) => one.name === "exact");
      const { status, text } = await visitor.get("/web/packages");
      assert.equal(status, 200);
      for (const name of ["crude-a", "crude-c", "crude-files"]) {
        assert.match(text, new RegExp(`aria-label="Update … ${name}"`));
      }
      assert.match(text, />crude-a<\/a>[\s\S]*1\.1\.0, 1\.0\.0[\s\S]*2 versions/);
      assert.match(
        (await visitor.get(`/web/functions/${exact.id}`)).text,
        /name=crude-a">crude-a<\/a>[^<]*<span class="quiet">1\.1\.0</,
      );
      const page = await visitor.get("/web/packages/of?registry=npm&name=crude-a");
      assert.match(page.text, />later<\/a>[\s\S]*1\.0\.0[\s\S]*<code>npm:crude-a@1<\/code>/);
      assert.equal((await visitor.get("/web/packages/of?registry=npm&name=crude-none")).status, 404);
      const checked = await visitor.post("/web/packages/check", { name: "crude-c", to: "" });
      assert.match(checked.text, /An update would change 2 functions: 1\.0\.1 → 1\.0\.2\./);
      assert.equal(await answer("/c2"), "200 crude-c 1.0.1", "a check changes nothing");
      const impossible = await visitor.post("/web/packages/check", { name: "crude-c", to: "9" });
      assert.match(impossible.text, /It cannot be updated/);
      const updated = await visitor.submit("/web/packages/update", { name: "crude-c", to: "" });
      assert.match(updated.text, /Updated crude-c for 2 functions/);
      assert.equal(await answer("/c2"), "200 crude-c 1.0.2");
      const refused = await visitor.submit("/web/packages/update", { name: "crude-c", to: "9" });
      assert.match(refused.text, /crude-c was not updated/);
    });

    await t.step("a package that others have as a peer moves with them", async () => {
      await one("crude-peer", "1.0.0");
      await registry.publish({
        name: "@crude/user",
        version: "1.0.0",
        manifest: { peerDependencies: { "crude-peer": "^1.0.0" } },
        files: { "index.js": 'module.exports = "user of " + require("crude-peer");' },
      });
      await deploy(
        server,
        "peers",
        `import user from "npm:@crude/user@1"; import peer from "npm:crude-peer@^1.0.0";
         export default (c) => c.json([user, peer]);`,
      );
      assert.equal(await answer("/peers"), '200 ["user of crude-peer 1.0.0","crude-peer 1.0.0"]');
      await one("crude-peer", "1.1.0");
      await registry.publish({
        name: "@crude/user",
        version: "1.9.0",
        files: { "index.js": "module.exports = 'other'" },
      });
      const { status, body } = await server.api("POST", "/api/packages/crude-peer/update", {});
      assert.equal(status, 200, JSON.stringify(body));
      assert.equal(await answer("/peers"), '200 ["user of crude-peer 1.1.0","crude-peer 1.1.0"]');
      const scoped = await server.api("POST", "/api/packages/@crude%2Fuser/update", { to: "1.9.0" });
      assert.equal(scoped.status, 200, JSON.stringify(scoped.body));
      assert.equal(await answer("/peers"), '200 ["other","crude-peer 1.1.0"]');
    });

    await t.step("a save that needs no download does not wait for another's", async () => {
      for (let each = 0; each < 4; each++) await one(`crude-slow-${each}`, "1.0.0");
      const releases = [0, 1, 2, 3].map((each) => registry.hold(`crude-slow-${each}`));
      const slow = [0, 1, 2, 3].map((each) =>
        save(server, `slow${each}.ts`, `import "npm:crude-slow-${each}@1"; export default () => 1;`)
      );
      let isOver = false;
      void Promise.race(slow).then(() => isOver = true);
      await save(server, "plain.ts", "export default () => 1;");
      assert.ok(!isOver);
      for (const release of releases) release();
      assert.deepEqual((await Promise.all(slow)).flat(), []);
    });
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
});

/** A package as the API lists it. */
interface Listed {
  name: string;
  description: string | null;
  versions: { license: string | null }[];
}

/** A version as the API lists it. */
interface Found {
  version: string;
  size: number;
  functions: { name: string; specifiers: string[] }[];
}

function* walk(folder: string, depth: number): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (!isDirectory) continue;
    yield join(folder, name);
    if (depth > 0) yield* walk(join(folder, name), depth - 1);
  }
}
