// deno task screenshots: renders pages of a server with examples in it: those that documents show into docs/images/, and
// with --pages instead every kind of page, light, dark and narrow, into the folder screenshots/.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy, run } from "../http/handlers.ts";
import { post } from "../http/deploying.ts";
import { startApp } from "./app.ts";
import { type Server } from "../http/server.ts";
import { closeBrowser, openBrowser, signIn, visit, type VisitOptions } from "./browser.ts";
import { addressesOn, kindOf } from "./page_crawl.ts";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const SIZE = { width: 1000, height: 640 };

/** A check of types takes long where other programs have the processors. */
const CHECK_MAX_MS = 120_000;

/** What somebody is writing. */
const CODE = `export default async function (c, ctx) {
  const url = await ctx.getSecret("DATABASE_URL");
  if (!url) return c.jsonn({ error: "DATABASE_URL is not set" }, 500);
  return c.text("ok");
}
`;

interface Picture extends VisitOptions {
  /** Of the file, without `.png`. */
  readonly name: string;
  readonly path: string;
  /** What is done on the page before. */
  prepare?(page: Page): Promise<unknown>;
}

/** An entry for each picture. */
const PICTURES: readonly Picture[] = [
  {
    name: "create-secret",
    path: "/web/secrets/new",
    width: 1280,
    height: 640,
    prepare: async (page) => {
      await page.getByLabel("Name").fill("DATABASE_URL");
      await page.getByLabel("Value").fill("postgresql://analytics-db:5432/analytics");
      await page.getByLabel("Scope").selectOption("Function");
      await page.getByLabel("Function", { exact: true }).selectOption("analytics");
      await page.getByLabel("Comment").fill("Read replica");
      await page.locator("#standing").getByRole("link", { name: "client-123" }).waitFor();
    },
  },
  {
    name: "secrets",
    path: "/web/secrets",
    height: 900,
    prepare: async (page) => {
      await page.getByRole("link", { name: "DATABASE_URL", exact: true }).click();
      await page.getByRole("button", { name: 'Reveal DATABASE_URL (group "staging")' }).click();
      await page.getByRole("region").waitFor();
      await page.evaluate("scrollTo(0, 0)");
    },
  },
  {
    name: "resolve",
    path: "/web/secrets/resolve",
    prepare: async (page) => {
      await page.getByLabel("Function", { exact: true }).selectOption("orders");
      await page.getByLabel("Key", { exact: true }).selectOption("client-123 (staging)");
      await page.getByText('A call of orders with the key "client-123"').waitFor();
    },
  },
  { name: "functions", path: "/web/functions", height: 480 },
  {
    name: "function",
    path: "/web/functions",
    width: 1280,
    height: 880,
    prepare: async (page) => {
      await page.getByRole("link", { name: "orders", exact: true }).click();
      await page.locator(".cm-content").focus();
      await page.keyboard.press("Control+a");
      await page.keyboard.press("Backspace");
      await page.keyboard.insertText(CODE);
      await page.locator("[data-problems]").getByText("1 problem:").waitFor({ timeout: CHECK_MAX_MS });
      await page.getByLabel("API key", { exact: true }).selectOption({ label: "client-123 (staging)" });
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText("Status 200").waitFor();
      await page.evaluate("scrollTo(0, 0)");
    },
  },
  { name: "keys", path: "/web/keys" },
  { name: "encryption", path: "/web/settings/encryption" },
];

/** What the pictures show. */
async function fill(server: Server): Promise<void> {
  const [staging, production] = [await createGroup(server, "staging"), await createGroup(server, "production")];
  const client = await createKey(server, staging, "client-123");
  const other = await createKey(server, production, "client-456");
  const handler = "export default async (c, ctx) => c.text(await ctx.getSecret('DATABASE_URL') ? 'ok' : 'none')";
  const orders = await deploy(server, "orders", handler, { keys: [staging, production] });
  const analytics = await deploy(server, "analytics", handler, { keys: [staging] });
  const secrets: [name: string, value: string, owner?: Record<string, unknown>][] = [
    ["DATABASE_URL", "postgresql://shared-db.internal:5432/main", { scope: "global", comment: "Production database" }],
    ["DATABASE_URL", "postgresql://orders-db:5432/orders", { scope: "function", functionId: orders }],
    ["DATABASE_URL", "postgresql://readonly-db:5432/main", { scope: "group", groupId: staging }],
    ["DATABASE_URL", "postgresql://customer-db:5432/client_123", { scope: "key", keyId: client.id }],
    ["LOG_LEVEL", "info"],
    ["LOG_LEVEL", "debug", { scope: "group", groupId: staging }],
    ["SMTP_HOST", "smtp.example.com"],
    ["TENANT_ID", "customer-123", { scope: "key", keyId: client.id }],
    ["stripe-webhook-secret", "whsec_abc123", { scope: "function", functionId: analytics }],
  ];
  for (const [name, value, owner] of secrets) await createSecret(server, name, value, owner);
  for (let n = 0; n < 8; n++) await run(server, "/orders", client.value);
  const failing = `export default async (c) => {
  console.log("Charging card of order", c.query.id);
  throw new Error("Payment provider answered 503");
};
`;
  await deploy(server, "payments", failing, { keys: [production] });
  await run(server, "/payments?id=7", other.value);
  for (const message of ["Add a health check", "Answer with the version"]) {
    const text = `export default (c) => c.text(${JSON.stringify(message)});\n`;
    const { status, body } = await post(server, { message, files: { "health.ts": text }, force: true });
    assert.equal(status, 201, JSON.stringify(body));
  }
}

/** The looks in which every page is rendered. */
const LOOKS: Readonly<Record<string, VisitOptions>> = {
  light: { width: 1280, height: 800 },
  dark: { width: 1280, height: 800, dark: true },
  narrow: { width: 360, height: 740 },
};
const PAGES_FOLDER = fileURLToPath(new URL("../../screenshots/", import.meta.url));
/** What no link leads to. */
const UNLINKED = ["/web/nowhere", "/web/functions", "/web/secrets?q=nothing-of-this-name"];

async function renderPictures(server: Server): Promise<void> {
  await Deno.mkdir(FOLDER, { recursive: true });
  for (const { name, path, prepare, ...options } of PICTURES) {
    await using shown = await signIn(server, { ...SIZE, ...options });
    await shown.page.goto(path);
    await prepare?.(shown.page);
    await shown.page.screenshot({ path: `${FOLDER}${name}.png`, animations: "disabled", caret: "hide" });
    console.log(`docs/images/${name}.png`);
  }
}

/** Renders one address of each kind that links lead to; `only` begins their paths after /web/. */
async function renderPages(server: Server, only: string): Promise<void> {
  for (const [look, options] of Object.entries(LOOKS)) {
    await Deno.mkdir(PAGES_FOLDER + look, { recursive: true });
    await using visitor = await visit(server, options);
    await visitor.page.goto("/web/sign-in");
    await picture(visitor.page, `${look}/sign-in`);
    await using signedIn = await signIn(server, options);
    const { page } = signedIn;
    const waiting = ["/web", ...UNLINKED];
    const kinds = new Set(waiting.map(kindOf));
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      await page.goto(path);
      if (await page.locator("h1").count() > 0 && `${path}/`.startsWith(`/web/${only}`)) {
        await picture(page, `${look}/${nameOf(path)}`);
      }
      for (const next of await addressesOn(page)) {
        if (kinds.has(kindOf(next))) continue;
        kinds.add(kindOf(next));
        waiting.push(next);
      }
    }
  }
}

async function picture(page: Page, name: string): Promise<void> {
  await page.waitForLoadState("networkidle");
  await page.screenshot({ path: `${PAGES_FOLDER}${name}.png`, fullPage: true, animations: "disabled", caret: "hide" });
  console.log(`screenshots/${name}.png`);
}

/** Such as "secrets-1-edit", or "logs.level" for what a query chooses. */
function nameOf(path: string): string {
  const [place = "", query = ""] = kindOf(path).split(" ");
  const name = place.slice("/web/".length).replaceAll("/", "-") || "overview";
  return query === "" ? name : `${name}.${query.replaceAll(",", "-")}`;
}

await openBrowser();
try {
  await using server = await startApp();
  await fill(server);
  const [option, only = ""] = Deno.args;
  if (option === "--pages") await renderPages(server, only);
  else await renderPictures(server);
} finally {
  await closeBrowser();
}
