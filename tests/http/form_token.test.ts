// A form that is sent twice: the copy is answered as the first one was, and nothing is done twice.

import assert from "node:assert/strict";
import { setUp, Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

/** The token of the last form on a page. */
function tokenIn(html: string): string {
  const tokens = [...html.matchAll(/name="form-token" value="([\w-]+)"/g)];
  return tokens.at(-1)![1]!;
}

async function groupNames(server: Server): Promise<string[]> {
  const { body } = await server.api("GET", "/api/key-groups");
  return body.groups.map(({ name }: { name: string }) => name).filter((name: string) => name !== "management");
}

const PATH = "/web/keys/groups/new";

Deno.test("copies of a form, at once and afterwards, have the first one's answer", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const form = { "form-token": tokenIn((await admin.get(PATH)).text), name: "staging" };
  const answers = await Promise.all(Array.from({ length: 5 }, () => admin.post(PATH, form)));
  answers.push(await admin.post(PATH, form));
  assert.deepEqual(answers.map(({ status }) => status), Array(6).fill(303));
  assert.equal(new Set(answers.map(({ headers }) => headers.get("location"))).size, 1);
  assert.deepEqual(await groupNames(server), ["staging"]);
  assert.match((await admin.get(answers[5]!.headers.get("location")!)).text, /Created the group/);
});

Deno.test("what is no copy is carried out: other content, another token, another session, a form that was wrong", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const token = tokenIn((await admin.get(PATH)).text);
  const wrong = await admin.post(PATH, { "form-token": token, name: "Not a name" });
  assert.equal(wrong.status, 400);
  assert.notEqual(tokenIn(wrong.text), token, "the form that is shown again has a new one");
  assert.equal((await admin.post(PATH, { "form-token": token, name: "Not a name" })).status, 400);
  for (const name of ["one", "two"]) {
    assert.equal((await admin.post(PATH, { "form-token": token, name })).status, 303);
  }
  assert.deepEqual(await groupNames(server), ["one", "two"]);
  assert.equal((await admin.post(PATH, { "form-token": "other", name: "one" })).status, 400, "the name is taken");
  assert.equal((await admin.post(PATH, { name: "one" })).status, 400, "without a token");
  const again = new Visitor(server.url);
  await again.signIn();
  assert.equal((await again.post(PATH, { "form-token": token, name: "one" })).status, 400, "another session");
});

Deno.test("an upload that is sent twice is saved once, whatever boundary its parts have", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const token = tokenIn((await admin.get("/web/files")).text);
  const upload = (content: string) => {
    const form = new FormData();
    form.set("form-token", token);
    form.set("folder", "");
    form.append("file", new File([content], "data.txt"));
    return admin.request("POST", "/web/files/upload", { body: form });
  };
  const answers = [await upload("text"), await upload("text")];
  assert.deepEqual(answers.map(({ status }) => status), [303, 303]);
  assert.equal((await upload("other")).status, 400, "a file of that name exists");
  const { body } = await server.api("GET", "/api/files/data.txt", undefined, { Accept: "application/json" });
  assert.equal(body.content, "text");
});
