// The pages of versions and deployments over plain HTTP: what they show, and forms that are sent by hand.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { setUp, type Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { deployed, on, saying } from "./deploying.ts";
import { createGroup, createSecret, run, save } from "./handlers.ts";

const ATTACK = `<img src=x onerror=alert(1)>`;

/** The value of a hidden field. */
function hidden(html: string, name: string): string {
  const [, value] = new RegExp(`name="${name}" value="([^"]*)"`).exec(html) ?? assert.fail(`no field ${name}`);
  return value!;
}

/** The text of a page, without its markup. */
function words(html: string): string {
  return html.replace(/^[\s\S]*<main/, "").replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

/** Opens a page's form and sends it with some of its fields. */
async function send(visitor: Visitor, path: string, names: readonly string[], fields: Record<string, string> = {}) {
  const { text } = await visitor.get(path);
  const filled = Object.fromEntries(names.map((name) => [name, hidden(text, name)]));
  return await visitor.submit(path.split("?")[0]!, { ...filled, ...fields });
}

Deno.test("the history lists versions, newest first, page by page, and marks the current one", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  assert.match((await visitor.get("/web/history")).text, /No versions yet/);
  for (let n = 1; n <= 52; n++) await save(server, "a.txt", `${n}\n`);
  const first = await visitor.get("/web/history");
  assert.match(
    words(first.text),
    /Version 52 live Changed a\.txt API key management\/bootstrap edit 1 file just now Version 51 .* just now Compare Restore … Version 50 /,
  );
  assert.equal([...first.text.matchAll(/>live</g)].length, 1);
  assert.match(first.text, /href="\/web\/history\?before=3"/);
  const second = await visitor.get("/web/history?before=3");
  assert.match(words(second.text), /Version 2 .* Version 1 Created a\.txt /);
  assert.doesNotMatch(second.text, />live<|rel="next"/);
  const ofFile = await visitor.get("/web/files/history?path=a.txt");
  assert.match(ofFile.text, /href="\/web\/files\/history\?path=a.txt&amp;before=3"/);
  assert.equal((await visitor.get("/web/files/history?path=../a")).status, 400);
});

Deno.test("a version names the deployment that made it, also among deployments that changed no file", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await save(server, "a.txt", "1\n");
  const files = { "hello.ts": saying("one") };
  await deployed(server, { files, functions: { hello: on("/hello", "hello.ts") } });
  for (const route of ["/b", "/c"]) await deployed(server, { files, functions: { hello: on(route, "hello.ts") } });
  await save(server, "a.txt", "2\n");
  await deployed(server, { files: { "hello.ts": saying("two") } });
  const list = words((await visitor.get("/web/history")).text);
  assert.match(list, /Version 4 live .* deployment 4 1 file .* Version 3 .* edit 1 file .* Version 2 .* deployment 1 /);
  for (const [version, cause] of [[4, "deployment 4"], [3, "edit"], [2, "deployment 1"], [1, "edit"]]) {
    const { text } = await visitor.get(`/web/history/${version}`);
    assert.match(words(text), new RegExp(`Cause ${cause} `), `version ${version}`);
  }
  assert.match((await visitor.get("/web/history?before=3")).text, /href="\/web\/deployments\/1"/);
});

Deno.test("a version shows its diffs escaped, and a large one in pages", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await save(server, "page.html", `<p>old</p>\nsame\n`);
  await save(server, "page.html", `<p>${ATTACK}\u202e</p>\nsame\n`);
  const { text } = await visitor.get("/web/history/2");
  assert.ok(!text.includes(ATTACK));
  assert.match(text, /<del data-n="1">-&lt;p&gt;old&lt;\/p&gt;\n<\/del>/);
  assert.match(text, /<ins data-n="1">\+&lt;p&gt;&lt;img src=x onerror=alert\(1\)&gt;⟨U\+202E⟩&lt;\/p&gt;\n<\/ins>/);
  assert.match(text, /<span data-n="2"> same\n<\/span>/);
  assert.match(words(text), /1 file changed added \+1 removed −1 /);
  await save(server, "long.txt", "line\n".repeat(400));
  const long = await visitor.get("/web/history/3");
  assert.match(words(long.text), /101 more lines\. Show more of long\.txt/);
  await server.api("PUT", "/api/files/image.png", new Uint8Array([0, 1]), {
    "Content-Type": "application/octet-stream",
  });
  assert.match((await visitor.get("/web/history/4")).text, /No diff: a content is not text/);
  await deployed(server, {
    files: Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`many/${n + 10}.txt`, `${n}\n`])),
  });
  const many = await visitor.get("/web/history/5");
  assert.match(many.text, /href="\/web\/history\/5\?from=20"/);
  assert.match(words((await visitor.get("/web/history/5?from=20")).text), /many\/30\.txt .* many\/34\.txt/);
  const since = await visitor.get("/web/history/4/compare");
  assert.match(words(since.text), /From version 4 to the live version, 5: 25 files differ/);
  assert.equal((await visitor.get("/web/history/9")).status, 404);
  assert.equal((await visitor.get("/web/history/x")).status, 400);
});

Deno.test("restoring a version says what changes, and refuses when the code was changed meanwhile", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await save(server, "hello.ts", saying("first"));
  await save(server, "notes.txt", "keep\n");
  await deployed(server, {
    files: { "hello.ts": saying("second"), "notes.txt": null, "later.ts": saying("later") },
    functions: { later: on("/later", "later.ts") },
  });
  const asked = await visitor.get("/web/history/2/restore");
  assert.match(words(asked.text), /created notes\.txt changed hello\.ts deleted later\.ts/);
  assert.match(words(asked.text), /The handler of later is deleted/);
  const current = hidden(asked.text, "current");
  assert.equal(current, "3");
  await save(server, "hello.ts", saying("meanwhile"));
  const stale = await visitor.post("/web/history/2/restore", { message: "Back", current });
  assert.equal(stale.status, 412);
  assert.match(words(stale.text), /The code was changed after you opened this page, so nothing was done/);
  assert.equal(hidden(stale.text, "current"), "4");
  const wrong = await visitor.post("/web/history/2/restore", { message: "two\nlines", current: "4" });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /Message must not contain control characters/);
  const restored = await visitor.submit("/web/history/2/restore", { message: `Back ${ATTACK}`, current: "4" });
  assert.match(words(restored.text), /Restored version 2 as version 5\./);
  assert.ok(!restored.text.includes(ATTACK));
  assert.equal((await server.api("GET", "/api/files/hello.ts")).body, saying("first"));
  assert.match((await visitor.get("/web/history/2/restore")).text, /The files are already those of/);
  const { body } = await server.api("GET", "/api/audit?action=code.restored");
  assert.equal(body.entries[0].actor.name, "ada@example.com");
  assert.match(words((await visitor.get("/web/audit")).text), /restored an earlier version of the code: Back/);
});

Deno.test("a file has a history, and one content of it can be restored, downloaded and purged", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await save(server, "config.ts", `export const key = "sk_live_pasted";\n`);
  await save(server, "other.ts", "1\n");
  await save(server, "config.ts", `export const key = "";\n`);
  await server.api("DELETE", "/api/files/config.ts");
  assert.match(
    (await visitor.get("/web/files/edit?path=other.ts")).text,
    /href="\/web\/files\/history\?path=other.ts"/,
  );
  const history = await visitor.get("/web/files/history?path=config.ts");
  assert.match(words(history.text), /Version 4 .* deleted .* Version 3 .* 23 bytes .* Version 1 /);
  assert.doesNotMatch(history.text, /Version 2</);
  const deletion = await visitor.get("/web/history/4/file?path=config.ts");
  assert.match(deletion.text, /<del data-n="1">-<i class="keyword">export<\/i> <i class="keyword">const<\/i> key/);
  assert.doesNotMatch(deletion.text, /Restore this file/);
  assert.match((await visitor.get("/web/history/2/file?path=config.ts")).text, /an earlier version made it/);
  assert.equal((await visitor.get("/web/history/4/file?path=none.ts")).status, 404);

  const download = await visitor.get("/web/history/3/download?path=config.ts");
  assert.deepEqual([download.text, download.headers.get("content-type")], [
    `export const key = "";\n`,
    "application/octet-stream",
  ]);
  const again = await send(visitor, "/web/history/3/restore-file?path=config.ts", ["path", "hash"], {
    message: "Undo",
  });
  assert.match(words(again.text), /Restored config\.ts from version 3\./);
  const { body } = await server.api("GET", "/api/versions?limit=1");
  assert.deepEqual([body.versions[0].message, body.versions[0].cause], ["Undo", "file"]);
  // Not over what somebody else saved.
  const stale = await visitor.post("/web/history/1/restore-file", { path: "config.ts", hash: "", message: "x" });
  assert.equal(stale.status, 409);
  assert.match(stale.text, /The code was changed after you opened this page/);

  const used = await visitor.post("/web/history/3/purge", { path: "config.ts" });
  assert.equal(used.status, 409);
  assert.match(used.text, /config\.ts has this content now\. Delete or change it first\./);
  const purged = await send(visitor, "/web/history/1/purge?path=config.ts", ["path"]);
  assert.match(
    words(purged.text),
    /Purged a content of config\.ts from the history\. .* The content was purged from the/,
  );
  assert.ok(!(await visitor.get("/web/history/1")).text.includes("sk_live"));
  const restore = await send(visitor, "/web/history/1/restore", ["current"], { message: "" });
  assert.equal(restore.status, 409);
  assert.match(words(restore.text), /config\.ts is no longer stored\./);
});

Deno.test("what was altered in the database is a sentence on its page", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await deployed(server, { message: "First", files: { "a.ts": saying("a") } });
  await save(server, "a.ts", saying("b"));
  const database = new DatabaseSync(join(server.dataDir, "database.db"));
  database.exec("UPDATE versions SET message = 'forged' WHERE id = 1; UPDATE deployments SET message = 'forged'");
  database.close();
  const paths = ["history/1", "history/1/compare", "history/1/restore", "history/1/file?path=a.ts", "history/2"];
  for (const path of [...paths, "deployments/1", "deployments/1/rollback"]) {
    const { status, text } = await visitor.get(`/web/${path}`);
    assert.equal(status, 409, path);
    assert.match(text, /was altered by something other than this program, and cannot be used\./, path);
    assert.match(text, /aria-label="Sections"/, path);
  }
  const refused = await visitor.post("/web/history/1/restore", { message: "", current: "2" });
  assert.equal(refused.status, 409);
});

Deno.test("deployments say which one is live, and going back is rehearsed first", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  assert.match((await visitor.get("/web/deployments")).text, /No deployments yet/);
  assert.doesNotMatch((await visitor.get("/web")).text, /Last deployment/);
  const hello = { hello: on("/hello", "hello.ts") };
  await deployed(server, { message: "One", files: { "hello.ts": saying("one") }, functions: hello });
  await deployed(server, {
    message: ATTACK,
    files: { "hello.ts": saying("two"), "new.ts": saying("new") },
    functions: { ...hello, new: on("/new", "new.ts") },
  });
  const list = await visitor.get("/web/deployments");
  assert.ok(!list.text.includes(ATTACK));
  assert.match(
    words(list.text),
    /Deployment 2 live .* Version 2 1 file created, 1 changed; 1 function created .* Deployment 1 /,
  );
  assert.match(words((await visitor.get("/web")).text), /Last deployments All deployments Deployment 2: &lt;img/);
  const one = await visitor.get("/web/deployments/1");
  assert.match(
    words(one.text),
    /State not live .* Files Show the differences created hello\.ts 0 files unchanged Functions created hello/,
  );
  assert.doesNotMatch((await visitor.get("/web/deployments/2")).text, /Roll back to this/);

  const asked = await visitor.get("/web/deployments/1/rollback");
  assert.match(words(asked.text), /Files changed hello\.ts deleted new\.ts .* Functions deleted new/);
  assert.doesNotMatch(asked.text, /name="force"/);
  const back = await send(visitor, "/web/deployments/1/rollback", ["ifVersion"], { message: "" });
  assert.match(words(back.text), /Rolled back to deployment 1, by deployment 3\./);
  assert.equal((await run(server, "/hello")).body, "one");
  const after = words((await visitor.get("/web/deployments")).text);
  assert.match(after, /Deployment 3 live .* rollback to 1 .* Deployment 2 .* Roll back … Deployment 1 same as live/);
  assert.match((await visitor.get("/web/deployments/3/rollback")).text, /already as/);

  await save(server, "hello.ts", saying("edited"));
  assert.match((await visitor.get("/web/deployments")).text, /were changed since the last deployment/);
  const stale = await visitor.post("/web/deployments/1/rollback", { message: "", ifVersion: "3" });
  assert.equal(stale.status, 412);
  assert.match(stale.text, /The code was changed after you opened this page/);
  assert.equal((await visitor.get("/web/deployments/9/rollback")).status, 404);
});

Deno.test("problems of a rollback are shown before it, and it needs a mark to go on in spite of them", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const asking = `export default async (c, ctx) => c.text((await ctx.getSecret("NEEDED")).slice(1));\n`;
  const secret = await createSecret(server, "NEEDED", "value");
  const hello = { hello: on("/hello", "hello.ts") };
  await deployed(server, { files: { "hello.ts": asking }, functions: hello });
  await deployed(server, { files: { "hello.ts": saying("two") }, functions: hello });
  await server.api("DELETE", `/api/secrets/${secret}`);
  const asked = await visitor.get("/web/deployments/1/rollback");
  assert.match(words(asked.text), /Problems hello hello\.ts, line 1 The secret &quot;NEEDED&quot; has no value/);
  assert.match(words(asked.text), /Roll back in spite of the problems above/);
  const ifVersion = hidden(asked.text, "ifVersion");
  const refused = await visitor.post("/web/deployments/1/rollback", { message: "", ifVersion });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /Nothing was deployed: The secret &quot;NEEDED&quot; has no value/);
  const forced = await visitor.submit("/web/deployments/1/rollback", { message: "Anyway", ifVersion, force: "on" });
  assert.match(words(forced.text), /Rolled back to deployment 1, by deployment 3\./);
});

Deno.test("a rollback that a group or a purged content stands in the way of says so, also if it is sent", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const groupId = await createGroup(server, "callers");
  await deployed(server, {
    files: { "hello.ts": saying("one"), "data.txt": "sk_live\n" },
    functions: { hello: on("/hello", "hello.ts", { keys: [groupId] }) },
  });
  await deployed(server, {
    files: { "hello.ts": saying("two"), "data.txt": "none\n" },
    functions: { hello: on("/hello", "hello.ts", { keys: [] }) },
  });
  await server.api("DELETE", `/api/key-groups/${groupId}`);
  const asked = await visitor.get("/web/deployments/1/rollback");
  assert.match(words(asked.text), /Problems hello .* A group or route is in the way\. Change it first/);
  assert.doesNotMatch(asked.text, /name="force"/);
  const forced = await visitor.post("/web/deployments/1/rollback", { message: "", ifVersion: "2", force: "on" });
  assert.equal(forced.status, 422);
  assert.match(forced.text, /Nothing was deployed: /);

  // Nothing of it can be shown or done without the content.
  await visitor.post("/web/history/1/purge", { path: "data.txt" });
  for (
    const purged of [
      await visitor.get("/web/deployments/1/rollback"),
      await visitor.post("/web/deployments/1/rollback", { message: "", ifVersion: "2" }),
    ]
  ) {
    assert.equal(purged.status, 409);
    assert.match(words(purged.text), /data\.txt .*no longer stored/);
  }
  assert.equal((await server.api("GET", "/api/deployments")).body.deployments.length, 2);
});

Deno.test("the forms are refused from other sites, and a form that is sent twice takes effect once", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await save(server, "a.ts", saying("a"));
  await save(server, "a.ts", saying("b"));
  for (const path of ["history/1/restore", "history/1/purge", "history/1/restore-file", "deployments/1/rollback"]) {
    const { status } = await visitor.post(`/web/${path}`, {}, { Origin: "https://evil.example" });
    assert.equal(status, 403, path);
  }
  const { text } = await visitor.get("/web/history/1/restore");
  const fields = { "form-token": hidden(text, "form-token"), current: hidden(text, "current"), message: "Once" };
  const [first, second] = await Promise.all([1, 2].map(() => visitor.post("/web/history/1/restore", fields)));
  assert.deepEqual([first!.status, second!.status], [303, 303]);
  assert.equal((await server.api("GET", "/api/versions")).body.versions.length, 3);
});
