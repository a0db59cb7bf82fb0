// Starts the real server for a test with a browser, in this process.

import { startApp as start, type StartAppOptions } from "../http/app.ts";
import type { Server } from "../http/server.ts";

/** A page may have sent a request that no test waits for: the server's end waits for it. */
export function startApp(options: StartAppOptions = {}): Promise<Server> {
  return start({ ...options, drains: true });
}
