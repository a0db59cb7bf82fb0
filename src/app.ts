// Assembles the server: opens its parts, connects them, listens, and closes them in reverse order.

import { openAnnouncements } from "./app/announcements.ts";
import { openCode } from "./app/code.ts";
import { openData } from "./app/data.ts";
import { openDomain } from "./app/domain.ts";
import { openFunctions } from "./app/functions.ts";
import type { Development, Host } from "./app/host.ts";
import { listen } from "./app/listen.ts";
import type { Parts } from "./app/parts.ts";
import { openSandboxes } from "./app/sandboxes.ts";
import { openTelemetry } from "./app/telemetry.ts";
import type { Config } from "./config.ts";
import { hasLinearEngine } from "./core/functions/route_patterns.ts";
import { denoWarning } from "./deno_versions.ts";
import { Endpoint } from "./http/endpoint.ts";
import { sandboxWarnings } from "./sandbox/process/toolchain.ts";
import { createLog } from "./telemetry/log.ts";

/** What the process that runs an app provides. */
export interface AppOptions {
  /** Prints a line of the server's own log, or a message at its start; to standard output by default. */
  readonly print?: (line: string) => void;
  /** Milliseconds since 1970 UTC. */
  readonly now?: () => number;
  /** Sentences about what this process lacks, shown together with the app's own warnings. */
  readonly warnings?: readonly string[];
  /**
   * Whether saved and deployed code is loaded once to check it, which it is by default. A program that opens many apps
   * for a moment each saves a process for each module.
   */
  readonly checksLoads?: boolean;
  /** Whether processes are started before a function needs one, which they are by default, as the settings say. */
  readonly startsSpares?: boolean;
  readonly development?: Development;
}

/** A server that listens. Disposing of it closes everything without waiting for requests: call `drain` first. */
export interface App extends AsyncDisposable {
  /** A URL by which it can be reached on this machine. */
  readonly url: string;
  /** Rejects with an AppError if the listener is lost, or if this node of a cluster has to be started again. */
  readonly lost: Promise<never>;
  /** Answers new requests with 503 and waits at most ten seconds for the running ones. */
  drain(): Promise<void>;
}

/**
 * Opens the data and code folders of `config` and listens.
 * @throws ConfigError, DataFolderError, KeyFileError, AppError for problems that the operator has to fix; nothing
 *   stays open
 */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const { print = (line) => console.log(line), now = Date.now, warnings = [], development } = options;
  const { checksLoads = true, startsSpares = true } = options;
  const host: Host = {
    config,
    log: createLog(print, () => new Date(now())),
    print,
    now,
    startedAt: now(),
    checksLoads,
    startsSpares,
    development,
  };
  await using opened = new AsyncDisposableStack();
  const endpoint = new Endpoint();
  const parts = await openParts(opened, host, endpoint);
  const allWarnings = warningsOf(parts, warnings);
  for (const sentence of allWarnings) host.log("warn", sentence);
  const { server, drain } = listen(opened, host, parts, endpoint, allWarnings);
  await parts.cluster?.start(server.port);
  print(`Listening on ${endpoint.url}`);
  printSetup(host, parts, server.url);
  const lost = Promise.race([server.lost, ...(parts.cluster ? [parts.cluster.lost] : [])]);
  lost.catch(() => {});
  const closed = opened.move();
  return { url: server.url, lost, drain, [Symbol.asyncDispose]: () => closed.disposeAsync() };
}

/** Opens each part with those that it uses. */
async function openParts(opened: AsyncDisposableStack, host: Host, endpoint: Endpoint): Promise<Parts> {
  const data = await openData(opened, host, endpoint);
  const domain = await openDomain(opened, host, data);
  const code = await openCode(opened, host, data, domain);
  const telemetry = openTelemetry(opened, host, data, domain);
  const parts = { ...data, ...domain, ...code, ...telemetry };
  const sandboxes = await openSandboxes(opened, host, parts, endpoint);
  const before = { ...parts, ...sandboxes };
  return { ...before, ...openFunctions(opened, host, before), ...openAnnouncements(opened, host, before) };
}

/** Returns what this machine or this process lacks, as sentences. */
function warningsOf({ runtime }: Parts, ofProcess: readonly string[]): string[] {
  const slow = hasLinearEngine
    ? undefined
    : "Route patterns can block the server because V8's linear engine is off. Start it with `deno task start`.";
  return [...sandboxWarnings(runtime), ...ofProcess, denoWarning(), slow].filter((sentence) => sentence !== undefined);
}

/** Prints how a new server gets its first user. */
function printSetup({ print }: Host, { admins, access, settings }: Parts, url: string): void {
  const token = admins.accounts.openSetup();
  if (token === undefined) return;
  print(`Create the first user: ${url}/web/setup?token=${token}`);
  if (access.hasKeyIn(settings.get("api.access-groups"))) return;
  print("Or set BOOTSTRAP_API_KEY to at least 32 characters and restart, to manage it only through the API.");
}
