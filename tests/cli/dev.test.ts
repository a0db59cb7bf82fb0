// `crude dev`: a folder runs on this machine by the server itself, with secrets from its `.env` files.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dev } from "../../src/dev/dev.ts";
import { Printed } from "../http/server.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Dev extends AsyncDisposable {
  readonly url: string;
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  key(name: string): Promise<string>;
  /** Ends it as a service manager does; its exit code. */
  stop(): Promise<number>;
}

/** Runs the command until the end of the test; on Node if `node` is the program. */
async function startDev(folder: string, program: "deno" | "node" = "deno"): Promise<Dev> {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const [, ...task] = tasks.crude.replace("src/crude/main.ts", join(ROOT, "src/crude/main.ts")).split(" ");
  const args = ["dev", folder, "--port", "0"];
  const child = new Deno.Command(program === "node" ? "node" : Deno.execPath(), {
    args: program === "node" ? [join(ROOT, "static/cli.js"), ...args] : [...task, ...args],
    env: {
      NO_COLOR: "1",
      ...(program === "node" && { CRUDE_HOME: ROOT }),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed = new Printed();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) printed.add(part);
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  let ended: Promise<number> | undefined;
  const stop = () =>
    ended ??= (async () => {
      child.kill("SIGTERM");
      const { code } = await child.status;
      await reading;
      return code;
    })();
  const logged = (pattern: RegExp) => printed.match(pattern);
  await Promise.race([
    logged(/Ready\./),
    child.status.then(({ code }) => Promise.reject(new Error(`It ended with ${code}: ${printed.text}`))),
  ]);
  const url = /(http:\/\/\S+?)\/run/.exec(printed.text)?.[1] ?? "";
  return {
    url,
    logged,
    key: async (name) => (await logged(new RegExp(`^${name} +(\\S+)$`, "m")))[1]!,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

const HANDLER = `export default async (c, ctx) => {
  console.log("asked by", ctx.authenticatedKeyGroup);
  return c.json({ name: await ctx.getSecret("NAME"), all: await ctx.getSecret("ALL"), word: "first" });
};\n`;

async function withProject(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-dev-" });
  const write = (name: string, text: string) => Deno.writeTextFile(join(folder, name), text);
  try {
    await write("hello.ts", HANDLER);
    await write(
      "crude.json",
      JSON.stringify({
        functions: {
          hello: { handler: "hello.ts", route: "/hello", keys: ["partners"] },
          open: { handler: "hello.ts", route: "/open" },
        },
      }),
    );
    await write(".env", `NAME=global\nALL="for all"\n`);
    await write(".env.function.open", "NAME=function\n");
    await write(".env.group.partners", "NAME=group\n");
    await write(".env.key.acme", "NAME=key\n");
    await write(".env.example", "NOT=used\n");
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const call = async (url: string, key = "") =>
  await (await fetch(url, { headers: key === "" ? {} : { "X-API-Key": key } })).json();

Deno.test("a folder runs with secrets by scope, reloads on save, and prints calls and what handlers print", async () => {
  await withProject(async (folder) => {
    await using dev = await startDev(folder);
    assert.match(dev.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const answer = (name: string) => ({ name, all: "for all", word: "first" });
    assert.deepEqual(await call(`${dev.url}/run/open`), answer("function"));
    assert.deepEqual(await call(`${dev.url}/run/hello`, await dev.key("partners/dev")), answer("group"));
    assert.deepEqual(await call(`${dev.url}/run/hello`, await dev.key("partners/acme")), answer("key"));
    assert.equal((await call(`${dev.url}/run/hello?api_key=wrong`)).code, "Unauthorized");
    await dev.logged(/^200 GET \/run\/open \d+ ms$/m);
    await dev.logged(/^401 GET \/run\/hello \d+ ms$/m);
    await dev.logged(/^ {2}hello: asked by partners$/m);

    await Deno.writeTextFile(join(folder, "hello.ts"), HANDLER.replace("first", "second"));
    assert.equal((await call(`${dev.url}/run/open`)).word, "second");
    await dev.logged(/^saved hello\.ts$/m);
    await Deno.writeTextFile(join(folder, "hello.ts"), "export default (");
    await dev.logged(/SyntaxError: Expression expected/);
    await Deno.writeTextFile(join(folder, "hello.ts"), HANDLER);

    // Secrets and functions follow their files; lines that are none are named.
    await Deno.writeTextFile(join(folder, ".env.function.open"), "NAME=changed\nnonsense\n");
    await dev.logged(/^\.env\.function\.open:2 is not NAME=value\.$/m);
    await dev.logged(/^saved .*\.env\.function\.open$/m);
    assert.equal((await call(`${dev.url}/run/open`)).name, "changed");
    await Deno.writeTextFile(
      join(folder, "crude.json"),
      JSON.stringify({ functions: { other: { handler: "hello.ts", route: "/other" } } }),
    );
    await dev.logged(/^other +http:\/\/127\.0\.0\.1:\d+\/run\/other$/m);
    assert.equal((await call(`${dev.url}/run/other`)).name, "global");
    assert.equal((await call(`${dev.url}/run/open`)).code, "NotFound");
    assert.equal(await dev.stop(), 0);

    // Data stays in a folder that git ignores, and that is no part of the code.
    assert.equal(await Deno.readTextFile(join(folder, ".crude", ".gitignore")), "*\n");
    assert.equal((await Deno.stat(join(folder, ".crude", "key"))).mode! & 0o777, 0o600);
  });
});

Deno.test("the file that a server serves runs a folder as well, on Node, with the program of CRUDE_HOME", async () => {
  await withProject(async (folder) => {
    await using dev = await startDev(folder, "node");
    assert.equal((await call(`${dev.url}/run/open`)).name, "function");
    assert.equal(await dev.stop(), 0);
  });
});

Deno.test("it ends when that is asked for during its start, and starts with a key file that was not written to its end", async () => {
  await withProject(async (folder) => {
    const options = { folder, port: 0, env: () => undefined, print() {} };
    const ending = new AbortController();
    const running = dev({ ...options, signal: ending.signal });
    ending.abort();
    await running;
    await Deno.truncate(join(folder, ".crude", "key"));
    const second = new AbortController();
    const print = (line: string) => line.startsWith("Ready.") ? second.abort() : undefined;
    await dev({ ...options, print, signal: second.signal });
    assert.equal((await Deno.stat(join(folder, ".crude", "key"))).size, 72);
  });
});

Deno.test("without the program, or in a folder that is in use, it says so", async () => {
  await withProject(async (folder) => {
    const run = async (env: Record<string, string>) => {
      const { code, stderr } = await new Deno.Command("node", {
        args: [join(ROOT, "static/cli.js"), "dev", folder, "--port", "0"],
        env: { CRUDE_HOME: "", ...env },
        clearEnv: false,
      }).output();
      return { code, text: new TextDecoder().decode(stderr) };
    };
    const without = await run({ CRUDE_HOME: folder });
    assert.deepEqual([without.code, /is not a folder of Crude Functions/.test(without.text)], [2, true], without.text);
    await using _dev = await startDev(folder);
    const second = await run({ CRUDE_HOME: ROOT });
    assert.deepEqual([second.code, /is in use by another server/.test(second.text)], [1, true], second.text);
  });
});
