// The lock files: what is installed is what the configuration names, and nothing else.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Folders with a configuration and a lock of their own. */
const FOLDERS = ["", "tests/", "tests/packages/", "editor/", "git/", "icons/"];

interface Lock {
  readonly specifiers: Record<string, string>;
  readonly npm: Record<string, unknown>;
}

const lockOf = (folder: string): Lock => JSON.parse(Deno.readTextFileSync(`${ROOT}${folder}deno.lock`));

for (const folder of FOLDERS) {
  const path = `${folder}deno.lock`;
  Deno.test(`${path} holds what ${folder}deno.json names, and what that depends on`, () => {
    const { specifiers, npm } = lockOf(folder);
    const text = Deno.readTextFileSync(`${ROOT}${folder}deno.json`);
    const named = Object.values<string>(JSON.parse(text).imports ?? {});
    assert.deepEqual(
      named.filter((specifier) => specifier.startsWith("npm:") && specifiers[specifier] === undefined),
      [],
    );
    if (folder === "" || folder === "tests/") {
      assert.deepEqual(Object.keys(specifiers).filter((specifier) => !named.includes(specifier)), []);
    }
    assert.deepEqual(Object.keys(specifiers).filter((specifier) => !/@\d+\.\d+\.\d+[^@]*$/.test(specifier)), []);
    assert.ok(Object.keys(npm).length >= named.length);
  });

  Deno.test(`no package that ${path} installs reports home`, () => {
    const { npm } = lockOf(folder);
    assert.deepEqual(Object.keys(npm).filter((name) => /scarf|swagger-ui/.test(name)), []);
  });
}
