import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { denoRefusal, denoWarning, MINIMUM_VERSION, PROVED_VERSIONS } from "../../src/deno_versions.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("every command by npx in the documentation and in CI pins the newest version that was proved", async () => {
  for (const page of ["README.md", "CONTRIBUTING.md", "docs/cli.md", ".ci/run", ".github/workflows/ci.yml"]) {
    const commands = (await Deno.readTextFile(ROOT + page)).match(/npx -y deno\S*/g)!;
    assert.deepEqual([...new Set(commands)], [`npx -y deno@${PROVED_VERSIONS.at(-1)}`], page);
  }
  assert.match(
    await Deno.readTextFile(ROOT + ".devcontainer/devcontainer.json"),
    new RegExp(` deno@${PROVED_VERSIONS.at(-1)} `),
  );
});

Deno.test("versions below the minimum are refused, pre-releases of it too; others that were not proved are warned of", () => {
  for (const version of ["1.46.3", "2.0.0", "2.8.10", "2.9.5", "2.9.6-rc.1"]) {
    assert.match(denoRefusal(version)!, new RegExp(`Deno ${version} is too old`));
  }
  for (const version of ["2.9.6", "2.9.7", "2.9.10", "2.10.0", "2.10.0-rc.1", "3.0.0", "2.9.6+abc"]) {
    assert.equal(denoRefusal(version), undefined, version);
    assert.equal(denoWarning(version) === undefined, PROVED_VERSIONS.includes(version), version);
  }
  assert.equal(denoWarning(PROVED_VERSIONS.at(-1)), undefined);
  assert.equal(denoRefusal(MINIMUM_VERSION), undefined);
});
