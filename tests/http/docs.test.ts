// The documentation, held to its word: its commands are run and print what it shows, its handlers load, its
// links lead somewhere, its tables are complete. The guide's commands are run by guide.test.ts.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { ENTITLEMENT_LOST } from "../../src/actor.ts";
import { DEFINITIONS } from "../../src/core/settings/definitions.ts";
import {
  anchorsOf,
  type Block,
  blocksOf,
  comparable,
  outputs,
  pagePaths,
  proseOf,
  readPage,
  ROOT,
  sessionScript,
} from "./docs_pages.ts";
import { startApp } from "./app.ts";
import { deploy, run } from "./handlers.ts";
import { call } from "./server.ts";

const GUIDE = "docs/secrets-management.md";
/** What a checkout has that the server does not need, and what only a server that ran leaves. */
const NOT_COPIED = [".git", "code", "data", "docs", "node_modules", "tests"];
/** For a session that hangs; longer than any of them takes, also where packages have to be fetched first. */
const SESSION_TIMEOUT_MS = 120_000;

Deno.test("README's session does what README says, from its start command to its stop", async () => {
  const blocks = shellBlocks("README.md");
  const checkout = await Deno.makeTempDir({
    prefix: "crude-functions-readme-",
  });
  try {
    for (const { name } of Deno.readDirSync(ROOT)) {
      if (!NOT_COPIED.includes(name)) {
        await copy(join(ROOT, name), join(checkout, name));
      }
    }
    const port = freePort();
    const url = `http://localhost:${port}`;
    // As in the shell of a user: a job in the background is a process group, and `kill %1` ends all of it.
    const script = `set -m\n${sessionScript(blocks, url)}`;
    const printed = await session(script, checkout, { PORT: String(port) });
    compare("README.md", blocks, printed, url);
    await logged(join(checkout, "server.log"), /SIGTERM: letting running requests finish/);
    for (
      const left of [
        "data/database.db",
        "data/encryption-keys.json",
        "code/hello.ts",
      ]
    ) {
      assert.ok(existsSync(join(checkout, left)), left);
    }
  } finally {
    await Deno.remove(checkout, { recursive: true });
  }
});

/** Waits until a line of the file matches: the shell's session ends before the server that it has signalled. */
async function logged(file: string, pattern: RegExp): Promise<void> {
  using watcher = Deno.watchFs(file);
  if (pattern.test(await Deno.readTextFile(file))) return;
  for await (const _ of watcher) if (pattern.test(await Deno.readTextFile(file))) return;
}

for (const page of pagePaths()) {
  const blocks = shellBlocks(page);
  if (page === "README.md" || page === GUIDE || blocks.length === 0) continue;
  Deno.test(`the commands of ${page} run in order and print what it shows`, async () => {
    await using server = await startApp({ checksLoads: true });
    const folder = await Deno.makeTempDir({ prefix: "crude-functions-docs-" });
    try {
      // The folder of the project, as far as commands of it are concerned.
      for (const { name } of Deno.readDirSync(ROOT)) {
        if (!NOT_COPIED.includes(name)) await Deno.symlink(join(ROOT, name), join(folder, name));
      }
      const env = {
        CRUDE_KEY: server.key,
        DATA_DIR: server.dataDir,
        CODE_DIR: server.codeDir,
      };
      const printed = await session(
        sessionScript(blocks, server.url),
        folder,
        env,
      );
      compare(page, blocks, printed, server.url);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

for (const page of pagePaths()) {
  const handlers = blocksOf(readPage(page)).filter(({ language, code }) =>
    language === "typescript" && /^export default /m.test(code)
  );
  if (handlers.length === 0) continue;
  Deno.test(`every handler in ${page} loads and can be called`, async () => {
    await using server = await startApp();
    for (const { code, line } of handlers) {
      const name = `line-${line}`;
      await deploy(server, name, code, { route: `/${name}/:id?` });
      const { status, body } = await run(server, `/${name}`, undefined, {
        method: "POST",
        body: {},
      });
      // The guide's handlers answer 500 where secrets are missing and call functions left to the reader.
      if (page !== GUIDE) {
        assert.ok(
          status < 500,
          `${name}: ${status} ${JSON.stringify(body)}\n${server.logs()}`,
        );
      }
    }
    assert.doesNotMatch(server.logs(), /could not be loaded|process died/);
  });
}

Deno.test("every link between the pages leads to a page and a heading that exist", () => {
  for (const page of pagePaths()) {
    for (
      const [, target] of proseOf(readPage(page)).matchAll(/\]\(([^)\s]+)\)/g)
    ) {
      if (/^https?:/.test(target!)) continue;
      // The guide names its neighbours by the addresses of a site of its own.
      if (page === GUIDE && target!.startsWith("/")) continue;
      const [path, anchor] = target!.split("#") as [string, string | undefined];
      const file = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(ROOT + file), `${page}: ${target}`);
      if (anchor !== undefined) {
        assert.ok(
          anchorsOf(readPage(file)).includes(anchor),
          `${page}: ${target}`,
        );
      }
    }
  }
});

Deno.test("every source and test that a page names exists", () => {
  for (const page of pagePaths()) {
    for (
      const [, path] of readPage(page).matchAll(
        /`((?:src|tests|workers|docs)\/[\w./-]*)`/g,
      )
    ) {
      assert.ok(existsSync(ROOT + path), `${page}: ${path}`);
    }
  }
});

Deno.test("the table of settings is the one that the server has", () => {
  const rows = [
    ...readPage("docs/configuration.md").matchAll(
      /^\| `([a-z.-]+)` \| `(.+?)` \| (.+?) \| (.+?) \|$/gm,
    ),
  ];
  const documented = rows.map(([, name, fallback, range, meaning]) => ({
    name,
    default: JSON.parse(fallback!),
    range,
    meaning,
  }));
  const actual = Object.entries(DEFINITIONS).map(
    ([name, { default: fallback, schema, meaning }]) => {
      const { type, enum: values, minimum, maximum, minItems = 0, maxItems } = z.toJSONSchema(
        schema as z.ZodType,
      );
      const range = values
        ? `one of ${values.join(", ")}`
        : type === "boolean"
        ? "true or false"
        : type === "string"
        ? "text"
        : minimum === undefined
        ? `${minItems} to ${maxItems!.toLocaleString("en-US")} entries`
        : `${minimum.toLocaleString("en-US")} to ${maximum!.toLocaleString("en-US")}`;
      return { name, default: fallback, range, meaning };
    },
  );
  assert.deepEqual(documented, actual);
});

Deno.test("the API reference has a heading for every endpoint, and for no other", async () => {
  await using server = await startApp();
  const { body: document } = await call(
    "GET",
    `${server.url}/api/openapi.json`,
  );
  const actual = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations as object).map((method) => `${method.toUpperCase()} ${path}`)
  );
  const headings = proseOf(readPage("docs/api-reference.md")).match(/^#+ `.+$/gm) ?? [];
  const documented = headings.flatMap((heading) =>
    [...heading.matchAll(/`([A-Z]+ \/(?:api\/|crude\.)[^`]*)`/g)].map(([, e]) => e)
  );
  assert.deepEqual(documented.toSorted(), actual.toSorted());
});

/** Where errors are made that no endpoint of the API answers: pages, signing in, and checks of the editor. */
const PAGES_ONLY =
  /^src\/(control\/web|core\/admins)\/|^src\/(code\/checks\/type_check(?:_config)?|http\/server|keyring\/passwords)\.ts$/;

Deno.test("the API reference has a row for every error of the API, by its status and code", async () => {
  const table = readPage("docs/api-reference.md");
  const made = new Set([`401 ${ENTITLEMENT_LOST}`, `403 ${ENTITLEMENT_LOST}`, "405 MethodNotAllowed"]);
  for (const { path, text } of await sources("src")) {
    if (PAGES_ONLY.test(path)) continue;
    for (const [, code, status] of text.matchAll(/AppError\(\s*"(\w+)",\s*(\d{3}),/g)) made.add(`${status} ${code}`);
  }
  assert.ok(made.has("409 TamperedRow") && made.has("400 InvalidInput"), "the sources are read");
  const lacking = [...made].filter((error) => {
    const [status, code] = error.split(" ");
    return !table.includes(`| ${status} | \`${code}\` |`);
  });
  assert.deepEqual(lacking, []);
});

async function sources(folder: string): Promise<{ path: string; text: string }[]> {
  const found = await Array.fromAsync(Deno.readDir(join(ROOT, folder)), async ({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? await sources(path) : [{ path, text: await Deno.readTextFile(join(ROOT, path)) }];
  });
  return found.flat();
}

Deno.test("a page's output is compared with what can differ made equal, and nothing else", () => {
  const url = "http://127.0.0.1:4567";
  const shown = `{"url":"http://localhost:8000/run","at":"2026-01-31T12:00:00.000Z","preview":"…x7Qw"}`;
  const printed = `{"url":"${url}/run","at":"2027-02-01T01:02:03.456Z","preview":"…abcd"}\n`;
  assert.equal(comparable(printed, url), comparable(shown, url));
  assert.notEqual(comparable(`{"id":1}`, url), comparable(`{"id":2}`, url));
  const page =
    "```bash\ntrue\n```\n\n```json\n{}\n```\n\nText.\n\n```bash\nfalse\n```\n\nText.\n\n```text\nno output\n```\n";
  assert.deepEqual(
    blocksOf(page).map(({ line, output }) => [line, output?.code]),
    [
      [1, "{}\n"],
      [5, undefined],
      [11, undefined],
      [17, undefined],
    ],
  );
});

function shellBlocks(page: string): Block[] {
  return blocksOf(readPage(page)).filter(({ language }) => language === "bash");
}

/** Each block against the output that stands below it: JSON by value, other text by its characters. */
function compare(
  page: string,
  blocks: readonly Block[],
  printed: readonly string[],
  url: string,
): void {
  for (const [index, { output, line }] of blocks.entries()) {
    if (!output) continue;
    const [actual, expected] = [printed[index]!, output.code].map((text) => comparable(text, url)) as [string, string];
    const parse = output.language === "json" ? (text: string) => JSON.parse(text) : (text: string) => text;
    assert.deepEqual(
      parse(actual),
      parse(expected),
      `${page}:${line} printed\n${actual}`,
    );
  }
}

/**
 * Runs a script as one bash session of its own and resolves to what its blocks printed, once everything that
 * it started is gone.
 */
async function session(
  script: string,
  cwd: string,
  env: Record<string, string>,
): Promise<string[]> {
  const child = new Deno.Command("setsid", {
    // Descriptor 9 is standard output once more: all that the session starts inherits it, so that output
    // ends when the last process has ended, wherever the others write to.
    args: ["bash", "-euo", "pipefail", "-c", `exec 9>&1\n${script}`],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => killSession(child.pid), SESSION_TIMEOUT_MS);
  const status = child.status.then(({ success }) => {
    if (!success) killSession(child.pid);
    return success;
  });
  const read = (stream: ReadableStream<Uint8Array>) =>
    new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
  const [success, stdout, stderr] = await Promise.all([
    status,
    read(child.stdout),
    read(child.stderr),
  ]);
  clearTimeout(timer);
  assert.ok(success, `The session failed after:\n${stdout}\n${stderr}`);
  return outputs(stdout);
}

/** Ends every process of a session, in whatever process group it is. */
function killSession(id: number): void {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // proc_pid_stat(5): the name in parentheses may hold anything, what follows it is split by spaces.
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(session) === id) Deno.kill(Number(name), "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function copy(from: string, to: string): Promise<void> {
  if (!(await Deno.stat(from)).isDirectory) {
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await copy(join(from, name), join(to, name));
  }
}
