// Every page that a link leads to is opened: whether axe has no objection to it, whether it fits, and, as everything
// that has a free name or text is named after an attack, that none of these becomes a part of it.

import assert from "node:assert/strict";
import type { Response } from "playwright-core";
import type { Server } from "../http/server.ts";
import { createKey, createSecret, deploy, run } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { post } from "../http/deploying.ts";
import { addressesOn, kindOf } from "./page_crawl.ts";
import { assertGoodEverywhere, closeBrowser, openBrowser, signIn, type Visit } from "./browser.ts";

/** Leaves whatever it is put into: an attribute, a text area, a title, a script, a template. */
const ATTACK = `'"></title></textarea></option></script></template><img src=x onerror=alert(1) data-gained>`;
/** Where white space and double slashes are refused. */
const DENSE_ATTACK = `"><img/src=x/onerror=alert(1)/data-gained>`;
/** What would be in a page that an attack got into; its own scripts have addresses, and no link runs code. */
const GAINED = "[data-gained], script:not([src]), [href^='javascript:' i], [onerror]";

const HANDLER = `export default async (c, ctx) => {
  console.log(${JSON.stringify(ATTACK)});
  await ctx.getSecret("NAME");
  if (ctx.query.fail) throw new Error(${JSON.stringify(ATTACK)});
  return c.html(${JSON.stringify(ATTACK)}, 200, { "X-Attack": ${JSON.stringify(ATTACK)} });
};
`;

/** What holds for every answer under /web, a part of a page or a refusal included. */
function assertGuarded(response: Response): void {
  const url = new URL(response.url());
  if (!url.pathname.startsWith("/web") || url.pathname.startsWith("/web/assets/")) return;
  const headers = response.headers();
  assert.match(headers["cache-control"] ?? "", /^no-store(?:, no-transform)?$/, response.url());
  assert.match(headers["content-security-policy"] ?? "", /^default-src 'none'; script-src \S+\/web\/assets\/; /);
  assert.match(headers["content-security-policy"]!, /base-uri 'none'; frame-ancestors 'none'$/);
  assert.equal(headers["x-content-type-options"], "nosniff", response.url());
}

/** The page that `crude login` opens, without the name that the terminal's machine has. */
const TERMINAL = `terminal?challenge=${"a".repeat(43)}&proof=${"a".repeat(43)}&state=${"a".repeat(22)}&port=1`;

/** What the attacker has made, on one server for all tests of this file. */
interface Attacked {
  readonly server: Server;
  readonly id: number;
  readonly key: { readonly id: number; readonly value: string };
  readonly file: string;
  /** Of a call. */
  readonly path: string;
}

let attacked: Attacked;

Deno.test.beforeAll(async () => {
  await openBrowser();
  attacked = await attack(await startApp());
});
Deno.test.afterAll(async () => {
  await closeBrowser();
  await attacked.server[Symbol.asyncDispose]();
});

/** The server runs on from test to test, and with it what Deno would take for a test's own. */
function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn });
}

/** Names everything after the attack. */
async function attack(server: Server): Promise<Attacked> {
  const made = async (path: string, body: unknown) => {
    const { status, body: answer } = await server.api("POST", path, body);
    assert.equal(status, 201, `${path}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const { id: groupId } = await made("/api/key-groups", { name: "callers", description: ATTACK });
  const key = await createKey(server, groupId, ATTACK);
  await server.api("PUT", `/api/keys/${key.id}`, { description: ATTACK });
  const id = await deploy(server, "attack", HANDLER, { keys: [groupId] });
  const file = `${ATTACK.replaceAll("/", "")}.ts`;
  await made(`/api/files/${encodeURIComponent(file)}`, { content: HANDLER, encoding: "utf-8" });
  const named = await server.api("PUT", `/api/functions/${id}`, {
    name: ATTACK,
    description: ATTACK,
    handler: file,
    route: `/${DENSE_ATTACK}/:id`,
    keys: [groupId],
  });
  assert.equal(named.status, 200, JSON.stringify(named.body));
  const owners = [
    { scope: "global" },
    { scope: "function", functionId: id },
    { scope: "group", groupId },
    { scope: "key", keyId: key.id },
  ];
  for (const owner of owners) await createSecret(server, "NAME", ATTACK, { comment: ATTACK, ...owner });
  for (const text of [HANDLER, `${HANDLER}// ${ATTACK}\n`]) {
    const { status, body } = await post(server, { message: ATTACK, files: { [file]: text }, force: true });
    assert.equal(status, 201, JSON.stringify(body));
  }
  const path = `/${encodeURI(DENSE_ATTACK)}/7`;
  assert.equal((await run(server, `${path}?fail=1&q=${encodeURIComponent(ATTACK)}`, key.value)).status, 500);
  return { server, id, key, file, path };
}

/** Signs in, and watches each answer and whether a script of the attack runs. */
async function watchedVisit(): Promise<{ visit: Visit; assertNothingGained: (where: string) => Promise<void> }> {
  const visit = await signIn(attacked.server);
  const { page } = visit;
  page.on("response", assertGuarded);
  const alerts: string[] = [];
  page.on("dialog", (dialog) => {
    alerts.push(dialog.message());
    return dialog.accept();
  });
  const assertNothingGained = async (where: string) => {
    assert.equal(await page.locator(GAINED).count(), 0, where);
    assert.deepEqual(alerts, [], where);
  };
  return { visit, assertNothingGained };
}

/** The pages that are known so far. Each is opened once, by the first test that looks at pages of its place. */
const waiting: string[] = [];
const seen = new Set<string>();
const kinds = new Map<string, number>();
const looked = new Set<string>();

function add(path: string): void {
  const ofKind = kinds.get(kindOf(path)) ?? 0;
  if (seen.has(path) || ofKind === 2) return;
  kinds.set(kindOf(path), ofKind + 1);
  seen.add(path);
  waiting.push(path);
}

const placeOf = (path: string): string => kindOf(path).split(" ")[0]!;
const OF_SECRETS = /^\/web\/(?:secrets|keys|users|account|sign-in|setup|announcements)(?:\/|$)/;

/** Looking at all pages in one test takes too long on a busy machine. */
const PARTS: Record<string, (place: string) => boolean> = {
  "of secrets, keys and users": (place) => OF_SECRETS.test(place),
  "of all else": (place) => !OF_SECRETS.test(place),
  "that only others lead to": () => true,
};

for (const [part, isOfPart] of Object.entries(PARTS)) {
  test(
    `pages ${part} are accessible and fit, and nothing that is named or typed becomes a part of a page`,
    () => visitPages(isOfPart),
  );
}

/** Opens the pages whose place is `isOfPart` and those of them that they lead to, and looks at one of each place. */
async function visitPages(isOfPart: (place: string) => boolean): Promise<void> {
  const { visit, assertNothingGained } = await watchedVisit();
  await using _ = visit;
  const { page } = visit;
  if (seen.size === 0) await addFirstPages(visit);
  while (true) {
    const at = waiting.findIndex((path) => isOfPart(placeOf(path)));
    if (at < 0) return;
    const [path] = waiting.splice(at, 1) as [string];
    await page.goto(path);
    await assertNothingGained(path);
    const place = placeOf(path);
    const isWhole = await page.locator("h1").count() > 0;
    if (isWhole && !looked.has(place)) await assertGoodEverywhere(page);
    looked.add(place);
    for (const next of await addressesOn(page)) add(next);
  }
}

/** Adds the pages that the others are found from, and those that no link has this address of. */
async function addFirstPages({ context }: Visit): Promise<void> {
  const { server, file } = attacked;
  // By hand: a browser would refuse such an address.
  const invited = await context.request.post("/web/users", {
    form: { name: ATTACK.slice(-100), email: `${DENSE_ATTACK}@example.com` },
    headers: { Origin: server.url },
  });
  assert.equal(invited.status(), 200, await invited.text());

  const inQueries = [
    ...["secrets?q", "keys?q", "functions?search", "audit?actor", "audit?subject", "audit?from", "logs?search"],
    ...["logs?requestId", "logs?cursor", "metrics?range", "files?folder", "secrets/new?name", "secrets/new?comment"],
    ...["secrets/owners?scope=key&find", "secrets/owners?scope=key&empty", "secrets/resolve?q", "sign-in?to"],
    ...["files/history?path", "history?before", "deployments?before", "search?q"],
    ...["setup?token", "nowhere?x", `${TERMINAL}&machine`],
  ].map((asked) => `/web/${asked}=${encodeURIComponent(ATTACK)}`);
  const replaced = `/web/history/2/file?${new URLSearchParams({ path: file })}`;
  const first = ["/web", `/web/${encodeURIComponent(ATTACK)}`, replaced, ...inQueries];
  for (const path of first) {
    seen.add(path);
    kinds.set(kindOf(path), 2);
    waiting.push(path);
  }
}

test("every kind of page was found", () => {
  const changes = ["history/1/compare", "history/1/restore", "history/1/purge", "deployments/1/rollback"];
  for (
    const kind of [
      ...changes,
      "functions/1/settings",
      "keys/1/revoke",
      "keys/groups/1/delete",
      "secrets/1/edit",
      "users/1",
    ]
  ) {
    assert.ok([...kinds.keys()].some((one) => one.startsWith(`/web/${kind} `)), `no link led to ${kind}`);
  }
});

test("nothing of a line that comes while it is followed, of a revealed value and of an answer becomes a part of a page", async () => {
  const { server, id, key, path } = attacked;
  const { visit, assertNothingGained } = await watchedVisit();
  await using _ = visit;
  const { page } = visit;
  await page.goto("/web/logs");
  await page.getByText("Live", { exact: true }).waitFor();
  const before = await page.locator(".entry").count();
  await run(server, path, key.value);
  await page.locator(".entry").nth(before).waitFor();
  await assertNothingGained("a line that came while it was followed");

  await page.goto("/web/secrets");
  await page.getByRole("link", { name: "NAME", exact: true }).click();
  await page.getByRole("button", { name: "Reveal NAME (global)" }).click();
  await page.getByRole("region").getByText("data-gained").waitFor();
  await assertNothingGained("a value that was revealed");

  await page.goto(`/web/functions/${id}`);
  await page.locator(".cm-content").waitFor();
  await page.getByLabel(":id").fill("7");
  await page.getByLabel("API key", { exact: true }).selectOption(
    String(key.id),
  );
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Status 200").waitFor();
  await assertNothingGained("an answer");
});
