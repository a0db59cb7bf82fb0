// The remote command line against a real server, on Node and on Deno.

import assert from "node:assert/strict";
import { join } from "node:path";
import { ADMIN, setUp } from "../http/admin.ts";
import { startApp } from "../http/app.ts";
import { deploy } from "../http/handlers.ts";
import { call } from "../http/server.ts";
import { type CrudeHome, makeCrudeHome, RUNTIMES } from "./crude.ts";

const HELLO = `export default async function (c, ctx) {
  console.log("hello to", ctx.params.name);
  const key = await ctx.getSecret("GREETING");
  return c.json({ name: ctx.params.name, length: key?.length ?? null, body: await c.req.text() });
}`;

async function ok(home: CrudeHome, args: readonly string[], input?: string) {
  const result = await home.crude(args, input === undefined ? {} : { input });
  assert.equal(result.code, 0, `${args.join(" ")}: ${result.stdout}${result.stderr}`);
  return result;
}

for (const runtime of Object.keys(RUNTIMES)) {
  Deno.test(`on ${runtime}, one signs in with a key from standard input, and manages functions, keys and secrets`, async () => {
    await using server = await startApp();
    await using home = makeCrudeHome(runtime);
    const signedIn = await ok(home, ["login", server.url], `${server.key}\n`);
    assert.doesNotMatch(signedIn.stdout + signedIn.stderr, new RegExp(server.key));
    const profiles = join(home.path, ".config/crude/profiles.json");
    assert.equal((await Deno.stat(profiles)).mode! & 0o777, 0o600);
    assert.equal((await Deno.stat(join(profiles, ".."))).mode! & 0o777, 0o700);

    const key = (await ok(home, ["keys", "create", "staging/acme", "--create-group"])).stdout.trim();
    assert.match(key, /^cf_/);
    const { body: { groups } } = await server.api("GET", "/api/key-groups");
    const { id: groupId } = groups.find(({ name }: { name: string }) => name === "staging");
    await deploy(server, "hello", HELLO, { route: "/hello/:name", keys: [groupId], methods: ["GET", "POST"] });

    const list = await ok(home, ["functions", "list"]);
    assert.match(list.stdout, /^hello +GET,POST +\/run\/hello\/:name +staging +enabled +/m);
    const shown = await ok(home, ["--json", "functions", "show", "hello"]);
    assert.equal(shown.json.function.route, "/hello/:name");

    await ok(home, ["secrets", "set", "GREETING"], "good morning\n");
    await ok(home, ["secrets", "set", "GREETING", "--scope", "key", "--owner", "staging/acme"], "hi");
    assert.equal((await ok(home, ["secrets", "get", "GREETING"])).stdout, "good morning\n");
    assert.match((await ok(home, ["secrets", "list"])).stdout, /^GREETING +key acme /m);
    const call = await ok(home, ["call", "hello", "-p", "name=ada", "--key", "staging/acme", "--json"]);
    assert.equal(call.json.status, 200);
    assert.deepEqual(JSON.parse(call.json.body), { name: "ada", length: 2, body: "" });
    const posted = await ok(home, ["call", "hello", "/hello/bob", "--key", "staging/acme", "--data", '{"a": 1}']);
    assert.deepEqual(JSON.parse(posted.stdout), { name: "bob", length: 2, body: '{"a": 1}' });

    const needs = await ok(home, ["functions", "suggest", "hello", "--days", "1"]);
    assert.match(needs.stdout, /^From 2 calls since [\s\S]*^secrets +\["\*"\] +\["GREETING"\]$/m);
    assert.equal((await ok(home, ["functions", "suggest", "hello", "--json"])).json.calls, 2);
    assert.equal((await home.crude(["functions", "suggest", "hello", "--days", "0"])).code, 2);

    const { json: { logs } } = await ok(home, ["logs", "--function", "hello", "--search", "ada", "--json"]);
    const { json: { logs: ofKey } } = await ok(home, ["logs", "--key", "staging/acme", "--search", "ada", "--json"]);
    assert.deepEqual(ofKey, logs);
    assert.equal((await ok(home, ["logs", "--key", "1", "--json"])).json.logs.length, 0);
    assert.deepEqual(logs.map(({ message }: { message: string }) => message), ["hello to ada"]);

    await ok(home, ["secrets", "rm", "GREETING", "--yes"]);
    const gone = await home.crude(["secrets", "get", "GREETING"]);
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /no secret GREETING \(global\)\. It is in 1 other scope: key acme/);
    await ok(home, ["logout"]);
    assert.equal((await home.crude(["functions", "list"])).code, 2);
  });

  Deno.test(`on ${runtime}, the log is followed, one object a line with --json`, async () => {
    await using server = await startApp();
    await using home = makeCrudeHome(runtime);
    await deploy(
      server,
      "ticks",
      `export default (c) => { console.log("tick", c.req.query("n")); return c.text("") }`,
      {
        route: "/ticks",
      },
    );
    const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
    await using child = home.spawn(["logs", "-f", "--json", "--level", "info"], { env });
    const lines: string[] = [];
    await fetch(`${server.url}/run/ticks?n=1`).then((response) => response.text());
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      lines.splice(0, Infinity, ...text.split("\n").slice(0, -1));
      const messages = lines.map((line) => JSON.parse(line).message);
      if (messages.includes("tick 2")) break;
      if (messages.includes("tick 1")) {
        await fetch(`${server.url}/run/ticks?n=2`).then((response) => response.text());
      }
    }
    child.kill("SIGTERM");
    await Promise.all([child.status, child.stderr.cancel(), child.stdin.close().catch(() => {})]);
  });
}

Deno.test("call prints a response while it is streamed, byte by byte as it is, and with --include its headers", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  // The second part is sent when the first was seen.
  await deploy(
    server,
    "parts",
    `let seen;
    const first = new Promise((resolve) => seen = resolve);
    export default (c) => {
      if (c.req.query("seen")) { seen(); return c.text(""); }
      return new Response(new ReadableStream({ async start(out) {
        out.enqueue(new Uint8Array([255, 0, 10]));
        await first;
        out.enqueue(new Uint8Array([65]));
        out.close();
      } }), { headers: { "X-Part": "yes" } });
    }`,
  );
  await using child = home.spawn(["call", "parts", "--include"], { env });
  await Promise.all([child.stdin.close(), child.stderr.cancel()]);
  const bytes: number[] = [];
  for await (const chunk of child.stdout) {
    bytes.push(...chunk);
    if (bytes.at(-2) === 0) await fetch(`${server.url}/run/parts?seen=1`).then((response) => response.text());
  }
  assert.equal((await child.status).code, 0);
  assert.deepEqual(bytes.slice(-4), [255, 0, 10, 65]);
  assert.match(new TextDecoder().decode(Uint8Array.from(bytes)), /^200 OK\n[\s\S]*x-part: yes\n[\s\S]*\n\n/);
  const binary = await home.crude(["call", "parts", "--json"], { env });
  assert.equal(binary.json.bodyBase64, "/wAKQQ==");
  await deploy(server, "fails", `export default (c) => c.text("no", 404);`);
  const failed = await home.crude(["call", "fails"], { env });
  assert.deepEqual([failed.code, failed.stdout, failed.stderr], [1, "no", "The function answered 404.\n"]);
});

Deno.test("a key gets an expiry when it is created, rolled or later, and loses it", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const crude = (...args: string[]) => home.crude(args, { env });
  const began = Date.now();
  const made = await crude("keys", "create", "staging/acme", "--create-group", "--expires", "30d");
  assert.equal(made.code, 0, made.stderr);
  const expiry = async () => (await crude("keys", "list", "--group", "staging", "--json")).json.keys[0].expiresAt;
  const days = (Date.parse(await expiry()) - began) / 86_400_000;
  assert(days >= 30 && days < 30.1, String(days));
  for (
    const [when, expiresAt] of [
      ["2090-01-31", "2090-01-31T00:00:00.000Z"],
      ["2090-01-31T12:00:00+02:00", "2090-01-31T10:00:00.000Z"],
      ["never", null],
    ] as const
  ) {
    const done = await crude("keys", "expire", "staging/acme", when);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await expiry(), expiresAt);
  }
  assert.match((await crude("keys", "list")).stdout, /EXPIRES.*\n.*staging\/acme .* never +never/s);
  assert.equal((await crude("keys", "roll", "staging/acme", "--expires", "2091-01-01")).code, 0);
  assert.equal(await expiry(), "2091-01-01T00:00:00.000Z");
  for (const when of ["soon", "0d", "30", "-1d", "2090-1-1", ""]) {
    const wrong = await crude("keys", "expire", "staging/acme", "--", when);
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""], when);
  }
  const past = await crude("keys", "expire", "staging/acme", "2020-01-01");
  assert.deepEqual([past.code, /in the future/.test(past.stderr)], [1, true], past.stderr);
  assert.equal(await expiry(), "2091-01-01T00:00:00.000Z");
});

Deno.test("a key is rolled and keeps its secrets, and the old value works until it is revoked", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const crude = (args: string[], input = "") => home.crude(args, { env, input });
  const old = (await crude(["keys", "create", "staging/acme", "--create-group", "--description", "for Acme"])).stdout;
  await crude(["secrets", "set", "TOKEN", "--scope", "key", "--owner", "staging/acme"], "of acme");
  const rolled = await crude(["keys", "roll", "staging/acme", "--grace", "7d", "--json"]);
  assert.equal(rolled.code, 0, rolled.stdout);
  const groups = (key: string) =>
    call("GET", `${server.url}/api/key-groups`, undefined, { "X-API-Key": key }).then(({ status }) => status);
  // The group may not use the API: a key that is known is a 403, another one a 401.
  assert.notEqual(rolled.json.value, old.trim());
  for (const value of [old.trim(), rolled.json.value]) assert.equal(await groups(value), 403);
  const again = await crude(["keys", "roll", "staging/acme"]);
  assert.deepEqual([again.code, again.stdout], [1, ""]);
  assert.match(again.stderr, /is accepted until/);
  const wrong = await crude(["keys", "roll", "staging/acme", "--grace", "soon"]);
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  const secret = await crude(["secrets", "get", "TOKEN", "--scope", "key", "--owner", "staging/acme"]);
  assert.equal(secret.stdout, "of acme\n");
  const refused = await crude(["keys", "revoke", "staging/acme", "--previous"]);
  assert.equal(refused.code, 2, "without a terminal, nothing is revoked unless --yes says so");
  assert.match(refused.stderr, /--yes/);
  assert.equal((await crude(["keys", "revoke", "staging/acme", "--previous", "--yes"])).code, 0);
  assert.deepEqual([await groups(old.trim()), await groups(rolled.json.value)], [401, 403]);
  const atOnce = await crude(["keys", "roll", "staging/acme", "--yes"]);
  assert.deepEqual([await groups(rolled.json.value), await groups(atOnce.stdout.trim())], [401, 403]);
  const { json: { keys } } = await crude(["keys", "list", "--group", "staging", "--json"]);
  assert.deepEqual(keys.map(({ name, description }: Record<string, string>) => [name, description]), [[
    "acme",
    "for Acme",
  ]]);
});

Deno.test("the history of a secret lists its versions without values, and restores one", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const crude = (args: string[], input = "") => home.crude(["secrets", ...args], { env, input });
  await crude(["set", "A"], "planted-one");
  assert.equal((await crude(["set", "A", "--keep-previous", "24h"], "planted-two")).code, 0);
  assert.equal((await crude(["set", "A", "--keep-previous", "soon"], "planted-three")).code, 1);
  const listed = await crude(["history", "A"]);
  assert.equal(listed.code, 0, listed.stderr);
  assert.match(
    listed.stdout,
    /^VERSION.*\n2 +\S+Z +management\/bootstrap +current\n1 +\S+Z +management\/bootstrap +counts until \S+Z\n$/,
  );
  assert.doesNotMatch(listed.stdout, /planted/);
  const restored = await crude(["history", "A", "--restore", "1", "--json"]);
  assert.deepEqual(restored.json, { name: "A", scope: "global", version: 3, from: 1 });
  assert.equal((await crude(["get", "A"])).stdout, "planted-one\n");
  assert.equal((await crude(["history", "A", "--restore", "one"])).code, 2);
  assert.equal((await crude(["history", "A", "--restore", "9"])).code, 1);
});

Deno.test("a sealed secret is set with its hosts, and its value is not printed", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const crude = (args: string[], input = "") => home.crude(["secrets", ...args], { env, input });
  const args = ["set", "A", "--sealed", "--host", "api.example.com", "--host", "*.example.org", "--in", "query"];
  assert.equal((await crude(args, "a sealed value")).code, 0);
  const { body } = await server.api("GET", "/api/secrets/1");
  assert.deepEqual([body.sealed, body.hosts, body.in], [true, ["api.example.com", "*.example.org"], ["query"]]);
  const got = await crude(["get", "A"]);
  assert.deepEqual([got.code, got.stdout], [1, ""]);
  assert.match(got.stderr, /cannot be read: it is sealed/);
  // Another value stays sealed.
  assert.equal((await crude(["set", "A"], "another value")).code, 0);
  assert.equal((await server.api("GET", "/api/secrets/1")).body.sealed, true);
  assert.match(
    (await crude(["set", "A", "--in", "cookie"], "another value")).stderr,
    /one of header, query, path, body/,
  );
});

Deno.test("the value of a secret comes from standard input or a file, and never from an argument", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const set = (args: string[], input = "") => home.crude(["secrets", "set", ...args], { env, input });
  const get = async (...args: string[]) => (await home.crude(["secrets", "get", "A", ...args], { env })).stdout;
  const wrong = await set(["A", "hunter2-of-many-letters"]);
  assert.equal(wrong.code, 2);
  assert.doesNotMatch(wrong.stdout + wrong.stderr, /hunter2/);
  assert.equal((await set(["A", "--value=hunter2-of-many-letters"])).code, 2);
  assert.equal((await set(["A"])).code, 2, "nothing was given");
  assert.equal((await set(["A"], "two\nlines\n")).code, 0);
  assert.equal(await get("--raw"), "two\nlines");
  assert.equal((await set(["A", "--raw"], "with newline\n")).code, 0);
  assert.equal(await get("--raw"), "with newline\n");
  assert.equal((await set(["A", "--file", home.write("value", "from a file\n")])).code, 0);
  assert.equal(await get(), "from a file\n");
});

Deno.test("exit codes and --json say what kind of problem there was", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  const failing = async (args: string[], more: Record<string, string> = {}) => {
    const result = await home.crude([...args, "--json"], { env: { ...env, ...more } });
    assert.equal(result.stderr, "");
    assert.equal(result.json.exitCode, result.code);
    return [result.code, result.json.code];
  };
  assert.deepEqual(await failing(["functions", "show", "none"]), [1, "NotFound"]);
  assert.deepEqual(await failing(["functions", "sho"]), [2, "Usage"]);
  assert.deepEqual(await failing(["functions", "list", "--what"]), [2, "Usage"]);
  assert.deepEqual(await failing(["functions", "show"]), [2, "Usage"]);
  assert.deepEqual(await failing(["functions", "list"], { CRUDE_URL: "http://127.0.0.1:9" }), [3, "Unreachable"]);
  assert.deepEqual(await failing(["functions", "list"], { CRUDE_KEY: "wrong" }), [4, "Unauthorized"]);
  assert.deepEqual(await failing(["secrets", "export", "--format", "xml"]), [2, "Usage"]);
  const { json: { value } } = await home.crude(["keys", "create", "staging/acme", "--create-group", "--json"], { env });
  assert.deepEqual(await failing(["functions", "list"], { CRUDE_KEY: value }), [4, "Forbidden"]);
  const field = await home.crude(["secrets", "set", "A B", "--json"], { env, input: "x" });
  assert.deepEqual([field.code, field.json.code, Object.keys(field.json.details)], [1, "InvalidInput", ["name"]]);
});

Deno.test("a profile is chosen by name, by the environment or by the server's address, and a key has its server", async () => {
  await using first = await startApp();
  await using second = await startApp();
  await using home = makeCrudeHome();
  const used = async (args: string[], env: Record<string, string> = {}) => {
    const { json, code } = await home.crude(["open", "--print", "--json", ...args], { env });
    return code === 0 ? new URL(json.url).origin : code;
  };
  assert.equal(await used([]), 2, "no one is signed in");
  assert.equal((await home.crude(["login", first.url, "--profile", "one"], { input: first.key })).code, 0);
  assert.equal((await home.crude(["login", second.url, "--profile", "two"], { input: second.key })).code, 0);
  assert.equal((await home.crude(["login", second.url, "--profile", "bad"], { input: "wrong" })).code, 4);
  assert.equal(await used([]), second.url);
  assert.equal(await used(["--profile", "one"]), first.url);
  assert.equal(await used(["--url", first.url]), first.url);
  assert.equal(await used(["--profile", "none"]), 2);
  assert.equal(await used(["--profile", "one", "--url", second.url]), 2);
  assert.equal(await used([], { CRUDE_URL: first.url }), first.url);
  assert.equal(await used([], { CRUDE_URL: "https://another.example" }), 2, "there is no key for it");
  assert.equal(await used([], { CRUDE_KEY: first.key }), 2, "its server is not known");
  assert.equal(await used([], { CRUDE_URL: first.url, CRUDE_KEY: first.key }), first.url);
  assert.equal((await home.crude(["profiles", "use", "one"])).code, 0);
  assert.equal(await used([]), first.url);
  const { json: { profiles } } = await home.crude(["profiles", "list", "--json"]);
  assert.deepEqual(profiles.map(({ name, current }: Record<string, unknown>) => [name, current]), [
    ["one", true],
    ["two", false],
  ]);
  const { stdout } = await home.crude(["profiles", "list"]);
  assert.doesNotMatch(stdout, new RegExp(first.key));
  assert.equal((await home.crude(["logout", "one"])).code, 0);
  assert.equal(await used([]), second.url);
});

Deno.test("help is for everything, for a group of commands and for one", async () => {
  await using home = makeCrudeHome();
  const help = async (...args: string[]) => await home.crude(args);
  assert.match((await help("--help")).stdout, /secrets set NAME .*\n[\s\S]*Exit codes:/);
  assert.match(
    (await help("help", "secrets", "set")).stdout,
    /^crude secrets set NAME \[options\]\n[\s\S]*--scope SCOPE/,
  );
  assert.match((await help("secrets", "set", "-h")).stdout, /^crude secrets set NAME/);
  assert.deepEqual([(await help()).code, (await help()).stdout, (await help("secrets")).code], [2, "", 2]);
  const wrong = await help("secrets", "sett");
  assert.deepEqual([wrong.code, wrong.stderr], [
    2,
    'There is no command "secrets sett". See "crude secrets --help".\n',
  ]);
  assert.equal((await help("--json")).json.exitCode, 2);
});

Deno.test("following the log continues when the server was restarted, without entries twice", async () => {
  const folder = await Deno.makeTempDir();
  await using home = makeCrudeHome();
  try {
    const first = await startApp({ folder });
    await deploy(first, "ticks", `export default (c) => { console.log("tick", c.req.query("n")); return c.text("") }`);
    const tick = (n: number) => fetch(`${first.url}/run/ticks?n=${n}`).then((response) => response.text());
    await tick(1);
    const env = { CRUDE_URL: first.url, CRUDE_KEY: first.key };
    await using child = home.spawn(["logs", "-f", "--json", "--search", "tick"], { env });
    await child.stdin.close();
    const notes = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    const messages: string[] = [];
    let second: Awaited<ReturnType<typeof startApp>> | undefined;
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      messages.splice(0, Infinity, ...text.split("\n").slice(0, -1).map((line) => JSON.parse(line).message));
      if (messages.length === 1) {
        await first.stop();
        second = await startApp({ folder, env: { PORT: new URL(first.url).port } });
        await tick(2);
      }
      if (messages.includes("tick 2")) break;
    }
    child.kill("SIGTERM");
    await Promise.all([child.status, notes.cancel()]);
    await second?.[Symbol.asyncDispose]();
    assert.deepEqual(messages, ["tick 1", "tick 2"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("no key goes over http: to another machine", async () => {
  await using home = makeCrudeHome();
  for (const url of ["http://functions.example.com", "http://10.0.0.1:8000", "http://127.0.0.1.example.com"]) {
    const result = await home.crude(["functions", "list"], { env: { CRUDE_URL: url, CRUDE_KEY: "some-key" } });
    assert.equal(result.code, 2);
    assert.match(result.stderr, /is not encrypted/);
    assert.equal((await home.crude(["login", url], { input: "some-key" })).code, 2);
  }
});

Deno.test("a redirect is not followed, so that no other server gets the key", async () => {
  const seen: string[] = [];
  await using other = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    seen.push(request.url);
    return Response.json({});
  });
  await using first = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => Response.redirect(`http://127.0.0.1:${other.addr.port}/`),
  );
  await using home = makeCrudeHome();
  const env = { CRUDE_URL: `http://127.0.0.1:${first.addr.port}`, CRUDE_KEY: "some-key" };
  const result = await home.crude(["functions", "list"], { env });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /redirects to/);
  assert.deepEqual(seen, []);
});

/** Runs a command on a terminal; `onText` gets all that it has shown, whenever that grows, and what it waits for. */
async function onTerminal(
  home: CrudeHome,
  args: string,
  onText: (shown: string, type: (text: string) => Promise<void>) => void | Promise<void>,
  runtime: keyof typeof RUNTIMES = "Node",
): Promise<{ shown: string; code: number }> {
  await using child = new Deno.Command("script", {
    args: ["-qec", [...RUNTIMES[runtime]!, args].join(" "), "/dev/null"],
    env: { HOME: home.path, DENO_DIR: home.denoDir },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  let shown = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += chunk;
    await onText(shown, (text) => writer.write(new TextEncoder().encode(`${text}\r`)));
  }
  await writer.close().catch(() => {});
  return { shown, code: (await child.status).code };
}

for (const runtime of Object.keys(RUNTIMES)) {
  Deno.test(`on ${runtime}, a terminal is asked for what must not be seen, and shows none of it`, async () => {
    await using server = await startApp();
    await using home = makeCrudeHome(runtime);
    const typed = (args: string, text: string, prompt: RegExp) => {
      let sent = false;
      return onTerminal(home, args, async (shown, type) => {
        if (sent || !prompt.test(shown)) return;
        sent = true;
        await type(text);
      }, runtime);
    };
    const login = await typed(`login ${server.url} --key`, server.key, /API key: /);
    assert.equal(login.code, 0, login.shown);
    assert.doesNotMatch(login.shown, new RegExp(server.key));
    const set = await typed("secrets set A", "a hidden value", /Value of A: /);
    assert.equal(set.code, 0, set.shown);
    assert.doesNotMatch(set.shown, /hidden value/);
    assert.equal((await home.crude(["secrets", "get", "A"])).stdout, "a hidden value\n");
    assert.equal((await typed("secrets rm A", "n", /\[y\/N\]/)).code, 1);
    assert.equal((await typed("secrets rm A", "y", /\[y\/N\]/)).code, 0);
  });

  Deno.test(`on ${runtime}, one signs in by the browser, and out again, which ends the session`, async () => {
    await using server = await startApp();
    await using home = makeCrudeHome(runtime);
    const visitor = await setUp(server);
    let opened = false;
    const { shown, code } = await onTerminal(home, `login ${server.url} --no-browser`, async (text) => {
      const [, letters] = /browser: ([A-Z]{4}-[A-Z]{4})/.exec(text) ?? [];
      const [, page] = /it is here: (\S+)\s/.exec(text) ?? [];
      if (opened || !letters || !page) return;
      opened = true;
      const fields = Object.fromEntries(new URL(page).searchParams);
      const answer = await visitor.post("/web/terminal", { ...fields, code: letters, password: ADMIN.password });
      const done = await visitor.get(answer.headers.get("location")!);
      const [, address] = /^0; url=(.*)$/.exec(done.headers.get("refresh")!)!;
      const wrong = await fetch(address!.replace(/state=.*/, "state=another"));
      assert.equal(wrong.status, 404);
      await wrong.body?.cancel();
      assert.equal(await (await fetch(address!)).text(), "Return to the terminal. You can close this page.\n");
    }, runtime);
    assert.equal(code, 0, shown);
    assert.match(shown, new RegExp(`Signed in to ${server.url} as ${ADMIN.email}`));
    assert.doesNotMatch(shown, /crude_session_/);
    assert.equal((await home.crude(["keys", "create", "staging/acme", "--create-group"])).code, 0);
    assert.match((await visitor.get("/web/account")).text, /crude\/\S+ on /);

    await deploy(server, "echo", `export default (c) => c.text(JSON.stringify([...c.req.raw.headers]))`, {
      route: "/echo",
    });
    const call = await home.crude(["call", "echo"]);
    assert.equal(call.code, 0);
    assert.doesNotMatch(call.stdout, /crude_session_/, "a session is not sent to functions");

    assert.equal((await home.crude(["logout"])).code, 0);
    assert.doesNotMatch((await visitor.get("/web/account")).text, /crude\/\S+ on /);
  });
}

Deno.test("the server serves the command line of its own version, to any client", async () => {
  await using server = await startApp();
  const response = await fetch(`${server.url}/cli.js`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type")!, /^text\/javascript/);
  const text = await response.text();
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.match(text.split("\n")[1]!, new RegExp(`^// crude ${version.replaceAll(".", "\\.")},`));
  const again = await fetch(`${server.url}/cli.js`, { headers: { "If-None-Match": response.headers.get("etag")! } });
  assert.equal(again.status, 304);
  await again.body?.cancel();
  assert.equal((await server.api("POST", "/cli.js", {})).status, 405);
  // Whatever its name is, and without a package.json.
  await using home = makeCrudeHome();
  const file = home.write("bin/crude", text);
  await Deno.chmod(file, 0o755);
  const { stdout } = await new Deno.Command(file, { args: ["--version"] }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), version);
});

Deno.test("completion scripts are valid, and offer commands", async () => {
  await using home = makeCrudeHome();
  const script = home.write("complete.bash", (await home.crude(["completion", "bash"])).stdout);
  const complete = async (line: string) => {
    const words = line.split(" ");
    const code = `source ${script}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); ` +
      `COMP_CWORD=${words.length - 1}; _crude; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, code: status } = await new Deno.Command("bash", { args: ["-c", code], cwd: home.path }).output();
    assert.equal(status, 0);
    return new TextDecoder().decode(stdout).trim().split("\n");
  };
  assert.deepEqual(await complete("crude sec"), ["secrets"]);
  assert.ok((await complete("crude secrets ")).includes("rm"));
  assert.deepEqual(await complete("crude secrets set A --sc"), ["--scope"]);
  assert.deepEqual(await complete("crude secrets set A --scope f"), ["function"]);
  assert.ok((await complete("crude call hello --d")).includes("--data"));
  assert.equal((await home.crude(["completion", "fish"])).code, 0);
  assert.equal((await home.crude(["completion", "powershell"])).code, 2);
});
