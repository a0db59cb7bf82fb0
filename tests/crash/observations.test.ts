// A server that is killed under load: what was answered more than `log.batching.max-delay-ms` before, and the time
// of a write, is in the logs, the metrics and the counts of reads.

import assert from "node:assert/strict";
import { makeHome } from "../cli/cli.ts";
import { createSecret, deploy, run } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { kept } from "../http/tail.ts";

const ROUNDS = 3;
/** A function's log takes a thousand lines a second, so the load is shared by several. */
const FUNCTIONS = 6;
const CALLS = 400;
const MAX_DELAY_MS = 50;
/** Of a write on a busy machine, and of what waits before it in the event loop. */
const WRITE_MS = 300;

const CODE = `export default async (c, ctx) => {
  await ctx.getSecret("TOKEN");
  console.log("call " + ctx.query.n);
  return c.text("");
}`;

interface Answered {
  readonly n: number;
  readonly at: number;
}

/** Calls one after the other until the server is gone; all that were answered. */
async function callOn(
  server: Server,
  name: string,
  onAnswer: () => void,
): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (let n = 0;; n++) {
    try {
      assert.equal((await run(server, `/${name}?n=${n}`)).status, 200);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return answered;
    }
    answered.push({ n, at: performance.now() });
    onAnswer();
  }
}

Deno.test("killed under load, a server loses no more than the last max-delay-ms of logs, metrics and reads", async () => {
  await using home = makeHome();
  const ids: number[] = [];
  let secret = 0;
  /** What is kept from the rounds before, by function. */
  const calls: number[] = [];
  const reads: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const answered: Answered[][] = [];
    let killedAt = 0;
    {
      await using server = await home.startProcess();
      if (round === 0) {
        secret = await createSecret(server, "TOKEN", "a-value-of-a-token");
        for (let f = 0; f < FUNCTIONS; f++) {
          ids.push(await deploy(server, `f${f}`, CODE));
        }
      }
      for (const id of ids) await server.api("DELETE", `/api/logs/${id}`);
      const answeredAt: number[] = [];
      const enough = Promise.withResolvers<void>();
      // A part of them so long ago that they have been stored.
      const onAnswer = () => {
        const now = answeredAt[answeredAt.push(performance.now()) - 1]!;
        if (answeredAt.length >= CALLS && answeredAt[CALLS / 4]! < now - MAX_DELAY_MS - WRITE_MS) enough.resolve();
      };
      const clients = ids.map((_, f) => callOn(server, `f${f}`, onAnswer));
      await enough.promise;
      killedAt = performance.now();
      Deno.kill(server.pid, "SIGKILL");
      answered.push(...await Promise.all(clients));
    }
    await using server = await home.start();
    const safe = answered.map((some) => some.filter(({ at }) => at < killedAt - MAX_DELAY_MS - WRITE_MS));
    assert.ok(
      safe.flat().length > CALLS / 4,
      `${safe.flat().length} calls in round ${round}`,
    );
    for (const [f, id] of ids.entries()) {
      const printed = new Set(
        (await kept(server, `?functionId=${id}&limit=1000`)).map((
          { message },
        ) => message),
      );
      // The newest thousand of a page hold all that came after the oldest of them.
      const missing = safe[f]!.slice(-500).filter(({ n }) => !printed.has(`call ${n}`));
      assert.deepEqual(missing, [], `round ${round}, killed at ${killedAt}`);
      const { body } = await server.api(
        "GET",
        `/api/metrics?resolution=days&functionId=${id}`,
      );
      const counted = body.points.at(-1).calls;
      assert.ok(
        counted >= (calls[f] ?? 0) + safe[f]!.length,
        `round ${round}: ${counted} calls, ${safe[f]!.length} safe`,
      );
      assert.ok(
        counted <= (calls[f] ?? 0) + answered[f]!.length + 1,
        `round ${round}: ${counted} calls counted`,
      );
      calls[f] = counted;
    }
    const counts = (await server.api("GET", `/api/secrets/${secret}/reads?limit=1000`)).body
      .reads;
    for (const [f, id] of ids.entries()) {
      const counted = counts.filter(({ functionId }: { functionId: number }) => functionId === id)
        .reduce((sum: number, { count }: { count: number }) => sum + count, 0);
      assert.ok(
        counted >= (reads[f] ?? 0) + safe[f]!.length,
        `round ${round}: ${counted} reads`,
      );
      assert.ok(
        counted <= (reads[f] ?? 0) + answered[f]!.length + 1,
        `round ${round}: ${counted} reads`,
      );
      reads[f] = counted;
    }
  }
});
