// Reads and checks the environment once and returns one frozen Config. Nothing else reads environment variables.

import { closeSync, openSync, readSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { type AddressRange, parseRange } from "./addresses.ts";
import { type DatabaseUrl, DatabaseUrlError, parseDatabaseUrl } from "./database_url.ts";

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Absolute folder of the database and the key file. */
  readonly dataDir: string;
  /** Absolute folder of the handler files. */
  readonly codeDir: string;
  /** Absolute folder of the runtime and fetched modules for sandboxes; undefined for the default one. */
  readonly cacheDir: string | undefined;
  readonly bootstrapApiKey: string | undefined;
  /** Addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted. */
  readonly trustedProxies: readonly AddressRange[];
  /** Encrypts the key file. */
  readonly keyringPassphrase: Passphrase | undefined;
  /** Variables that configure how Deno reaches registries: proxies, certificates, mirrors. Used only by the builder. */
  readonly fetchEnv: Readonly<Record<string, string>>;
  /** Whether Deno exports traces. */
  readonly traces: boolean;
  /** Whether pages for the development of this program are added, see /web/_ui. */
  readonly devPages: boolean;
  /** Set for a node of a cluster, which then has a passphrase. */
  readonly cluster: ClusterConfig | undefined;
}

export interface ClusterConfig {
  readonly database: DatabaseUrl;
  /** PostgreSQL's schema that has the cluster's tables. */
  readonly schema: string;
  /** How other nodes reach this one: scheme, host and port. Undefined for the default, see `nodeUrlOf`. */
  readonly nodeUrl: string | undefined;
}

/** An invalid variable: the message is the one line that the operator sees. */
export class ConfigError extends Error {}

/** Shortest value that may be chosen for an API key of the `management` group, in characters. */
export const BOOTSTRAP_KEY_MIN_LENGTH = 32;
const BOOTSTRAP_KEY_MAX_LENGTH = 256;

/** In characters. A guess at a stolen key file takes half a second, so this only has to exclude likely passphrases. */
export const PASSPHRASE_MIN_LENGTH = 12;
const PASSPHRASE_MAX_LENGTH = 1_024;
/** Four bytes per character, and a line break. */
const PASSPHRASE_FILE_MAX_BYTES = 4 * PASSPHRASE_MAX_LENGTH + 2;

/** A passphrase on its way to the keyring. It prints as [passphrase]; only `bytes()` discloses it. */
export class Passphrase {
  readonly #text: string;

  /** `source` is the variable or option that it was read from, for messages. */
  constructor(text: string, readonly source: string) {
    this.#text = text;
  }

  /** Returns the passphrase in UTF-8, as a copy that the caller may overwrite. */
  bytes(): Uint8Array {
    return new TextEncoder().encode(this.#text);
  }

  toString(): string {
    return "[passphrase]";
  }

  toJSON(): string {
    return "[passphrase]";
  }
}

/** From https://docs.deno.com/runtime/reference/env_variables/; HOME may contain an .npmrc. */
const FETCH_VARIABLES = [
  "ALL_PROXY",
  "DENO_AUTH_TOKENS",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
  "HOME",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "JSR_URL",
  "NODE_EXTRA_CA_CERTS",
  "NO_PROXY",
  "NPM_CONFIG_REGISTRY",
  "SSL_CERT_DIR",
  "SSL_CERT_FILE",
];

/**
 * Reads the configuration from `env`, with relative folders taken from `cwd`.
 * @throws ConfigError that names the variable
 */
export function readConfig(env: (name: string) => string | undefined, cwd: string): Config {
  const folder = (name: string, fallback: string): string => {
    const value = env(name) ?? fallback;
    if (value.trim() === "") throw new ConfigError(`${name} is empty; give it a folder.`);
    if (/[\0,]/.test(value)) throw new ConfigError(`${name} must not contain commas or NUL characters.`);
    return isAbsolute(value) ? resolve(value) : resolve(cwd, value);
  };
  return Object.freeze({
    port: port(env("PORT") ?? "8000"),
    host: host(env("HOST") ?? "127.0.0.1"),
    dataDir: folder("DATA_DIR", "./data"),
    codeDir: folder("CODE_DIR", "./code"),
    cacheDir: env("CACHE_DIR") === undefined ? undefined : folder("CACHE_DIR", ""),
    bootstrapApiKey: bootstrapApiKey(env("BOOTSTRAP_API_KEY")),
    trustedProxies: Object.freeze(trustedProxies(env("TRUSTED_PROXIES") ?? "")),
    keyringPassphrase: readPassphrase("KEYRING_PASSPHRASE", env, cwd),
    fetchEnv: Object.freeze(Object.fromEntries(
      FETCH_VARIABLES.flatMap((name) => [name, name.toLowerCase()])
        .map((name) => [name, env(name)] as const)
        .filter((entry): entry is [string, string] => entry[1] !== undefined),
    )),
    traces: traces(env),
    devPages: devPages(env("DEV_PAGES")),
    cluster: cluster(env),
  });
}

/** Returns how other nodes reach this one, which listens on `port` and whose machine has the name `hostname`. */
export function nodeUrlOf(config: Pick<Config, "host" | "cluster">, port: number, hostname: string): string {
  if (config.cluster?.nodeUrl !== undefined) return config.cluster.nodeUrl;
  const host = ["0.0.0.0", "::"].includes(config.host) ? hostname : config.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Checks that the data folder is not part of the code folder, whose files functions import; both paths are real.
 * @throws ConfigError that names both variables
 */
export function checkFolders(dataDir: string, codeDir: string): void {
  const inside = relative(codeDir, dataDir);
  if (inside !== ".." && !inside.startsWith(`..${sep}`)) {
    throw new ConfigError(`DATA_DIR (${dataDir}) must not be in CODE_DIR (${codeDir}): functions import from there.`);
  }
}

/** Any other text is refused, so that no one believes the pages to be off. */
function devPages(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw new ConfigError("DEV_PAGES must be true or false.");
}

/** Deno itself reads these and the other variables of OpenTelemetry, and accepts no other texts for true and false. */
function traces(env: (name: string) => string | undefined): boolean {
  const is = (name: string, value: "true" | "false") => env(name)?.toLowerCase() === value;
  if (!is("OTEL_DENO", "true") || is("OTEL_SDK_DISABLED", "true")) return false;
  if (env("OTEL_DENO_CONSOLE") !== "ignore") {
    throw new ConfigError(
      "OTEL_DENO_CONSOLE must be ignore if OTEL_DENO is set; otherwise everything that is printed would be exported.",
    );
  }
  return !is("OTEL_DENO_TRACING", "false");
}

function cluster(env: (name: string) => string | undefined): ClusterConfig | undefined {
  const url = env("DATABASE_URL");
  if (url === undefined) {
    const useless = ["DATABASE_SCHEMA", "NODE_URL"].find((name) => env(name) !== undefined);
    if (useless) throw new ConfigError(`${useless} is for nodes of a cluster; set DATABASE_URL, too.`);
    return undefined;
  }
  if (env("KEYRING_PASSPHRASE") === undefined && env("KEYRING_PASSPHRASE_FILE") === undefined) {
    throw new ConfigError(
      "DATABASE_URL needs KEYRING_PASSPHRASE or KEYRING_PASSPHRASE_FILE, the same on all nodes: the encryption keys " +
        "are kept in PostgreSQL, wrapped by it.",
    );
  }
  return Object.freeze({
    database: databaseUrl(url),
    schema: databaseSchema(env("DATABASE_SCHEMA") ?? "crude_functions"),
    nodeUrl: nodeUrl(env("NODE_URL")),
  });
}

function databaseUrl(text: string): DatabaseUrl {
  try {
    return parseDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    throw new ConfigError(`DATABASE_URL ${error.message}.`);
  }
}

function databaseSchema(text: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(text) || text.startsWith("pg_")) {
    throw new ConfigError(
      `DATABASE_SCHEMA must be 1 to 63 small letters, digits and underscores, not begin with a digit or pg_; "${text}" is not.`,
    );
  }
  return text;
}

function nodeUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (!url || !["http:", "https:"].includes(url.protocol) || `${url.origin}/` !== url.href) {
    throw new ConfigError(
      "NODE_URL must be how other nodes reach this one, such as http://10.0.0.5:8000, without user, path and query.",
    );
  }
  return url.origin;
}

function port(text: string): number {
  // 0 lets the system choose; the line printed at the start shows the port.
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    throw new ConfigError(`PORT must be a number from 0 to 65535, not "${text}".`);
  }
  return Number(text);
}

function host(text: string): string {
  if (!/^[A-Za-z0-9.:_-]+$/.test(text)) {
    throw new ConfigError(`HOST must be an IP address or a host name, not "${text}".`);
  }
  return text;
}

function trustedProxies(text: string): AddressRange[] {
  const entries = text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
  return entries.map((entry) => {
    const range = parseRange(entry);
    if (range) return range;
    throw new ConfigError(
      `TRUSTED_PROXIES must be IP addresses or networks such as 10.0.0.0/8, separated by commas; "${entry}" is neither.`,
    );
  });
}

function bootstrapApiKey(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (value.length < BOOTSTRAP_KEY_MIN_LENGTH || value.length > BOOTSTRAP_KEY_MAX_LENGTH) {
    throw new ConfigError(
      `BOOTSTRAP_API_KEY must have ${BOOTSTRAP_KEY_MIN_LENGTH} to ${BOOTSTRAP_KEY_MAX_LENGTH} characters; it has ${value.length}.`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new ConfigError("BOOTSTRAP_API_KEY must be visible ASCII characters without spaces.");
  }
  return value;
}

/**
 * Returns the passphrase in the variable `name` or in the file that `<name>_FILE` names, or undefined if neither is set.
 * @throws ConfigError that names the variable and contains nothing of the passphrase
 */
export function readPassphrase(
  name: string,
  env: (name: string) => string | undefined,
  cwd: string,
): Passphrase | undefined {
  const [text, file] = [env(name), env(`${name}_FILE`)];
  if (text !== undefined && file !== undefined) {
    throw new ConfigError(`${name} and ${name}_FILE are both set; set one of them.`);
  }
  if (file !== undefined) return passphraseOfFile(`${name}_FILE`, file, cwd);
  return text === undefined ? undefined : passphrase(name, text);
}

/**
 * Returns the passphrase in a file, without the line break at its end. `source` is the variable or option that named
 * the file.
 * @throws ConfigError that names `source`
 */
export function passphraseOfFile(source: string, path: string, cwd: string): Passphrase {
  if (path === "") throw new ConfigError(`${source} is empty; give it a file.`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(firstBytes(resolve(cwd, path), PASSPHRASE_FILE_MAX_BYTES));
  } catch (error) {
    const why = error instanceof TypeError ? "it is not UTF-8" : (error as { code?: string }).code ?? "an error";
    throw new ConfigError(`${source} names ${path}, which cannot be read: ${why}.`);
  }
  return passphrase(source, text.replace(/\r?\n$/, ""));
}

function passphrase(source: string, text: string): Passphrase {
  const characters = [...text].length;
  if (characters < PASSPHRASE_MIN_LENGTH || characters > PASSPHRASE_MAX_LENGTH) {
    throw new ConfigError(
      `${source} must hold a passphrase of ${PASSPHRASE_MIN_LENGTH} to ${PASSPHRASE_MAX_LENGTH} characters; it has ${characters}.`,
    );
  }
  if (/[\p{Cc}\u2028\u2029]/u.test(text) || !text.isWellFormed()) {
    throw new ConfigError(`${source} must hold a passphrase of one line, without control characters.`);
  }
  return new Passphrase(text, source);
}

/** Returns the content of a file, at most `limit + 1` bytes of it: the file may be an endless device. */
function firstBytes(path: string, limit: number): Uint8Array {
  const bytes = new Uint8Array(limit + 1);
  const file = openSync(path, "r");
  try {
    let length = 0;
    for (let read = 1; read > 0 && length < bytes.length; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}
