import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { CASES } from "../packages/cases.ts";
import { handlerCode, handlerName } from "../packages/package_case.ts";
import { withTable } from "../packages/table.ts";

const HANDLERS = new URL("../packages/handlers/", import.meta.url);
const PAGE = new URL("../../docs/packages.md", import.meta.url);

Deno.test("the table of packages is the one that the cases make", () => {
  const page = readFileSync(PAGE, "utf8");
  assert.equal(
    page,
    withTable(page),
    "write it with: deno task test:packages --write",
  );
});

Deno.test("every package has a handler of its own, and every handler a package", () => {
  const files = readdirSync(HANDLERS).sort();
  assert.deepEqual(CASES.map((one) => `${handlerName(one)}.ts`).sort(), files);
  assert.ok(CASES.length >= 120, `${CASES.length} packages`);
});

Deno.test("handlers import exact versions, one of each package", () => {
  const versions = new Map<string, Set<string>>();
  for (const one of CASES) {
    for (
      const [, name, version] of handlerCode(one).matchAll(
        /"npm:((?:@[^/"]+\/)?[^@/"]+)@?([^/"]*)/g,
      )
    ) {
      assert.match(
        version!,
        /^\d+\.\d+\.\d+(-[\w.]+)?$/,
        `${handlerName(one)}.ts imports ${name}`,
      );
      versions.set(name!, (versions.get(name!) ?? new Set()).add(version!));
    }
  }
  const several = [...versions].filter(([, found]) => found.size > 1).map((
    [name],
  ) => name);
  assert.deepEqual(several, []);
});

Deno.test("the short run is short and reaches the most common services", () => {
  const short = CASES.filter((one) => one.short);
  assert.equal(short.length, 25);
  const services = new Set(short.flatMap((one) => one.services ?? []));
  for (
    const service of [
      "postgres",
      "mariadb",
      "redis",
      "mosquitto",
      "smtp",
      "s3",
      "api",
    ] as const
  ) {
    assert.ok(services.has(service), service);
  }
});
