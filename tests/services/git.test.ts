// Code that comes from a git repository: a real git server over HTTPS, and a real server that syncs from it.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Of } from "../../src/sha256.ts";
import { setUp } from "../http/admin.ts";
import { startApp } from "../http/app.ts";
import { on, post, saying } from "../http/deploying.ts";
import { createSecret } from "../http/handlers.ts";
import { type Answer, call, type Server, startServer } from "../http/server.ts";
import { type GitServer, startGitServer, TOKEN } from "./git_server.ts";

const HOOK_SECRET = "the secret of the webhook";
const project = (functions: Record<string, unknown>) => JSON.stringify({ functions });
const HELLO = project({ hello: on("/hello", "hello.ts") });

/** A server that has the token and the secret of the webhook. */
async function startWithSecrets(git: GitServer): Promise<Server> {
  const server = await startApp({ env: { DENO_CERT: git.ca } });
  await createSecret(server, "GIT_TOKEN", TOKEN);
  await createSecret(server, "GIT_HOOK", HOOK_SECRET);
  return server;
}

async function setSource(server: Server, git: GitServer, rest: Record<string, unknown> = {}): Promise<void> {
  const { status, body } = await server.api("PUT", "/api/git-source", {
    url: git.url,
    ref: { branch: "main" },
    tokenSecret: "GIT_TOKEN",
    webhookSecret: "GIT_HOOK",
    ...rest,
  });
  assert.equal(status, 200, JSON.stringify(body));
}

const sync = (server: Server, body: unknown = {}): Promise<Answer> => server.api("POST", "/api/git-source/sync", body);

/** Syncs, which must succeed; the deployment. */
// deno-lint-ignore no-explicit-any
async function synced(server: Server): Promise<any> {
  const { status, body } = await sync(server);
  assert.equal(status, 201, JSON.stringify(body));
  return body.deployment;
}

const lastSync = async (server: Server) => (await server.api("GET", "/api/git-source")).body.lastSync;
const says = async (server: Server, path = "/run/hello") => (await call("GET", server.url + path)).body;

Deno.test("a sync deploys files and functions with the commit's id, author and message, and the next one what changed", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  const first = await git.commit("Say hello\n\nAt length.", {
    "hello.ts": saying("hello"),
    "crude.json": HELLO,
    ".env": "PASSWORD=1",
    "node_modules/a/index.js": "",
    "old.txt": "old",
  });
  await setSource(server, git);
  assert.equal(await lastSync(server), null);
  const deployment = await synced(server);
  assert.equal(deployment.message, "Say hello");
  assert.deepEqual(deployment.actor, { kind: "git", id: first, name: "Ada <ada@example.com>" });
  assert.deepEqual(deployment.plan.files.created, ["crude.json", "hello.ts", "old.txt"]);
  assert.deepEqual(deployment.plan.functions.created, ["hello"]);
  assert.equal(await says(server), "hello");
  assert.deepEqual(
    { ...await lastSync(server), at: "" },
    { at: "", outcome: "deployed", commit: first, deploymentId: deployment.id, error: null, problems: [] },
  );

  await git.commit("Say bye", { "hello.ts": saying("bye"), "old.txt": null });
  const { body: rehearsal } = await sync(server, { dryRun: true });
  assert.deepEqual(rehearsal.plan.files, { created: [], changed: ["hello.ts"], deleted: ["old.txt"], unchanged: 1 });
  assert.equal(await says(server), "hello");
  await synced(server);
  assert.equal(await says(server), "bye");
  const { body: { versions } } = await server.api("GET", "/api/versions");
  assert.deepEqual(versions.slice(0, 2).map(({ cause, message }: Record<string, string>) => [cause, message]), [
    ["git", "Say bye"],
    ["git", "Say hello"],
  ]);
  const { body: { entries } } = await server.api("GET", "/api/audit?action=code.deployed");
  assert.equal(entries[0].actor.kind, "key");
  assert.equal(entries[1].after.commit, first);
});

Deno.test("a source is a branch, a tag or a commit, and may be a folder of the repository", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  const first = await git.commit("One", { "app/main/hello.ts": saying("one"), "app/main/crude.json": HELLO });
  await git.git("tag", "light");
  await git.git("tag", "--annotate", "--message=x", "v1");
  await git.commit("Two", { "app/main/hello.ts": saying("two"), "readme.md": "" });
  await git.push("HEAD", "light", "v1");
  for (
    const [ref, word] of [
      [{ branch: "main" }, "two"],
      [{ tag: "v1" }, "one"],
      [{ branch: "main" }, "two"],
      [{ tag: "light" }, "one"],
      [{ branch: "main" }, "two"],
      [{ commit: first }, "one"],
    ] as const
  ) {
    await setSource(server, git, { ref, folder: "app/main" });
    await synced(server);
    assert.equal(await says(server), word, JSON.stringify(ref));
  }
  const { body: { files } } = await server.api("GET", "/api/files");
  assert.deepEqual(files.map(({ path }: { path: string }) => path), ["crude.json", "hello.ts"]);
});

Deno.test("a branch that was replaced by force, and a URL that redirects on the same server, are followed", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  await setSource(server, git, { url: git.url.replace("code", "old") });
  await synced(server);
  await git.git("checkout", "--quiet", "--orphan", "other");
  await git.git("branch", "--quiet", "-D", "main");
  await git.git("branch", "--quiet", "-m", "main");
  await git.commit("Again", { "hello.ts": saying("again") });
  await synced(server);
  assert.equal(await says(server), "again");
});

/** Returns a port at which nothing listens. */
function unused(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("what cannot be fetched is a sentence, nothing is changed, and no answer or log has the token", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  await createSecret(server, "WRONG", "wrong-token-0123456789");
  await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  await setSource(server, git);
  await synced(server);
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ tokenSecret: "WRONG" }, /^localhost:\d+ refuses the token \(401\)\. Check the secret/],
    [{ tokenSecret: null }, /^localhost:\d+ requires a token \(401\)\.$/],
    [{ ref: { branch: "none" } }, /^The repository has no branch "none"\.$/],
    [{ ref: { tag: "none" } }, /^The repository has no tag "none"\.$/],
    [{ ref: { commit: "0".repeat(40) } }, /^The git server gives out no commit 0{40}\. /],
    [{ folder: "none" }, /^The commit has no folder "none"\.$/],
    [{ url: git.url.replace("code", "none") }, /^localhost:\d+ has no such repository \(404\), or the token may not/],
    [{ url: git.redirect }, /^localhost:\d+ redirects to https:\/\/localhost:\d+, which is not followed\./],
    [{ url: `https://localhost:${unused()}/code.git` }, /^localhost:\d+ cannot be reached: .*refused/],
  ];
  for (const [rest, sentence] of cases) {
    await setSource(server, git, rest);
    const { status, body } = await sync(server);
    assert.equal(status, 502, JSON.stringify(body));
    assert.equal(body.code, "SyncFailed");
    assert.match(body.error, sentence);
    const last = await lastSync(server);
    assert.equal(last.outcome, "failed");
    assert.match(last.error, sentence);
    assert.doesNotMatch(JSON.stringify([body, last]) + server.logs(), new RegExp(`${TOKEN}|wrong-token`));
  }
  assert.deepEqual(git.leaked, []);
  assert.equal(await says(server), "one");

  await git.git("push", "--quiet", "--force", git.repository, "HEAD:other");
  await git.git("--git-dir", git.repository, "symbolic-ref", "HEAD", "refs/heads/none");
  await setSource(server, git, { ref: { branch: "other" } });
  assert.match((await sync(server)).body.error, /^The default branch of the repository does not exist\./);

  await using stranger = await startApp();
  await setSource(stranger, git, { tokenSecret: null, webhookSecret: null });
  assert.match((await sync(stranger)).body.error, /^localhost:\d+ cannot be reached: .*certificate/);
});

Deno.test("while a commit is fetched, no process has the token in its arguments or environment", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  await setSource(server, git);
  const release = git.hold();
  const answer = sync(server);
  await until(() => git.requests.some((line) => line.startsWith("POST")));
  let fetching = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string) => {
      try {
        return new TextDecoder().decode(readFileSync(`/proc/${name}/${file}`));
      } catch {
        // It has ended, or is another user's.
        return "";
      }
    };
    const [args, env] = [read("cmdline"), read("environ")];
    if (/git\.js/.test(args)) fetching++;
    assert.ok(!args.includes(TOKEN) && !env.includes(TOKEN), args.replaceAll("\0", " "));
  }
  assert.equal(fetching, 1);
  release();
  assert.equal((await answer).status, 201);
});

Deno.test("links, submodules, Git LFS and files that are too large stop a sync, which names them", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  const good = await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  await setSource(server, git);
  await synced(server);
  const link = await git.git("hash-object", "-w", "hello.ts");
  const cases: [string, () => Promise<unknown>, RegExp][] = [
    [
      "link",
      () => git.git("update-index", "--add", "--cacheinfo", `120000,${link},lib/link.ts`),
      /^lib\/link\.ts is a symbolic link\./,
    ],
    [
      "submodule",
      () => git.git("update-index", "--add", "--cacheinfo", `160000,${good},lib/module`),
      /^lib\/module is a submodule\./,
    ],
    ["LFS", async () => {
      await git.commit("LFS", { "big.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n" });
    }, /^big\.bin is stored in Git LFS/],
    ["large", async () => {
      await git.commit("Large", { "large.txt": "x".repeat(33 * 2 ** 20) });
    }, /^large\.txt is larger than 32 MiB\./],
  ];
  for (const [name, change, sentence] of cases) {
    await change();
    await git.git("commit", "--quiet", "--allow-empty", "--message", name);
    await git.push();
    const { status, body } = await sync(server);
    assert.equal(status, 502, `${name}: ${JSON.stringify(body)}`);
    assert.match(body.error, sentence);
    await git.git("reset", "--quiet", "--hard", good);
  }
  assert.equal(await says(server), "one");
});

Deno.test("a commit with problems leaves what is live as it is, and the problems are kept", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  await setSource(server, git);
  await synced(server);

  const wrong = await git.commit("Wrong", { "crude.json": project({ hello: { route: 3, handler: "hello.ts" } }) });
  const { status, body } = await sync(server);
  assert.equal(status, 400);
  assert.match(JSON.stringify(body.details), /functions\.hello\.route/);
  assert.equal((await lastSync(server)).commit, wrong);

  await git.commit("No JSON", { "crude.json": "{" });
  assert.match((await sync(server)).body.error, /crude\.json is not valid JSON/);

  const broken = await git.commit("Broken", { "crude.json": HELLO, "hello.ts": 'import "./none.ts";' });
  const stopped = await sync(server);
  assert.equal(stopped.status, 422);
  const { at: _, ...last } = await lastSync(server);
  assert.equal(last.outcome, "failed");
  assert.equal(last.commit, broken);
  assert.deepEqual(last.problems, stopped.body.details.problems);
  assert.equal(last.problems[0].function, "hello");
  assert.equal(await says(server), "one");

  // A request of the git server does not try the same commit again.
  const before = git.requests.length;
  assert.equal(await hook(server, signed("{}")), 202);
  await until(() => git.requests.length > before);
  await git.commit("Good again", { "hello.ts": saying("good") });
  await hook(server, signed("{}"));
  await server.logged(/Deployed commit \w+ of .*\n[^]*Deployed commit/);
  assert.equal(await says(server), "good");
});

const signed = (content: string): { content: string; headers: Record<string, string> } => ({
  content,
  headers: {
    "X-Hub-Signature-256": `sha256=${createHmac("sha256", HOOK_SECRET).update(content).digest("hex")}`,
  },
});

async function hook(
  server: Server,
  { content, headers }: { content: string; headers: Record<string, string> },
): Promise<number> {
  const response = await fetch(`${server.url}/api/git-source/webhook`, { method: "POST", body: content, headers });
  await response.body?.cancel();
  return response.status;
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("a webhook syncs if it is signed, once for several, and only if there is a new commit", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  const { content, headers } = signed('{"ref":"refs/heads/main"}');
  assert.equal(await hook(server, { content, headers }), 401, "without a source");
  await setSource(server, git);
  const refused: Record<string, string>[] = [
    {},
    { "X-Hub-Signature-256": "sha256=00" },
    { "X-Hub-Signature-256": headers["X-Hub-Signature-256"]!.replace(/.$/, (digit) => digit === "0" ? "1" : "0") },
    { "X-Gitlab-Token": "wrong" },
    // Not even with the token of GitLab.
    { "X-Hub-Signature-256": "sha256=00", "X-Gitlab-Token": HOOK_SECRET },
  ];
  for (const headers of refused) assert.equal(await hook(server, { content, headers }), 401, JSON.stringify(headers));
  assert.equal(await hook(server, { content: content + " ", headers }), 401, "another body");
  assert.deepEqual(git.requests, []);

  const release = git.hold();
  assert.equal(await hook(server, { content, headers }), 202);
  await until(() => git.requests.some((line) => line.startsWith("POST")));
  for (let n = 0; n < 5; n++) assert.equal(await hook(server, { content, headers }), 202, "replayed");
  release();
  await server.logged(/Deployed commit/);
  assert.equal(await says(server), "one");
  const { body: { deployments } } = await server.api("GET", "/api/deployments");
  assert.equal(deployments.length, 1);
  const { body: { entries } } = await server.api("GET", "/api/audit?action=code.deployed");
  assert.equal(entries[0].actor.kind, "server");

  const bitbucket = { "X-Hub-Signature": headers["X-Hub-Signature-256"]! };
  assert.equal(await hook(server, { content, headers: bitbucket }), 202);

  await git.commit("Two", { "hello.ts": saying("two") });
  assert.equal(await hook(server, { content: "", headers: { "X-Gitlab-Token": HOOK_SECRET } }), 202);
  await server.logged(/Deployed commit[^]*Deployed commit/);
  assert.equal(await says(server), "two");

  const statuses: number[] = [];
  for (let n = 0; n < 12; n++) statuses.push(await hook(server, { content, headers: {} }));
  assert.equal(statuses.at(-1), 429, "guessing is slowed down");
});

Deno.test("with an interval, a server syncs when it starts, and again when a commit is new", async () => {
  await using git = await startGitServer();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    const env = { DENO_CERT: git.ca };
    {
      await using server = await startApp({ env, folder });
      await createSecret(server, "GIT_TOKEN", TOKEN);
      await setSource(server, git, { webhookSecret: null, intervalSeconds: 10 });
    }
    const first = await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
    await using server = await startApp({ env, folder });
    await server.logged(new RegExp(`Deployed commit ${first}`));
    const second = await git.commit("Two", { "hello.ts": saying("two") });
    await server.logged(new RegExp(`Deployed commit ${second}`));
    assert.equal(await says(server), "two");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("while there is a source, files change nowhere else, except by a rollback", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
  await setSource(server, git);
  const first = await synced(server);
  await git.commit("Two", { "hello.ts": saying("two") });
  await synced(server);
  const refused = [
    await server.api("PUT", "/api/files/hello.ts", saying("x"), { "Content-Type": "text/plain" }),
    await server.api("POST", "/api/files/new.ts", saying("x"), { "Content-Type": "text/plain" }),
    await server.api("DELETE", "/api/files/hello.ts"),
    await server.api("POST", "/api/file-moves", { from: "hello.ts", to: "other.ts" }),
    await post(server, { files: { "hello.ts": saying("x") } }),
  ];
  for (const { status, body } of refused) {
    assert.deepEqual([status, body.code], [409, "ReadOnly"]);
    assert.match(body.error, /^The files come from https:\/\/localhost:\d+\/code\.git \(branch main\)/);
  }
  assert.equal((await post(server, { files: { "hello.ts": saying("x") }, dryRun: true })).status, 200);
  assert.equal((await server.api("POST", `/api/deployments/${first.id}/rollback`)).status, 201);
  assert.equal(await says(server), "one");
  // Until the next commit.
  assert.equal(await hook(server, signed("{}")), 202);
  assert.equal((await sync(server, { dryRun: true })).status, 200, "which waits for the other one");
  assert.equal(await says(server), "one");

  const { body, headers } = await server.api("GET", "/api/git-source");
  assert.deepEqual(body.source.ref, { branch: "main" });
  const stale = await server.api("DELETE", "/api/git-source", undefined, { "If-Match": '"x"' });
  assert.equal(stale.status, 412);
  const tag = headers.get("etag")!;
  assert.equal((await server.api("DELETE", "/api/git-source", undefined, { "If-Match": tag })).status, 200);
  assert.equal((await server.api("DELETE", "/api/git-source")).status, 404);
  assert.equal((await sync(server)).status, 404);
  assert.equal(
    (await server.api("PUT", "/api/files/hello.ts", saying("x"), { "Content-Type": "text/plain" })).status,
    200,
  );
});

Deno.test("a source that cannot be is refused, with the field", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  const good = { url: git.url, ref: { branch: "main" } };
  const cases: [Record<string, unknown>, string][] = [
    [{ url: "http://example.com/a.git" }, "url"],
    [{ url: "https://user:password@example.com/a.git" }, "url"],
    [{ url: "ssh://git@example.com/a.git" }, "url"],
    [{ url: "https://example.com/a.git?x=1" }, "url"],
    [{ ref: {} }, "ref"],
    [{ ref: { branch: "a", tag: "b" } }, "ref"],
    [{ ref: { branch: "a..b" } }, "ref.branch"],
    [{ ref: { branch: "--upload-pack=x" } }, "ref.branch"],
    [{ ref: { commit: "abc" } }, "ref.commit"],
    [{ folder: "../x" }, "folder"],
    [{ folder: "/x" }, "folder"],
    [{ tokenSecret: "NONE" }, "tokenSecret"],
    [{ webhookSecret: "no name" }, "webhookSecret"],
    [{ intervalSeconds: 1 }, "intervalSeconds"],
    [{ other: 1 }, "other"],
  ];
  for (const [rest, field] of cases) {
    const { status, body } = await server.api("PUT", "/api/git-source", { ...good, ...rest });
    assert.equal(status, 400, JSON.stringify(rest));
    assert.ok(field in body.details, `${JSON.stringify(rest)}: ${JSON.stringify(body)}`);
  }
});

Deno.test("a server that is killed during a sync starts with the code of before, and syncs again", async () => {
  await using git = await startGitServer();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    const env = { DENO_CERT: git.ca };
    await git.commit("One", { "hello.ts": saying("one"), "crude.json": HELLO });
    {
      await using server = await startServer({ env, folder });
      await createSecret(server, "GIT_TOKEN", TOKEN);
      await setSource(server, git, { webhookSecret: null });
      await synced(server);
      await git.commit("Two", { "hello.ts": saying("two") });
      const release = git.hold();
      const before = git.requests.length;
      const answer = sync(server).catch(() => {});
      await until(() => git.requests.slice(before).some((line) => line.startsWith("POST")));
      Deno.kill(server.pid, "SIGKILL");
      release();
      await answer;
    }
    await using server = await startServer({ env, folder });
    assert.equal(await says(server), "one");
    const runFolder = join(tmpdir(), `crude-functions-${sha256Of(server.dataDir).slice(0, 16)}`);
    const left = [...Deno.readDirSync(runFolder)].filter(({ name }) => name.startsWith("git-"));
    assert.deepEqual(left, []);
    await synced(server);
    assert.equal(await says(server), "two");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the page of the git source sets it, syncs, shows the outcome, and removes it", async () => {
  await using git = await startGitServer();
  await using server = await startWithSecrets(git);
  const visitor = await setUp(server);
  assert.match((await visitor.get("/web/deployments")).text, /href="\/web\/deployments\/git"/);
  const { text: empty } = await visitor.get("/web/deployments/git");
  assert.match(empty, /Connect a repository/);
  assert.doesNotMatch(empty, /Sync now/);
  const fields = {
    url: git.url,
    kind: "branch",
    name: "main",
    folder: "",
    username: "git",
    tokenSecret: "GIT_TOKEN",
    webhookSecret: "",
    intervalSeconds: "5 min",
  };
  const wrong = await visitor.post("/web/deployments/git", { ...fields, name: "a..b", intervalSeconds: "1" });
  assert.equal(wrong.status, 400);
  assert.match(
    wrong.text,
    /href="#name">Name of the branch or tag, or id of the commit is no name of a branch or tag\./,
  );
  assert.match(wrong.text, /href="#intervalSeconds">Look for commits every must be 10 seconds to 1 day/);
  const set = await visitor.submit("/web/deployments/git", fields);
  assert.match(set.text, /Connected\..*not synced yet.*every 5 min/s);
  assert.equal((await server.api("GET", "/api/git-source")).body.source.intervalSeconds, 300);
  assert.doesNotMatch(set.text, /\/api\/git-source\/webhook/, "it needs a secret first");

  const failed = await visitor.submit("/web/deployments/git/sync", {});
  assert.match(failed.text, /Nothing was deployed\..*The repository has no branch &quot;main&quot;\./s);
  const commit = await git.commit("One", { "hello.ts": 'import "./none.ts";', "crude.json": HELLO });
  const stopped = await visitor.submit("/web/deployments/git/sync", {});
  assert.match(stopped.text, /<strong>hello<\/strong> <code>hello\.ts(?:, line 1)?<\/code>.*none\.ts/);
  assert.match(stopped.text, new RegExp(commit));
  const refused = await visitor.post("/web/deployments/git/check", {});
  assert.match(refused.text, /Problems would stop it.*none\.ts/s);
  const good = await git.commit("Two", { "hello.ts": saying("two") });
  const checked = await visitor.post("/web/deployments/git/check", {});
  assert.match(checked.text, /nothing would stop a sync.*created.*hello\.ts/s);
  assert.equal((await server.api("GET", "/api/deployments")).body.deployments.length, 0, "a check changes nothing");
  const synced = await visitor.submit("/web/deployments/git/sync", {});
  assert.match(synced.text, new RegExp(`Commit ${good.slice(0, 7)} is live\\.`));
  assert.equal(await says(server), "two");
  const { body: { entries } } = await server.api("GET", "/api/audit?action=code.deployed");
  assert.equal(entries[0].actor.kind, "admin");

  assert.match((await visitor.get("/web/deployments")).text, new RegExp(`, commit ${good.slice(0, 7)}`));
  const hooked = await visitor.submit("/web/deployments/git", { ...fields, webhookSecret: "GIT_HOOK" });
  assert.match(hooked.text, new RegExp(`${server.url}/api/git-source/webhook`));
  assert.match((await visitor.get("/web/files")).text, /can only be changed there/);

  const removed = await visitor.submit("/web/deployments/git/remove", {});
  assert.match(removed.text, /Disconnected\./);
  assert.equal((await server.api("GET", "/api/git-source")).body.source, null);
});
