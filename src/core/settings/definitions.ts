// Every setting in one table: name, meaning, default, range. The API and the pages are made from it.

import { z } from "zod";
import { GROUP_NAME_PATTERN } from "../access/access.ts";

interface Definition<T> {
  readonly meaning: string;
  readonly default: T;
  readonly schema: z.ZodType<T>;
}

function define<T>(meaning: string, fallback: NoInfer<T>, schema: z.ZodType<T>): Definition<T> {
  return { meaning, default: fallback, schema };
}

function integer(meaning: string, fallback: number, min: number, max: number): Definition<number> {
  const problem = `must be a whole number from ${min} to ${max}`;
  return define(meaning, fallback, z.int(problem).min(min, problem).max(max, problem));
}

/** One host that code may be imported from: `name` or `name:port`. */
const importHost = z.string().regex(/^[a-zA-Z0-9.-]+(:\d{1,5})?$/, "must be host names, each with a port if need be");

/** Never an address or `localhost`, under which the admin pages can thus always be reached. */
const runHost = z.string().regex(
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$/,
  'must be names with a dot in them, without ports, in small letters, such as "functions.example.com"',
);

/** What Deno takes after `--deny-net`: a host, an IPv4 address or range, `[IPv6]`, each perhaps with a port. */
const denyEntry = z.string().regex(
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|(?:\d{1,3}\.){3}\d{1,3}\/(?:3[0-2]|[12]?\d)|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/,
  'must be hosts, addresses or IPv4 ranges such as "10.0.0.0/8"',
);

export const DEFINITIONS = {
  "api.access-groups": define(
    "Names of the key groups whose keys may use the API.",
    ["management"],
    z.array(z.string().regex(GROUP_NAME_PATTERN, "must be names of key groups")).min(1, "must name at least one group")
      .max(100),
  ),
  "admin.session.idle-hours": integer(
    "After how many hours without use an admin has to sign in again.",
    12,
    1,
    720,
  ),
  "admin.session.max-days": integer(
    "After how many days an admin has to sign in again, however much the session is used.",
    30,
    1,
    365,
  ),
  "encryption.key-rotation.interval-days": integer(
    "How many days after a key rotation the next one begins by itself.",
    90,
    1,
    365,
  ),
  "encryption.key-rotation.batch-size": integer(
    "How many values a key rotation re-encrypts at a time while nothing else is going on; during calls it takes a twentieth.",
    500,
    1,
    10_000,
  ),
  "encryption.key-rotation.batch-sleep-ms": integer(
    "How long a key rotation pauses between two batches, in milliseconds; at 0 it only lets waiting requests go first.",
    0,
    0,
    60_000,
  ),
  "encryption.retired-keys.keep-days": integer(
    "How many days an old encryption key is kept after the last value that needed it, so that a backup from before still opens.",
    30,
    0,
    3_650,
  ),
  "log.level": define(
    "Least serious level that the logs of functions keep: debug, info, warn or error; debug also tells when each call begins and ends.",
    "info",
    z.enum(["debug", "info", "warn", "error"], "must be debug, info, warn or error"),
  ),
  "log.batching.max-batch-size": integer(
    "How many log entries are stored at a time; so many that wait are stored at once.",
    50,
    1,
    10_000,
  ),
  "log.batching.max-delay-ms": integer(
    "How long a log entry, or a count of calls or of secrets' reads, may wait to be stored, in milliseconds: a server " +
      "that is killed loses so much.",
    50,
    1,
    60_000,
  ),
  "log.trimming.max-per-function": integer(
    "How many log entries are kept of each function; the oldest give way.",
    2_000,
    1,
    1_000_000,
  ),
  "log.trimming.retention-seconds": integer(
    "How many seconds log entries are kept.",
    7_776_000,
    60,
    315_360_000,
  ),
  "metrics.retention-days": integer(
    "How many days counts of calls, by hour and day, and of reads of secrets, by day, are kept; at 0 calls are not counted.",
    90,
    0,
    3_650,
  ),
  "run.hosts": define(
    "Host names under which there are functions alone, whose pages are then not sandboxed in browsers.",
    [],
    z.array(runHost).max(100),
  ),
  "run.body-timeout-ms": integer(
    "How long a caller may pause while it sends the body of a request, in milliseconds; then the call gets 408. It does not count against the function's time limit.",
    60_000,
    100,
    3_600_000,
  ),
  "sandbox.timeout-ms": integer(
    "How long a call may take until its response begins, and how long it may then pause, in milliseconds.",
    30_000,
    100,
    3_600_000,
  ),
  "sandbox.max-call-ms": integer(
    "How long a call may take in all, streamed responses included, in milliseconds.",
    3_600_000,
    1_000,
    86_400_000,
  ),
  "sandbox.revocation-grace-ms": integer(
    "How long calls under way may go on after their function was deleted, disabled or narrowed, or their API key " +
      "revoked, in milliseconds. They get no more secrets meanwhile. Checked every half second.",
    4_000,
    0,
    600_000,
  ),
  "sandbox.memory-mb": integer(
    "How much memory a function's values may take in its process, in MB; a process that needs more ends.",
    128,
    32,
    4_096,
  ),
  "sandbox.net.deny": define(
    "Hosts and IP ranges that no function may connect to, whatever its permissions say.",
    [],
    z.array(denyEntry).max(1_000),
  ),
  "sandbox.max-processes": integer(
    "How many sandbox processes may live at once; the least recently used ends first.",
    64,
    1,
    1_024,
  ),
  "sandbox.max-processes-per-function": integer(
    "How many sandbox processes a function may have while its calls keep them all busy, at most one for each processor; calls of one key with isolation per-key count as a function of their own.",
    4,
    1,
    64,
  ),
  "sandbox.spare-processes": integer(
    "How many sandbox processes are kept ready for functions that have none; they make room for those that are needed.",
    2,
    0,
    16,
  ),
  "sandbox.idle-seconds": integer(
    "After how many seconds without a call a function's sandbox process ends; its next call starts another.",
    600,
    1,
    604_800,
  ),
  "sandbox.load-check-ms": integer(
    "How long a module may take to load when it is checked, as it is saved, in milliseconds.",
    10_000,
    100,
    120_000,
  ),
  "sandbox.max-calls": integer(
    "How many calls of one function may be under way at once; more are answered with 503.",
    2_000,
    1,
    100_000,
  ),
  "sandbox.calls-memory-mb": integer(
    "How much of the server's own memory the calls under way may hold in all, in MB; those of one function half of it. A call that would need more gets 503, or its response is broken off.",
    1_024,
    16,
    65_536,
  ),
  "sandbox.import-hosts": define(
    "Hosts that handlers may import modules from by https: and http: addresses, beside npm: and jsr:.",
    // Deno's own default list, https://docs.deno.com/runtime/fundamentals/security/#importing-from-the-web
    [
      "deno.land:443",
      "jsr.io:443",
      "esm.sh:443",
      "raw.esm.sh:443",
      "cdn.jsdelivr.net:443",
      "raw.githubusercontent.com:443",
      "gist.githubusercontent.com:443",
    ],
    z.array(importHost).max(100),
  ),
};

export type SettingName = keyof typeof DEFINITIONS;
export type SettingValue<N extends SettingName> = (typeof DEFINITIONS)[N]["default"];
export type SettingValues = { readonly [N in SettingName]: SettingValue<N> };
export const SETTING_NAMES = Object.keys(DEFINITIONS) as SettingName[];
