// What it costs to send a sealed secret: calls that fetch with one, and calls that make the same request from the
// sandbox with a plain one, by turns in one run.

import { createSecret, deploy } from "../http/handlers.ts";
import { startServer } from "../http/server.ts";
import { median } from "./ratios.ts";

/** Few calls in each of many rounds, so that what else the machine does meanwhile slows down both alike. */
const CALLS = 50;
const ROUNDS = 60;
/** Rounds before the first one that counts, until the engines have compiled what they repeat. */
const WARM_UP = 20;
const CEILING = 1.5;
const HOST_MS = [0, 5];

const HOST = `const answers = [0, ${HOST_MS[1]}];
Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log(port) }, async (request) => {
  const ms = Number(new URL(request.url).searchParams.get("ms"));
  if (ms > 0) await new Promise((done) => setTimeout(done, ms));
  return Response.json({ object: "balance", available: [{ amount: 1_000, currency: "eur" }] });
});`;

/** Prints the ratios; returns those that are above the ceiling. */
export async function benchSealed(): Promise<string[]> {
  const host = new Deno.Command(Deno.execPath(), {
    args: ["eval", HOST],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  try {
    const reader = host.stdout.getReader();
    const port = parseInt(new TextDecoder().decode((await reader.read()).value));
    reader.releaseLock();
    return await measure(port);
  } finally {
    host.kill("SIGKILL");
    await host.status;
    await host.stdout.cancel();
  }
}

async function measure(port: number): Promise<string[]> {
  await using server = await startServer();
  const url = `http://127.0.0.1:${port}`;
  await createSecret(server, "PLAIN", "sk_live_0123456789abcdefghij");
  await server.api("POST", "/api/secrets", {
    name: "SEALED",
    value: "sk_live_0123456789abcdefghij",
    scope: "global",
    sealed: true,
    hosts: [url],
  });
  const permissions = { net: [`127.0.0.1:${port}`] };
  for (const name of ["PLAIN", "SEALED"]) {
    const code = `export default async (c, ctx) => {
      const authorization = "Bearer " + await ctx.getSecret("${name}");
      const answer = await fetch("${url}/?ms=" + c.req.query("ms"), { headers: { authorization } });
      return c.json((await answer.json()).available[0]);
    }`;
    await deploy(server, name.toLowerCase(), code, { permissions });
  }
  const missed: string[] = [];
  for (const ms of HOST_MS) {
    const of = (name: string) => () => timesOf(`${server.url}/run/${name}?ms=${ms}`);
    const [sealed, plain] = [of("sealed"), of("plain")];
    for (let n = 0; n < WARM_UP; n++) await plain(), await sealed();
    const rounds: { sealed: number[]; plain: number[] }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const first = round % 2 === 0 ? await plain() : undefined;
      const between = await sealed();
      rounds.push({ sealed: between, plain: first ?? await plain() });
    }
    const p50 = (kind: "sealed" | "plain") => median(rounds.flatMap((round) => round[kind]));
    const ratio = p50("sealed") / p50("plain");
    const ofRounds = median(rounds.map(({ sealed, plain }) => median(sealed) / median(plain)));
    console.log(
      `\nsealed: a call whose fetch carries a sealed secret, against one with a plain secret; the host takes ${ms} ms\n` +
        `  p50 ${p50("sealed").toFixed(3)} ms, plain ${p50("plain").toFixed(3)} ms, ratio ${ratio.toFixed(2)}, ` +
        `median of the rounds' ratios ${ofRounds.toFixed(2)}, ceiling ${CEILING}`,
    );
    if (ofRounds > CEILING) missed.push(`sealed, host ${ms} ms: ${ofRounds.toFixed(2)} > ${CEILING}`);
  }
  return missed;
}

/** The times of calls, one after the other. */
async function timesOf(url: string): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < CALLS; n++) {
    const began = performance.now();
    const response = await fetch(url);
    await response.text();
    if (response.status !== 200) throw new Error(`${url}: ${response.status}`);
    times.push(performance.now() - began);
  }
  return times;
}
