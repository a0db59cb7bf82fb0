// A project of 200 files: one that changed goes live by a deployment, against a single PUT of the file; and what a
// deployment sends if nothing changed.

import assert from "node:assert/strict";
import { sha256Of } from "../../src/sha256.ts";
import { startApp } from "../http/app.ts";
import { on, post, saying } from "../http/deploying.ts";
import { compare, report, timeOf } from "./ratios.ts";

const FILES = 200;
const ROUNDS = 15;
const CEILING = 2;

/** Prints the ratios; returns what is above its ceiling. */
export async function benchDeployments(): Promise<string[]> {
  await using server = await startApp();
  const files: Record<string, string> = {};
  for (let n = 0; n < FILES; n++) files[`f${n}.ts`] = saying(`${n}`);
  const functions = Object.fromEntries(Object.keys(files).map((path, n) => [`f${n}`, on(`/f${n}`, path)]));
  assert.equal((await post(server, { files, functions })).status, 201);

  const hashes = () => Object.fromEntries(Object.entries(files).map(([path, text]) => [path, sha256Of(text)]));
  const answers = async (word: string) => {
    const { body } = await server.api("GET", "/run/f0");
    assert.equal(body, word);
  };
  let n = 0;
  /** As the command line deploys: the missing content, and then all hashes. */
  const deployment = async () => {
    const word = `deployed ${++n}`;
    files["f0.ts"] = saying(word);
    const sha256 = sha256Of(files["f0.ts"]);
    await server.api("PUT", `/api/blobs/${sha256}`, files["f0.ts"], { "Content-Type": "text/plain" });
    const { status } = await server.api("POST", "/api/deployments", { files: hashes() });
    assert.equal(status, 201);
    await answers(word);
  };
  const single = async () => {
    const word = `saved ${++n}`;
    files["f0.ts"] = saying(word);
    await server.api("PUT", "/api/files/f0.ts", files["f0.ts"], { "Content-Type": "text/plain" });
    await answers(word);
  };
  console.log(`\na project of ${FILES} files and functions`);
  const live = await compare(ROUNDS, () => timeOf(deployment), () => timeOf(single));
  const missed = report("one changed file goes live, against a PUT", live, CEILING);
  const nothing = await compare(
    ROUNDS,
    () => timeOf(() => server.api("POST", "/api/deployments", { files: hashes(), functions })),
    () => timeOf(single),
  );
  report("a deployment without a change, against a PUT", nothing);
  console.log(`  sent without a change: 1 request of ${JSON.stringify({ files: hashes(), functions }).length} bytes`);
  return missed;
}
