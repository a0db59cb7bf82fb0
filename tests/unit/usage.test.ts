// What processes use, read by a shell, as Deno does not open /proc to a program with some permissions only.

import assert from "node:assert/strict";
import { openUsageReader, parseUsage } from "../../src/sandbox/process/proc_stats.ts";

/** A process that takes `mb` of memory and then computes without end. */
function busy(mb: number): Deno.ChildProcess {
  const code = `globalThis.kept = new Uint8Array(${mb << 20}).fill(1); console.log("x"); for (;;);`;
  return new Deno.Command(Deno.execPath(), { args: ["eval", code], stdout: "piped" }).spawn();
}

async function ended(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await Promise.all([child.stdout.cancel(), child.status]);
}

Deno.test({
  name: "memory and processor time of each process are told by its id, those of one that is gone are not",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const reader = openUsageReader();
    const [large, small] = [busy(200), busy(1)];
    for (const child of [large, small]) {
      const output = child.stdout.getReader();
      await output.read();
      output.releaseLock();
    }
    const pids = [large.pid, 999_999_999, small.pid];
    const [first, missing, second] = await Promise.all(pids.map((pid) => reader.of(pid)));
    assert.equal(missing, undefined);
    const difference = first!.memoryMb - second!.memoryMb;
    assert.ok(difference > 150 && difference < 250, `${difference} MB`);
    let later = await reader.of(large.pid);
    while (later!.cpuMs < first!.cpuMs + 50) later = await reader.of(large.pid);
    await Promise.all([ended(large), ended(small)]);
    assert.equal(await reader.of(large.pid), undefined);
    await reader.close();
    assert.equal(await reader.of(Deno.pid), undefined);
  },
});

Deno.test("a process's name hides nothing, whatever it is", () => {
  const times = "S 1 2 3 4 5 6 7 8 9 10 200 100 0 0";
  for (const name of ["deno", "a b", ") S 1 1", "x) (y", "S 9 9 9 9 9 9 9 9 9 9 9 9"]) {
    const usage = parseUsage(`4096 50000 30000 4400 1 0 9 0  7 (${name}) ${times}`);
    assert.deepEqual(usage, { memoryMb: 100, cpuMs: 3_000 }, name);
  }
  for (const line of [undefined, "", "4096  ", "4096 1 2 3 4 5 6 7 ", "4096  7 (deno) S 1 2"]) {
    assert.equal(parseUsage(line), undefined, line);
  }
});
