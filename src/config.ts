// The environment, read once and checked, as one frozen Config. Nothing else reads variables.

import { isAbsolute, resolve } from "node:path";

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Absolute folder of the database and the key file. */
  readonly dataDir: string;
  /** Absolute folder of the handler files. */
  readonly codeDir: string;
  readonly bootstrapApiKey: string | undefined;
  /** Variables that tell Deno how to reach registries: proxies, certificates, mirrors. For the builder alone. */
  readonly fetchEnv: Readonly<Record<string, string>>;
}

/** A bad variable: the message is the one line the operator sees. */
export class ConfigError extends Error {}

/** Shortest API key that anybody may choose for the `management` group, in characters. */
export const BOOTSTRAP_KEY_MIN_LENGTH = 32;
const BOOTSTRAP_KEY_MAX_LENGTH = 256;

/** https://docs.deno.com/runtime/reference/env_variables/; HOME is where an .npmrc may be. */
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
    bootstrapApiKey: bootstrapApiKey(env("BOOTSTRAP_API_KEY")),
    fetchEnv: Object.freeze(Object.fromEntries(
      FETCH_VARIABLES.flatMap((name) => [name, name.toLowerCase()])
        .map((name) => [name, env(name)] as const)
        .filter((entry): entry is [string, string] => entry[1] !== undefined),
    )),
  });
}

function port(text: string): number {
  // 0 lets the system choose; the line printed at start tells which port it was.
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
