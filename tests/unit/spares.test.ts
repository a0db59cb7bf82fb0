// Processes that are started ahead: one that is being ended is given to nobody.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Profile } from "../../src/sandbox/process/process.ts";
import { prepareRuntime } from "../../src/sandbox/process/toolchain.ts";
import { Spares } from "../../src/sandbox/host/spares.ts";
import { openUsageReader } from "../../src/sandbox/process/proc_stats.ts";

const runtime = await prepareRuntime(fileURLToPath(new URL("../../", import.meta.url)));

const withMemory = (memoryMb: number): Profile => ({
  lock: undefined,
  config: undefined,
  packages: [],
  packageFiles: [],
  importHosts: [],
  net: false,
  memoryMb,
});

Deno.test("a process that makes way for another kind, or for a function, is given to no call any more", async () => {
  const runDir = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chmod(runDir, 0o711);
  const usage = openUsageReader();
  let ended = Promise.withResolvers<void>();
  const spares = new Spares({
    process: {
      runDir,
      codeDir: runDir,
      runtime,
      usage,
      ownAddresses: () => [],
      nodeAddresses: () => [],
      databaseAddresses: () => [],
      machineHosts: () => [],
      denyNet: () => [],
    },
    count: () => 2,
    room: () => 64,
    onEnd: () => ended.resolve(),
  });
  const [small, large] = [withMemory(64), withMemory(128)];
  const filled = async (profile: Profile): Promise<void> => {
    spares.prepare(profile, 0);
    while (!spares.has(profile)) await new Promise((resolve) => setTimeout(resolve));
  };
  try {
    await filled(small);
    assert.equal(spares.size, 2);

    await filled(large);
    // Those of the other kind still live: they were killed in this turn.
    assert.equal(spares.size, 4);
    assert.equal(spares.has(small), false);
    while (spares.size > 2) {
      await ended.promise;
      ended = Promise.withResolvers();
    }

    assert.equal(spares.drop(), true);
    // One is enough at a time, whoever asks for more.
    assert.equal(spares.drop(), true);
    assert.equal(spares.has(large), true);
    await ended.promise;
    assert.equal(spares.size, 1);
  } finally {
    await spares.stop();
    await usage.close();
    await Deno.remove(runDir, { recursive: true });
  }
});
