// Rotates over the store and key file of a folder, and ends itself with SIGKILL at the durable step whose number
// is given. Steps are counted around the parts that rotation is given, so that the program knows nothing of this:
// before and after each replacement of the key file, and before and after each commit.
// Ends with 0 if there are fewer steps. Arguments: folder, step, batch size.

import { join } from "node:path";
import { OPERATOR } from "../../src/actor.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { Rotation } from "../../src/core/encryption/rotation.ts";
import { openStore } from "../../src/store/store.ts";

const DAY_MS = 86_400_000;

const [folder, dieAt, batchSize] = Deno.args;
let step = 0;
const passed = (what: string): void => {
  if (++step !== Number(dieAt)) return;
  console.log(what);
  Deno.kill(Deno.pid, "SIGKILL");
  // The signal is for another thread to deliver; nothing more may happen here.
  for (;;);
};

const keyFile = openKeyFile(join(folder!, "encryption-keys.json"), true, new Date());
const store = openStore(join(folder!, "database.db"), keyFile);
for (const change of ["addKey", "dropKeys"] as const) {
  const original = keyFile[change].bind(keyFile) as (...args: unknown[]) => number;
  Object.assign(keyFile, {
    [change](...args: unknown[]): number {
      passed(`before ${change}`);
      const result = original(...args);
      passed(`after ${change}`);
      return result;
    },
  });
}
const watch = <T>(work: () => T) => (): T => {
  const result = work();
  passed("before a commit");
  return result;
};
const watched = {
  ...store,
  commit: <T, R = T>(work: () => T, applied?: (result: T) => R): Promise<R> =>
    store.commit(watch(work), (result) => {
      passed("after a commit");
      return applied ? applied(result) : result as unknown as R;
    }),
  async commitWithoutSync<T>(work: () => T): Promise<T> {
    const result = await store.commitWithoutSync(watch(work));
    passed("after a commit");
    return result;
  },
};

const clock = { now: Date.now() };
const rotation = new Rotation({
  store: watched,
  keyFile,
  settings: { intervalDays: () => 365, batchSize: () => Number(batchSize), batchSleepMs: () => 0, keepDays: () => 30 },
  busy: () => false,
  now: () => clock.now,
  report: () => {},
  record: () => {},
});
await rotation.rotate(OPERATOR);
// The old key's days are over: it is dropped.
clock.now += 31 * DAY_MS;
await rotation.check();
await rotation.stop();
store.close();
