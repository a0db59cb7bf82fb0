// Starts the real server for a test, in this process: folders and a port of its own, real HTTP.

import { join } from "node:path";
import { createApp } from "../../src/app.ts";
import { readConfig } from "../../src/config.ts";
import { FolderInUseError } from "../../src/store/data_folder.ts";
import { clientOf, environment, Printed, ROOT, type Server, type ServerOptions } from "./server.ts";

const LOCKS_END_MS = 20_000;

/**
 * Tries again for a moment: a process that another test was starting when the folder's last server ended has that
 * server's descriptor, and with it the lock, from fork(2) to exec(2).
 */
async function inheritedLocksEnd<T>(create: () => Promise<T>): Promise<T> {
  const end = performance.now() + LOCKS_END_MS;
  while (true) {
    try {
      return await create();
    } catch (error) {
      if (!(error instanceof FolderInUseError) || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

export interface StartAppOptions extends Omit<ServerOptions, "prepare"> {
  /** Whether it loads saved code to check it, in a process for each module; only tests of what is found need that. */
  checksLoads?: boolean;
  /** Whether it starts processes before a function needs one, as it does outside of tests; most tests use none of them. */
  startsSpares?: boolean;
  /** Whether its end waits for running requests, such as those that a browser sends without being asked. */
  drains?: boolean;
  /** The clock of the server. */
  now?: () => number;
}

/**
 * A server that listens, in this process: it starts in a third of the time. Written `await using`, it is stopped and
 * its folders are removed at the end of the test.
 */
export async function startApp(
  { env = {}, folder, drains = false, ...options }: StartAppOptions = {},
): Promise<Server> {
  const home = folder ?? await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  const dataDir = join(home, "data");
  const codeDir = join(home, "code");
  const variables: Record<string, string> = { ...environment(dataDir, codeDir), ...env };
  const config = readConfig((name) => variables[name] ?? Deno.env.get(name), ROOT);
  const printed = new Printed();
  const removeHome = async () => {
    if (folder === undefined) await Deno.remove(home, { recursive: true });
  };
  const print = (line: string) => printed.add(`${line}\n`);
  const create = () => createApp(config, { print, checksLoads: false, startsSpares: false, ...options });
  const app = await create().catch(async (error) => {
    if (folder !== undefined && error instanceof FolderInUseError) return await inheritedLocksEnd(create);
    await removeHome();
    throw error;
  });
  let stopped: PromiseLike<void> | undefined;
  const stop = async (): Promise<number> => {
    await (stopped ??= app.drain().then(() => app[Symbol.asyncDispose]()));
    return 0;
  };
  return {
    ...clientOf(app.url, printed),
    pid: Deno.pid,
    dataDir,
    codeDir,
    stop,
    async [Symbol.asyncDispose]() {
      // Otherwise without waiting for requests, which some tests leave unanswered.
      if (drains) await stop();
      else await (stopped ??= app[Symbol.asyncDispose]());
      await removeHome();
    },
  };
}
