// The alarms in deploy/prometheus-alerts.yaml ask for what the server counts, under the names and labels that it has.

import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { startApp } from "./app.ts";
import { deploy, run } from "./handlers.ts";
import { ROOT } from "./server.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

const text = await Deno.readTextFile(join(ROOT, "deploy/prometheus-alerts.yaml"));
const rules: Rule[] = parse(text).groups.flatMap(({ rules }: { rules: Rule[] }) => rules);

Deno.test("each alarm uses metrics, outcomes and labels that the server's /metrics has", async () => {
  await using server = await startApp();
  const promised = "export default (c, ctx) => { ctx.waitUntil(Promise.resolve()); return c.text('done'); };";
  await deploy(server, "counted", promised);
  assert.equal((await run(server, "/counted")).status, 200);
  const { body: metrics } = await server.api("GET", "/metrics");
  assert.ok(rules.length >= 9);
  for (const { alert, expr } of rules) {
    // `up` is made by Prometheus.
    const names = expr.match(/\b(?:crude_functions|process)_\w+/g) ?? ["up"];
    for (const name of names) {
      assert.ok(name === "up" || new RegExp(`^${name}[ {]`, "m").test(metrics), `${alert}: ${name}\n${metrics}`);
    }
    for (const [, outcome] of expr.matchAll(/outcome="(\w+)"/g)) {
      assert.match(metrics, new RegExp(`^${names[0]}\\{[^}]*outcome="${outcome}"`, "m"), alert);
    }
    for (const [, label] of expr.matchAll(/by \((\w+)/g)) {
      assert.match(metrics, new RegExp(`^${names[0]}\\{[^}]*\\b${label}="counted"`, "m"), alert);
    }
  }
});

Deno.test("the page about deployment names every alarm", async () => {
  const page = await Deno.readTextFile(join(ROOT, "docs/deployment.md"));
  for (const { alert, annotations } of rules) {
    assert.ok(page.includes(`\`${alert}\``) || page.includes(`\`…${alert.slice("CrudeFunctions".length)}\``), alert);
    assert.match(annotations.summary, /\.$/);
  }
});
