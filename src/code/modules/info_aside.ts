// Parses the output of `deno info --json` of any size without blocking the event loop.

import { Worker } from "node:worker_threads";
import { type Modules, readInfo } from "./module_info.ts";

/** Parsing a longer text takes more than a few milliseconds. */
const ASIDE_LENGTH = 512 * 1024;

/** Does the same as `readInfo`, but in a separate thread if the text is long. */
export async function readInfoAside(json: string, entry: string): Promise<Modules> {
  if (json.length < ASIDE_LENGTH) return readInfo(json, entry);
  const worker = new Worker(new URL("./info_worker.ts", import.meta.url), { workerData: { json, entry } });
  const read = Promise.withResolvers<Modules>();
  worker.once("message", read.resolve);
  worker.once("error", read.reject);
  worker.once("exit", () => read.reject(new Error("The thread that parses a handler's imports has ended.")));
  try {
    return await read.promise;
  } finally {
    await worker.terminate();
  }
}
