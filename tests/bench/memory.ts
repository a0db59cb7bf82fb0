// Memory of an idle server and of sandboxes that have answered once.

import { deploy, run } from "../http/handlers.ts";
import { startServer } from "../http/server.ts";
import { printMemory } from "./calls.ts";

const SANDBOXES = 10;

export async function benchMemory(): Promise<void> {
  await using server = await startServer();
  for (let n = 0; n < SANDBOXES; n++) {
    await deploy(server, `f${n}`, "export default (c) => c.text('hello')");
    await run(server, `/f${n}`);
  }
  console.log(`\n== idle, with ${SANDBOXES} functions that were called once`);
  printMemory(server);
}
