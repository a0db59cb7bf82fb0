// Defines every setting in one table: name, meaning, default, range. The API and the pages are generated from it.

import { z } from "zod";
import { GROUP_NAME_PATTERN } from "../access/access.ts";

interface Definition<T> {
  /** Name for people; the pages show it with the setting's own name. */
  readonly title: string;
  /** Whether few people ever change it; the pages fold these. */
  readonly isAdvanced: boolean;
  readonly meaning: string;
  readonly default: T;
  readonly schema: z.ZodType<T>;
}

type Title = string | { readonly advanced: string };

function define<T>(title: Title, meaning: string, fallback: NoInfer<T>, schema: z.ZodType<T>): Definition<T> {
  const isAdvanced = typeof title !== "string";
  return { title: isAdvanced ? title.advanced : title, isAdvanced, meaning, default: fallback, schema };
}

function integer(title: Title, meaning: string, fallback: number, min: number, max: number): Definition<number> {
  const problem = `must be a whole number from ${min} to ${max}`;
  return define(title, meaning, fallback, z.int(problem).min(min, problem).max(max, problem));
}

/** One host that code may be imported from: `name` or `name:port`. */
const importHost = z.string().regex(/^[a-zA-Z0-9.-]+(:\d{1,5})?$/, "must be host names, each optionally with a port");

/** Never an address or `localhost`, so that the admin pages can always be reached through these. */
const runHost = z.string().regex(
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$/,
  'must be lowercase host names with a dot and without a port, such as "functions.example.com"',
);

/** What `deno --deny-net` accepts: a host, an IPv4 address or range, or `[IPv6]`, each optionally with a port. */
const denyEntry = z.string().regex(
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|(?:\d{1,3}\.){3}\d{1,3}\/(?:3[0-2]|[12]?\d)|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/,
  'must be hosts, addresses or IPv4 ranges such as "10.0.0.0/8"',
);

/** An origin, or nothing. */
const publicUrl = z.string().max(300).regex(
  /^(?:https?:\/\/(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?)?$/,
  "must be https: or http: with a host and at most a port, such as https://functions.example.com",
).refine((text) => text === "" || URL.canParse(text), "must be a URL");

export const DEFINITIONS = {
  "api.access-groups": define(
    "Groups that may use the API",
    "Names of the key groups whose keys may use the API.",
    ["management"],
    z.array(z.string().regex(GROUP_NAME_PATTERN, "must be names of key groups")).min(1, "must name at least one group")
      .max(100),
  ),
  "admin.require-second-factor": define(
    "Require a second factor",
    "Whether users without a second factor can only set one up, and do nothing else.",
    false,
    z.boolean("must be true or false"),
  ),
  "admin.session.idle-hours": integer(
    "Sign out after inactivity",
    "Hours without use after which a user has to sign in again.",
    12,
    1,
    720,
  ),
  "admin.session.max-days": integer(
    "Longest session",
    "Days after which a user has to sign in again, even if the session is in use.",
    30,
    1,
    365,
  ),
  "cluster.when-cut-off": define<"refuse" | "serve-stale">(
    "When a node is cut off",
    "What a node of a cluster does with calls while it is cut off from PostgreSQL: refuse them, or serve-stale: answer with what it knows, which may include keys and values that were changed elsewhere.",
    "refuse",
    z.enum(["refuse", "serve-stale"], "must be refuse or serve-stale"),
  ),
  "encryption.key-rotation.interval-days": integer(
    "Time between rotations",
    "Days between two automatic rotations of the encryption key.",
    90,
    1,
    365,
  ),
  "encryption.key-rotation.batch-size": integer(
    { advanced: "Values re-encrypted in one batch" },
    "Number of values that a key rotation re-encrypts in one batch while the server is idle; during calls a batch is a twentieth of that.",
    500,
    1,
    10_000,
  ),
  "encryption.key-rotation.batch-sleep-ms": integer(
    { advanced: "Pause between batches" },
    "Pause between two batches of a key rotation, in milliseconds. At 0, only requests that are already waiting are served between batches.",
    0,
    0,
    60_000,
  ),
  "encryption.retired-keys.keep-days": integer(
    "Time that old keys are kept",
    "Days that an old encryption key is kept after no stored value needs it any longer, so that older backups can still be decrypted.",
    30,
    0,
    3_650,
  ),
  "history.retention-days": integer(
    "Keep earlier contents of code",
    "Days that the contents of earlier versions of the code are kept: each version that was the current one within " +
      "that time can be compared and restored. At 0, all are kept.",
    0,
    0,
    3_650,
  ),
  "log.level": define(
    "Lowest level",
    "Lowest level of entries that the logs of functions keep: debug, info, warn or error. At debug, the start and end of each call, and the names of the secrets that it asks for, are logged, too.",
    "info",
    z.enum(["debug", "info", "warn", "error"], "must be debug, info, warn or error"),
  ),
  "log.batching.max-batch-size": integer(
    { advanced: "Entries written in one batch" },
    "Log batch size: a batch is written as soon as it has this many entries.",
    50,
    1,
    10_000,
  ),
  "log.batching.max-delay-ms": integer(
    { advanced: "Longest delay before writing" },
    "Longest time before a log entry, or a count of calls or of reads of secrets, is written, in milliseconds. A server " +
      "that is killed loses what was not yet written.",
    50,
    1,
    60_000,
  ),
  "log.trimming.max-per-function": integer(
    "Entries kept for each function",
    "Number of log entries kept for each function; the oldest are deleted first.",
    2_000,
    1,
    1_000_000,
  ),
  "log.trimming.retention-seconds": integer(
    "Time that entries are kept",
    "Seconds that log entries are kept.",
    7_776_000,
    60,
    315_360_000,
  ),
  "metrics.retention-days": integer(
    "Time that counts are kept",
    "Days that hourly and daily counts of calls, and daily counts of reads of secrets, are kept. At 0, calls are not counted.",
    90,
    0,
    3_650,
  ),
  "run.hosts": define(
    "Hosts for functions only",
    "Host names that serve functions only. Pages on these hosts are not sandboxed in browsers.",
    [],
    z.array(runHost).max(100),
  ),
  "run.body-timeout-ms": integer(
    "Longest pause in a request body",
    "Longest pause while a client sends the body of a request, in milliseconds; then the call is answered with 408. This time does not count toward the function's time limit.",
    60_000,
    100,
    3_600_000,
  ),
  "secrets.versions-kept": integer(
    "Values kept of each secret",
    "Number of values that are kept of each secret, with the current one.",
    10,
    1,
    100,
  ),
  "mail.max-per-hour": integer(
    "Mails an hour to one address",
    "Largest number of mails about announcements to one address within an hour. What happens meanwhile goes together in the next one.",
    10,
    1,
    1_000,
  ),
  "mail.plain-hosts": define(
    { advanced: "Mail servers without encryption" },
    "Mail servers that may be given mail without encryption; all others need TLS.",
    [],
    z.array(importHost).max(100),
  ),
  "mail.public-url": define(
    "Address of these pages, for links in mails",
    "Address of the admin pages, such as https://functions.example.com, for links in mails. Empty: mails have no links.",
    "",
    publicUrl,
  ),
  "webhooks.http-hosts": define(
    "Hosts allowed without encryption",
    "Hosts that webhooks may be sent to by http:, without encryption; all others need https:.",
    [],
    z.array(importHost).max(100),
  ),
  "webhooks.unused-key-days": integer(
    "Announce unused API keys after",
    "Days without use after which an API key is announced to webhooks as unused. At 0, none is.",
    90,
    0,
    3_650,
  ),
  "webhooks.expiring-key-days": integer(
    "Announce expiring API keys",
    "Days before its expiry at which an API key is announced to webhooks. Those of keys that were made for a shorter time are not. At 0, none is.",
    14,
    0,
    3_650,
  ),
  "webhooks.old-backup-days": integer(
    "Announce an old backup after",
    "Days after which the last backup is announced to webhooks as old. At 0, it is not.",
    7,
    0,
    3_650,
  ),
  "sandbox.timeout-ms": integer(
    "Time limit of a call",
    "Longest time until a call's response begins, and longest pause within the response, in milliseconds.",
    30_000,
    100,
    3_600_000,
  ),
  "sandbox.max-call-ms": integer(
    "Longest streamed call",
    "Longest total time of a call, including a streamed response, in milliseconds.",
    3_600_000,
    1_000,
    86_400_000,
  ),
  "sandbox.revocation-grace-ms": integer(
    { advanced: "Grace for running calls after a revocation" },
    "How long a running call may continue after its function was deleted, disabled or restricted, or its API key " +
      "revoked, in milliseconds. It gets no more secrets meanwhile. Checked every half second.",
    4_000,
    0,
    600_000,
  ),
  "sandbox.memory-mb": integer(
    "Memory of a function",
    "Memory limit for a function's values in its process, in MB; a process that needs more is ended.",
    128,
    32,
    4_096,
  ),
  "sandbox.net.deny": define(
    "Blocked networks",
    "Hosts and IP ranges that no function may connect to, even if its permissions allow them.",
    [],
    z.array(denyEntry).max(1_000),
  ),
  "sandbox.max-processes": integer(
    "Processes in total",
    "Largest number of sandbox processes at one time; the least recently used ends first.",
    64,
    1,
    1_024,
  ),
  "sandbox.max-processes-per-function": integer(
    "Processes of one function",
    "Largest number of sandbox processes for one function whose calls keep them all busy, at most one per processor. With isolation per-key, this applies to the calls of each key separately.",
    4,
    1,
    64,
  ),
  "sandbox.spare-processes": integer(
    { advanced: "Spare processes" },
    "Number of spare sandbox processes kept ready for functions that have none. They are ended when their place is needed.",
    2,
    0,
    16,
  ),
  "sandbox.idle-seconds": integer(
    "Stop idle processes after",
    "Seconds without a call after which a function's sandbox process ends; its next call starts another.",
    600,
    1,
    604_800,
  ),
  "sandbox.load-check-ms": integer(
    { advanced: "Time limit for loading a module" },
    "Longest time that a module may take to load when it is checked on saving, in milliseconds.",
    10_000,
    100,
    120_000,
  ),
  "sandbox.max-calls": integer(
    "Concurrent calls of one function",
    "Largest number of concurrent calls of one function; more are answered with 503.",
    2_000,
    1,
    100_000,
  ),
  "sandbox.calls-memory-mb": integer(
    { advanced: "Server memory for running calls" },
    "Memory of the server itself that all running calls together may use, in MB; the calls of one function may use half of it. A call that needs more is answered with 503, or its response is aborted.",
    1_024,
    16,
    65_536,
  ),
  "sandbox.import-hosts": define(
    "Hosts that code may import from",
    "Hosts that handlers may import modules from by https: and http: URLs, in addition to npm: and jsr:.",
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
