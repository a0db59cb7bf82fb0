// Whether the time of a refused sign-in tells that an e-mail address is somebody's.

import { ADMIN, setUp, Visitor } from "../http/admin.ts";
import { startServer } from "../http/server.ts";

/** Fewer than all addresses together may try before the account has to wait. */
const ATTEMPTS = 40;
/** What noise may do to a ratio of two medians on a machine that does other things, too. */
const RATIO_MAX = 1.25;

/** What missed its floor. */
export async function benchSignIn(): Promise<string[]> {
  await using server = await startServer({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  await setUp(server);
  const times: Record<string, number[]> = { [ADMIN.email]: [], "eve@example.com": [] };
  const both = Object.entries(times);
  for (let n = 0; n < ATTEMPTS; n++) {
    // The first from an address is written to the audit and the next is only counted, so each goes first in turn.
    for (const [email, list] of n % 2 === 0 ? both : both.toReversed()) {
      const visitor = new Visitor(server.url, { "X-Forwarded-For": `198.51.100.${n}` });
      const start = performance.now();
      const { status } = await visitor.signIn("a password that is wrong", email);
      list.push(performance.now() - start);
      if (status !== 401) throw new Error(`attempt ${n} was answered with ${status}`);
    }
  }
  const [known, unknown] = Object.values(times).map(median) as [number, number];
  const ratio = known / unknown;
  console.log(`\n== refused sign-ins, median of ${ATTEMPTS}`);
  console.log(`somebody's address ${known.toFixed(1)} ms, nobody's ${unknown.toFixed(1)} ms: ${ratio.toFixed(3)}`);
  return ratio > RATIO_MAX || ratio < 1 / RATIO_MAX ? [`sign-in times differ by ${ratio.toFixed(2)}`] : [];
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
