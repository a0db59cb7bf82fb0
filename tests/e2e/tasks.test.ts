// Ten tasks, each from the first page after signing in: how many clicks and keys they take. docs/console-tasks.md has the
// figures, next to those before the pages were designed anew.

import assert from "node:assert/strict";
import type { Locator, Page } from "playwright-core";
import { deployed, on, saying } from "../http/deploying.ts";
import { createGroup, createKey, createSecret, deploy, run } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { startApp } from "./app.ts";
import { closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** What somebody does with a page. A text that is pasted is two keys; a choice from a list is two clicks. */
class Hands {
  clicks = 0;
  keys = 0;

  constructor(readonly page: Page) {}

  async click(target: Locator): Promise<void> {
    this.clicks++;
    await target.click();
  }

  async choose(target: Locator, option: string): Promise<void> {
    this.clicks += 2;
    await target.selectOption({ label: option });
  }

  /** Types into what has the focus. */
  async type(text: string): Promise<void> {
    this.keys += text.length;
    await this.page.keyboard.insertText(text);
  }

  /** Into a field, which is clicked first. */
  async fill(target: Locator, text: string): Promise<void> {
    await this.click(target);
    await this.press("Control+a");
    await this.type(text);
  }

  async paste(text: string): Promise<void> {
    this.keys++;
    await this.page.keyboard.insertText(text);
  }

  async press(keys: string): Promise<void> {
    this.keys++;
    await this.page.keyboard.press(keys);
  }
}

interface Task {
  readonly name: string;
  /** Prepares the server. */
  readonly given?: (server: Server) => Promise<unknown>;
  readonly done: (hands: Hands, given: unknown) => Promise<void>;
}

const FAILING = "export default (c) => c.json({ id: c.req.order.id });\n";
const FIXED = "export default (c) => c.json({ id: 1 });\n";
const FORTY = Array.from({ length: 40 }, (_, n) => `NAME_${n}=value-${n}`).join("\n");

const notice = (page: Page, text: string | RegExp) => page.locator("#notices").getByText(text).waitFor();

/** With the names that docs/console-tasks.md has. */
const TASKS: readonly Task[] = [
  {
    name: "First function, and its first answer",
    async done(hands) {
      const { page } = hands;
      await hands.click(page.getByRole("main").getByRole("link", { name: "Create a function" }));
      await hands.click(page.getByLabel("Name", { exact: true }));
      await hands.type("hello");
      await hands.click(page.getByRole("button", { name: "Create" }));
      await page.locator(".cm-content").waitFor();
      await hands.click(page.getByRole("button", { name: "Send" }));
      await page.getByText("Status 200").waitFor();
    },
  },
  {
    name: "Fix an error, from the overview that shows it",
    async given(server) {
      await deploy(server, "orders", FAILING);
      await run(server, "/orders");
    },
    async done(hands) {
      const { page } = hands;
      await hands.click(
        page.getByRole("region", { name: "Needs attention" }).getByRole("link", { name: "orders", exact: true }),
      );
      await page.locator(".cm-content").waitFor();
      await hands.click(page.locator(".cm-content"));
      await hands.press("Control+a");
      await hands.paste(FIXED);
      await hands.press("Control+Enter");
      await page.getByText("Status 200").waitFor();
    },
  },
  {
    name: "Revoke a key and create another",
    async given(server) {
      await createKey(server, await createGroup(server, "customers"), "acme");
    },
    async done(hands) {
      const { page } = hands;
      await hands.click(inSidebar(page, "API Keys"));
      await hands.click(page.getByRole("link", { name: "Revoke acme" }));
      await hands.click(page.getByRole("button", { name: "Revoke key" }));
      await notice(page, /Revoked the key/);
      await hands.click(page.getByRole("main").getByRole("link", { name: /key$/i }).first());
      await hands.click(page.getByLabel("Name", { exact: true }));
      await hands.type("acme");
      await hands.click(page.getByRole("button", { name: "Create" }));
      await notice(page, /Created the key/);
    },
  },
  {
    name: "Import 40 secrets",
    async done(hands) {
      const { page } = hands;
      await hands.click(inSidebar(page, "Secrets"));
      await hands.click(page.getByRole("link", { name: "Import" }));
      await hands.click(page.getByLabel("Text"));
      await hands.paste(FORTY);
      await hands.click(page.getByRole("button", { name: "Import" }));
      await notice(page, /40 new/);
    },
  },
  {
    name: "Find a request by its id",
    async given(server) {
      await deploy(server, "orders", "export default (c) => { console.log('found'); return c.text(''); };\n");
      return (await run(server, "/orders")).headers.get("x-request-id");
    },
    async done(hands, id) {
      const { page } = hands;
      await hands.press("Control+k");
      await page.getByRole("combobox").waitFor();
      await hands.paste(String(id));
      await hands.press("Enter");
      await page.waitForURL(/requestId=/);
    },
  },
  {
    name: "Roll back a deployment",
    async given(server) {
      for (const word of ["one", "two"]) {
        await deployed(server, { files: { "a.ts": saying(word) }, functions: { a: on("/a", "a.ts") } });
      }
    },
    async done(hands) {
      const { page } = hands;
      await hands.click(page.getByRole("main").getByRole("link", { name: /Deployment 1/ }));
      await hands.click(page.getByRole("link", { name: /Roll back/ }));
      await hands.click(page.getByRole("button", { name: /Roll back to deployment 1/ }));
      await page.locator("#notices p").waitFor();
    },
  },
  {
    name: "See which function reads a secret",
    async given(server) {
      await createSecret(server, "DATABASE_URL", "value");
      await deploy(
        server,
        "orders",
        'export default async (c, ctx) => c.text(typeof await ctx.getSecret("DATABASE_URL"));\n',
      );
      await run(server, "/orders");
    },
    async done(hands) {
      const { page } = hands;
      await hands.click(inSidebar(page, "Secrets"));
      await hands.click(page.getByRole("link", { name: "DATABASE_URL", exact: true }));
      await page.getByText(/just now by orders, /).waitFor();
    },
  },
  {
    name: "Invite a user",
    async done(hands) {
      const { page } = hands;
      await hands.click(inSidebar(page, "Users"));
      await hands.click(page.getByRole("link", { name: "Invite a user" }));
      await hands.click(page.getByLabel("Name", { exact: true }));
      await hands.type("Bob");
      await hands.press("Tab");
      await hands.type("bob@example.com");
      await hands.press("Enter");
      await page.getByText(/\/web\/password/).first().waitFor();
    },
  },
  {
    name: "Raise a limit",
    async done(hands) {
      const { page } = hands;
      await hands.click(inSidebar(page, "Settings"));
      await hands.click(page.getByRole("link", { name: "Sandbox", exact: true }));
      await hands.fill(page.getByLabel("sandbox.timeout-ms"), "60 s");
      await hands.press("Enter");
      await notice(page, /Saved sandbox.timeout-ms/);
    },
  },
  {
    name: "Follow the log of a function",
    async given(server) {
      await deploy(server, "orders", "export default (c) => c.text('');\n");
    },
    async done(hands) {
      const { page } = hands;
      await hands.click(inSidebar(page, "Functions"));
      await hands.click(page.getByRole("link", { name: "orders", exact: true }));
      await hands.click(page.getByRole("navigation", { name: "This function" }).getByRole("link", { name: "Logs" }));
      await page.locator("#following-state").getByText(/Live/).waitFor();
    },
  },
];

Deno.test("ten tasks take as many clicks and keys as docs/console-tasks.md says", async (t) => {
  const documented = new Map(
    [
      ...Deno.readTextFileSync(new URL("../../docs/console-tasks.md", import.meta.url)).matchAll(
        /^\| ([^|]+) \| .* \| (\d+ \+ \d+) \|$/gm,
      ),
    ]
      .map(([, name, figures]) => [name!, figures!]),
  );
  for (const { name, given, done } of TASKS) {
    await t.step(name, async () => {
      await using server = await startApp();
      const prepared = await given?.(server);
      await using visit = await signIn(server);
      await visit.page.goto("/web");
      const hands = new Hands(visit.page);
      await done(hands, prepared);
      assert.equal(`${hands.clicks} + ${hands.keys}`, documented.get(name));
    });
  }
  assert.deepEqual([...documented.keys()], TASKS.map(({ name }) => name));
});
