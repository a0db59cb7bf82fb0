// Starting and stopping: what the operator is told, what is never overwritten, who is not cut off.

import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { setUp } from "../http/admin.ts";
import { createSecret, deploy, run } from "../http/handlers.ts";
import { without, WITHOUT_PRLIMIT } from "../http/lacking_programs.ts";
import { startServer } from "../http/server.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function temporaryFolder() {
  const path = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** What a server that must not start prints, and its exit code. */
async function refusal(
  options: Parameters<typeof startServer>[0],
): Promise<string> {
  try {
    await using server = await startServer(options);
    assert.fail(`It listens on ${server.url}.`);
  } catch (error) {
    const [, code, printed] = /^The server ended with (\d+):\n([\s\S]*)$/.exec(
      (error as Error).message,
    ) ?? [];
    assert.equal(code, "1", (error as Error).message);
    return printed!.trim();
  }
}

Deno.test("a bad variable stops the start with one line that names it", async () => {
  await using folder = await temporaryFolder();
  const cases: Record<string, string> = {
    PORT: "80a",
    HOST: "not a host",
    DATA_DIR: "",
    CODE_DIR: "a,b",
    BOOTSTRAP_API_KEY: "short",
    TRUSTED_PROXIES: "10.0.0.1, proxy.example.com",
    KEYRING_PASSPHRASE: "short",
    KEYRING_PASSPHRASE_FILE: "/nowhere/passphrase",
  };
  for (const [name, value] of Object.entries(cases)) {
    const printed = await refusal({
      env: { [name]: value },
      folder: folder.path,
    });
    assert.match(printed, new RegExp(`^${name} [^\\n]+$`), printed);
    if (value === "short") assert.ok(!printed.includes(value));
  }
});

Deno.test("a port in use stops the start with a line that names PORT", async () => {
  await using server = await startServer();
  const printed = await refusal({ env: { PORT: new URL(server.url).port } });
  assert.match(printed, /^HOST 127\.0\.0\.1, PORT \d+ cannot be used: [^\n]+$/);
});

Deno.test("two servers on one data folder: the second does not start", async () => {
  await using folder = await temporaryFolder();
  await using _first = await startServer({ folder: folder.path });
  assert.match(
    await refusal({ folder: folder.path }),
    /^DATA_DIR \S+ is in use by another server\.$/,
  );
});

/** Options by which the server loads this module first. */
async function preloading(
  source: string,
  folder: string,
): Promise<Parameters<typeof startServer>[0]> {
  const module = `${folder}/first.ts`;
  await Deno.writeTextFile(module, source);
  return {
    folder,
    prepare: `deno=$1; shift 2; set -- "$deno" run --preload=${module} "$@"`,
  };
}

/** Options by which the server takes the Deno that runs it for another version. */
function withDeno(
  version: string,
  folder: string,
): Promise<Parameters<typeof startServer>[0]> {
  return preloading(
    `Object.defineProperty(Deno, "version", { value: { deno: "${version}" } });`,
    folder,
  );
}

Deno.test("a Deno below the minimum stops the start with a line that names one that works", async () => {
  await using folder = await temporaryFolder();
  for (const version of ["1.46.3", "2.9.5", "2.9.6-rc.1"]) {
    const printed = await refusal(await withDeno(version, folder.path));
    assert.match(
      printed,
      new RegExp(
        `^Deno ${version} is too old [^\\n]+ npx -y deno@2\\.9\\.6 task start$`,
      ),
    );
  }
  await assert.rejects(Deno.stat(`${folder.path}/data`), Deno.errors.NotFound);
});

Deno.test("a Deno that the hostile suite has not passed on is warned of in the log, at /health and on the pages", async () => {
  await using folder = await temporaryFolder();
  await using server = await startServer(await withDeno("2.10.0", folder.path));
  assert.match(
    server.logs(),
    /WARN +Deno 2\.10\.0 has not passed .* 2\.9\.6 has/,
  );
  const { body } = await server.api("GET", "/health");
  assert.equal(body.status, "ok");
  assert.match(body.warnings.join(), /version of Deno/);
  const admin = await setUp(server);
  assert.match((await admin.get("/web")).text, /Deno 2\.10\.0 has not passed/);
});

Deno.test({
  name:
    "neither the server nor a sandbox can dump its memory, to a file or to a program, also where the limit was lifted",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await startServer({
      prepare: "ulimit -c $(ulimit -H -c)",
    });
    await deploy(server, "process", "export default (c) => c.json(Deno.pid)");
    const sandbox = (await run(server, "/process")).body;
    for (const pid of [server.pid, sandbox]) {
      assert.match(
        Deno.readTextFileSync(`/proc/${pid}/limits`),
        /^Max core file size +0 +0 /m,
        String(pid),
      );
      assert.match(
        Deno.readTextFileSync(`/proc/${pid}/coredump_filter`),
        /^0+$/m,
        String(pid),
      );
    }
    assert.doesNotMatch(server.logs(), /Core dumps/);
  },
});

const LANDLOCK_LACKS = /Landlock does not work here/;
const SECCOMP_LACKS = /System calls of sandboxes are not filtered/;

/** What a machine can lack, and what the server then says when it starts, in its log and on the overview. */
const LACKS: readonly [
  what: string,
  module: string,
  warnings: readonly RegExp[],
][] = [
  ["prlimit", WITHOUT_PRLIMIT, [/Core dumps cannot be turned off here/]],
  ["perl", without("perl"), [LANDLOCK_LACKS, SECCOMP_LACKS]],
  ["setpriv", without("setpriv"), [
    ...(Deno.uid() === 0 ? [/sandboxes run as root, too/] : []),
    LANDLOCK_LACKS,
    SECCOMP_LACKS,
  ]],
];

for (const [what, module, warnings] of LACKS) {
  Deno.test({
    name: `a machine without ${what} is warned of when the server starts, and functions run all the same`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using folder = await temporaryFolder();
      await Deno.chmod(folder.path, 0o711);
      await using server = await startServer(
        await preloading(module, folder.path),
      );
      const visitor = await setUp(server);
      const { text } = await visitor.get("/web");
      const all = [
        LANDLOCK_LACKS,
        SECCOMP_LACKS,
        /Core dumps/,
        /sandboxes run as root/,
      ];
      const inLog = all.filter((warning) => new RegExp(`WARN +.*${warning.source}`).test(server.logs()));
      for (const warning of warnings) {
        assert.match(server.logs(), new RegExp(`WARN +.*${warning.source}`));
        assert.match(text, warning);
      }
      assert.equal(inLog.length, warnings.length, server.logs());
      await deploy(server, "works", "export default (c) => c.text('works')");
      assert.equal((await run(server, "/works")).body, "works");
    },
  });
}

Deno.test({
  name: "root without a capability that users of sandboxes take runs them as itself, says so, and still ends them",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  async fn() {
    for (const missing of ["chown", "kill"]) {
      const prepare = `set -- setpriv --bounding-set=-${missing} --inh-caps=-${missing} "$@"`;
      await using server = await startServer({ prepare });
      assert.match(
        server.logs(),
        /WARN +.*not all of the capabilities.*sandboxes run as root, too/,
      );
      await deploy(server, "works", "export default (c) => c.text('works')");
      assert.equal((await run(server, "/works")).body, "works");
      assert.equal(await server.stop(), 0);
    }
  },
});

Deno.test("data and the key file are made with modes that keep others out", async () => {
  await using server = await startServer();
  const mode = (path: string) => (Deno.statSync(path).mode! & 0o777).toString(8);
  assert.equal(mode(server.dataDir), "700");
  for (const file of Deno.readDirSync(server.dataDir)) {
    if (file.name === "imports.lock") continue; // Versions of public packages.
    assert.equal(mode(`${server.dataDir}/${file.name}`), "600", file.name);
  }
});

Deno.test("what was stored is there after a restart and after a SIGKILL", async () => {
  await using folder = await temporaryFolder();
  const code = "export default async (c, ctx) => c.text(await ctx.getSecret('NAME'))";
  {
    await using server = await startServer({ folder: folder.path });
    await createSecret(server, "NAME", "kept");
    await deploy(server, "read", code);
    assert.equal(await server.stop(), 0);
  }
  {
    await using server = await startServer({ folder: folder.path });
    assert.equal((await run(server, "/read")).body, "kept");
    await createSecret(server, "LATE", "kept too");
    Deno.kill(server.pid, "SIGKILL");
  }
  await using server = await startServer({ folder: folder.path });
  assert.equal((await run(server, "/read")).body, "kept");
  const { body } = await server.api(
    "GET",
    "/api/secrets/by-name/LATE?includeValues=true",
  );
  assert.equal(body.secrets[0].value, "kept too");
  const { body: keys } = await server.api("GET", "/api/keys");
  assert.equal(keys.keys.length, 1, "the bootstrap key is put there once");
});

Deno.test("data without its key file, or with a damaged or foreign one, stops the start and stays as it is", async () => {
  await using folder = await temporaryFolder();
  await using other = await temporaryFolder();
  for (const { path } of [folder, other]) {
    await using server = await startServer({ folder: path });
    await createSecret(server, "NAME", "value");
  }
  const keyFile = `${folder.path}/data/encryption-keys.json`;
  const original = await Deno.readTextFile(keyFile);
  const key = JSON.parse(original).keys[0].key;
  const foreign = await Deno.readTextFile(
    `${other.path}/data/encryption-keys.json`,
  );
  const damaged = [
    "",
    "{",
    original.slice(0, -30),
    original.replace(key, key.slice(4)),
    "null",
    foreign,
  ];
  for (const text of damaged) {
    await Deno.writeTextFile(keyFile, text);
    const printed = await refusal({ folder: folder.path });
    assert.match(printed, /^\S+encryption-keys\.json [^\n]+$/);
    assert.ok(!printed.includes(key.slice(4)));
    assert.equal(await Deno.readTextFile(keyFile), text);
  }
  await Deno.remove(keyFile);
  assert.match(
    await refusal({ folder: folder.path }),
    /^\S+encryption-keys\.json is missing[^\n]+$/,
  );
  await assert.rejects(Deno.stat(keyFile));
  await Deno.writeTextFile(keyFile, original);
  await using server = await startServer({ folder: folder.path });
  const { body } = await server.api(
    "GET",
    "/api/secrets/by-name/NAME?includeValues=true",
  );
  assert.equal(body.secrets[0].value, "value");
});

Deno.test("/health answers 200 without a key, and 405 with Allow to other methods", async () => {
  await using server = await startServer();
  const health = await fetch(`${server.url}/health`);
  assert.equal(health.status, 200);
  assert.deepEqual(await health.json(), {
    status: "ok",
    version: manifest.version,
  });
  const posted = await fetch(`${server.url}/health`, { method: "POST" });
  await posted.body?.cancel();
  assert.equal(posted.status, 405);
  assert.equal(posted.headers.get("allow"), "GET, HEAD");
});

Deno.test("the address that is printed leads to the API's documentation", async () => {
  await using server = await startServer();
  const answer = await fetch(`${server.url}/`, { redirect: "manual" });
  await answer.body?.cancel();
  assert.deepEqual([answer.status, answer.headers.get("location")], [
    302,
    "/web",
  ]);
});

Deno.test("a Host header that names no host is a 400 with a request id", async () => {
  await using server = await startServer();
  const hosts = [
    "a/b",
    "",
    "a b",
    "localhost:99999",
    "256.1.1.1",
    "1.2.3.4.5",
    "[1:2]",
    "[::1",
    "::1",
    "xn--",
    "xn--a",
  ];
  for (const path of ["/health", "/run/none", "/api/functions", "/web"]) {
    for (const host of hosts) {
      const { status, head, body } = await server.raw([
        `GET ${path} HTTP/1.1`,
        `Host: ${host}`,
      ]);
      assert.deepEqual(
        [status, JSON.parse(body).code],
        [400, "InvalidInput"],
        `${path} of ${host}`,
      );
      assert.match(/^x-request-id: (.+)$/im.exec(head)![1]!.trim(), UUID);
    }
  }
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} lets running requests finish and exits 0`, async () => {
    await using server = await startServer();
    await deploy(
      server,
      "slow",
      "export default async (c) => c.text(await c.req.text())",
    );
    await run(server, "/slow");
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    const pending = fetch(`${server.url}/run/slow`, {
      method: "POST",
      body: body.readable,
    });
    await writer.write(new TextEncoder().encode("un"));
    await run(server, "/slow");
    Deno.kill(server.pid, signal);
    await server.logged(
      new RegExp(`${signal}: letting running requests finish`),
    );
    const refused = await run(server, "/slow");
    assert.deepEqual([
      refused.status,
      refused.body.code,
      refused.headers.get("retry-after"),
    ], [503, "Stopping", "5"]);
    assert.match(refused.headers.get("x-request-id")!, UUID);
    await writer.write(new TextEncoder().encode("cut"));
    await writer.close();
    assert.equal(await (await pending).text(), "uncut");
    assert.equal(await server.stop(), 0);
  });
}

Deno.test("whoever has read the address may stop the server, and it stops in order", async () => {
  // Several at once, so that some are held up between telling their address and the next thing that they do.
  const codes = await Promise.all(Array.from({ length: 6 }, async () => {
    await using server = await startServer();
    return await server.stop();
  }));
  assert.deepEqual(codes, [0, 0, 0, 0, 0, 0]);
});

Deno.test("a request that never ends is cut off ten seconds after SIGTERM, with exit code 0", async () => {
  await using server = await startServer();
  const code = `export default () => new Response(new ReadableStream({
    async pull(controller) { await new Promise((r) => setTimeout(r, 50)); controller.enqueue(new Uint8Array(1)); } }))`;
  await deploy(server, "endless", code);
  const response = await fetch(`${server.url}/run/endless`);
  const reading = response.bytes().catch(() => "cut");
  assert.equal(await server.stop(), 0);
  assert.equal(await reading, "cut");
});
