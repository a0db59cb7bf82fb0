// Runs in a thread that parses the output of `deno info` for one handler, and ends.

import { parentPort, workerData } from "node:worker_threads";
import { readInfo } from "./module_info.ts";

const { json, entry } = workerData as { json: string; entry: string };
parentPort!.postMessage(readInfo(json, entry));
