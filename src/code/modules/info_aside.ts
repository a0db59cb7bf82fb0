// Reads what `deno info --json` says without holding up the event loop, however much it is.

import { Worker } from "node:worker_threads";
import { type Modules, readInfo } from "./module_info.ts";

/** Reading a longer text takes more than some milliseconds. */
const ASIDE_LENGTH = 512 * 1024;

/** As `readInfo`; a long text is read by a thread of its own, so that it does not hold up the event loop. */
export async function readInfoAside(json: string, entry: string): Promise<Modules> {
  if (json.length < ASIDE_LENGTH) return readInfo(json, entry);
  const worker = new Worker(new URL("./info_worker.ts", import.meta.url), { workerData: { json, entry } });
  const read = Promise.withResolvers<Modules>();
  worker.once("message", read.resolve);
  worker.once("error", read.reject);
  worker.once("exit", () => read.reject(new Error("The thread that reads what a handler imports has ended.")));
  try {
    return await read.promise;
  } finally {
    await worker.terminate();
  }
}
