// The files that a call enters in the server, as V8 counts them, and the lists of them in docs/architecture.md.

import assert from "node:assert/strict";
import { type Profiler, Session } from "node:inspector/promises";
import { ROOT } from "../source_files.ts";
import { createGroup, createKey, createSecret, deploy } from "./handlers.ts";
import { startApp } from "./app.ts";
import { call } from "./server.ts";

/** Calls in a row after which a function's questions are answered before they are asked, and some more. */
const WARM_UP_CALLS = 8;
/** Timers run now and then during a call: only what each of some calls enters is the call's. */
const MEASURED_CALLS = 4;
/** Reads what processes have reported, at its own pace: on a busy machine that can be during each of the calls. */
const BACKGROUND = ["src/sandbox/process/permission_audit.ts"];

const page = await Deno.readTextFile(`${ROOT}docs/architecture.md`);

/** The files of `src` that a section names. */
function listed(heading: string): string[] {
  const section = page.split(/^##+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? assert.fail(heading);
  return [...new Set([...section.matchAll(/`(src\/[\w./]+\.tsx?)`/g)].map(([, path]) => path!))].sort();
}

/** Returns the files of `src` of which each of the measured runs of `work` has run a function. */
async function entered(session: Session, prepare: () => Promise<unknown>, work: () => Promise<unknown>) {
  const take = async () =>
    (await session.post("Profiler.takePreciseCoverage") as Profiler.TakePreciseCoverageReturnType).result;
  const prefix = new URL("../../", import.meta.url).href;
  let common: string[] | undefined;
  for (let n = 0; n < MEASURED_CALLS; n++) {
    await prepare();
    await take();
    await work();
    const files = (await take())
      .filter(({ url, functions }) =>
        url.startsWith(`${prefix}src/`) && functions.some(({ ranges }) => ranges[0]!.count > 0)
      )
      .map(({ url }) => url.slice(prefix.length))
      .filter((path) => !BACKGROUND.includes(path));
    common = common?.filter((path) => files.includes(path)) ?? files;
  }
  return common!.sort();
}

Deno.test("a call enters the files that docs/architecture.md lists, and no others", async () => {
  await using server = await startApp();
  // Otherwise what earlier calls left to write would be written during each measured call on a busy machine.
  const later = await server.api("PUT", "/api/settings", { settings: { "log.batching.max-delay-ms": 60_000 } });
  assert.equal(later.status, 200);
  const group = await createGroup(server, "customers");
  const key = await createKey(server, group, "acme");
  const secret = await createSecret(server, "TOKEN", "a value that is not short");
  const code = `export default async (c, ctx) => c.json({ has: (await ctx.getSecret("TOKEN")) !== undefined });`;
  await deploy(server, "orders", code, { route: "/orders/:id", keys: [group] });
  const once = async () => {
    const answer = await call("GET", `${server.url}/run/orders/7`, undefined, { "X-API-Key": key.value });
    assert.deepEqual([answer.status, answer.body], [200, { has: true }]);
  };

  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    const warmUp = async () => {
      for (let n = 0; n < WARM_UP_CALLS; n++) await once();
    };
    const way = listed("From the socket to the handler and back");
    const repeated = [...way, ...listed("What else is entered")].sort();
    assert.deepEqual(await entered(session, warmUp, once), repeated, "a repeated call");
    assert.ok(repeated.length < 30, `${repeated.length} files`);
    assert.ok(page.includes(`\n${way.length} files of \`src\` decide or carry.`), `${way.length}`);
    assert.ok(page.includes(`\n${repeated.length - way.length} more files,`), `${repeated.length - way.length}`);

    let changes = 0;
    const changed = async () => {
      await warmUp();
      const answer = await server.api("PUT", `/api/secrets/${secret}`, { value: `another value, number ${changes++}` });
      assert.equal(answer.status, 200);
    };
    const more = listed("A secret that is not remembered");
    assert.deepEqual(await entered(session, changed, once), [...repeated, ...more].sort(), "a call after a change");
    assert.ok(page.includes(`enters ${more.length} more:`), `${more.length}`);
  } finally {
    session.disconnect();
  }
});
