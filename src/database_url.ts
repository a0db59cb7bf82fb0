// Parses DATABASE_URL, PostgreSQL's connection URI: https://www.postgresql.org/docs/current/libpq-connect.html

/** A password on its way to PostgreSQL. It prints as [password]; only `reveal` discloses it. */
export class DatabasePassword {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return "[password]";
  }

  toJSON(): string {
    return "[password]";
  }
}

export const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface DatabaseHost {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

export interface DatabaseUrl {
  /** Tried in order; the one that accepts writes is used. */
  readonly hosts: readonly DatabaseHost[];
  readonly user: string;
  readonly password: DatabasePassword | undefined;
  readonly database: string;
  readonly sslMode: SslMode;
  /** A file with certificates in PEM; undefined for the authorities that the system trusts. */
  readonly sslRootCert: string | undefined;
  /** For each host. */
  readonly connectTimeoutMs: number;
  readonly applicationName: string;
  /** Command-line options for the server, such as `-c work_mem=8MB`. */
  readonly options: string | undefined;
}

/** A URL that cannot be used. The message is the end of a sentence and has nothing of the password. */
export class DatabaseUrlError extends Error {}

const DEFAULT_PORT = 5432;
const CONNECT_TIMEOUT_MAX_S = 60;
/** Shorter than the time in which a change is answered. */
const CONNECT_TIMEOUT_S = 3;

/** Parameters with their use, in the order of the documentation. */
const PARAMETERS = [
  "sslmode",
  "sslrootcert",
  "target_session_attrs",
  "connect_timeout",
  "application_name",
  "options",
] as const;
type Parameter = (typeof PARAMETERS)[number];

/** Those of these values ask for what is done anyway: only a server that accepts writes is of use. */
const TARGETS = ["any", "read-write", "primary"];

/** @throws DatabaseUrlError */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  // User and password end at the last "@" before the path, as libpq has it.
  const parts = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (!parts) {
    throw new DatabaseUrlError(
      "must have the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE, with %3A, %2F, %3F, %23, %40 and " +
        '%25 for ":", "/", "?", "#", "@" and "%" in a password',
    );
  }
  const [, userInfo = "", hosts = "", path = "", query = ""] = parts;
  // Otherwise a part of the password would be taken for something else, which messages show.
  if (/[@/]/.test(path) || query.includes("@")) {
    throw new DatabaseUrlError(
      'has an "@" or "/" after its host; write ":", "/", "?", "#", "@" and "%" of a password as %3A, %2F, %3F, %23, %40 and %25',
    );
  }
  const colon = userInfo.indexOf(":");
  const user = decoded("the user", colon === -1 ? userInfo : userInfo.slice(0, colon));
  if (user === "") throw new DatabaseUrlError("names no user");
  const password = colon === -1 ? "" : decoded("the password", userInfo.slice(colon + 1));
  const given = parametersOf(query);
  return Object.freeze({
    hosts: Object.freeze(hosts.split(",").map(hostOf)),
    user,
    password: password === "" ? undefined : new DatabasePassword(password),
    database: decoded("the database", path) || user,
    ...encryptionOf(given),
    connectTimeoutMs: 1_000 * connectTimeoutOf(given),
    applicationName: given.get("application_name") ?? "crude-functions",
    options: given.get("options"),
  });
}

function hostOf(text: string): DatabaseHost {
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text);
  const host = parts?.[1] ?? decoded("a host", parts?.[2] ?? "");
  const port = Number(parts?.[3] ?? DEFAULT_PORT);
  if (!parts || !/^[A-Za-z0-9.:_-]+$/.test(host) || port < 1 || port > 65_535) {
    throw new DatabaseUrlError(`names a host that is not a name or an address, with or without a port`);
  }
  return Object.freeze({ host, port });
}

function parametersOf(query: string): Map<Parameter, string> {
  const given = new Map<Parameter, string>();
  for (const part of query.split("&").filter((part) => part !== "")) {
    const [name, ...rest] = part.split("=");
    const parameter = PARAMETERS.find((one) => one === name);
    if (!parameter) {
      // Its value may be a password.
      throw new DatabaseUrlError(
        `has the parameter "${name}", which is not supported; these are: ${PARAMETERS.join(", ")}`,
      );
    }
    if (given.has(parameter)) throw new DatabaseUrlError(`has the parameter ${parameter} twice`);
    const value = decoded(parameter, rest.join("="));
    if (value === "" || value.includes("\0")) throw new DatabaseUrlError(`has no valid value for ${parameter}`);
    given.set(parameter, value);
  }
  const target = given.get("target_session_attrs") ?? "any";
  if (!TARGETS.includes(target)) {
    throw new DatabaseUrlError(
      `asks for target_session_attrs=${target}; changes need a server that accepts writes: ${TARGETS.join(", ")}`,
    );
  }
  return given;
}

function encryptionOf(given: Map<Parameter, string>): Pick<DatabaseUrl, "sslMode" | "sslRootCert"> {
  const [text, rootCert] = [given.get("sslmode"), given.get("sslrootcert")];
  const mode = SSL_MODES.find((one) => one === (text ?? (rootCert === "system" ? "verify-full" : "prefer")));
  if (!mode) throw new DatabaseUrlError(`has sslmode=${text}; supported are ${SSL_MODES.join(", ")}`);
  if (rootCert === "system" && mode !== "verify-full") {
    throw new DatabaseUrlError(
      `has sslrootcert=system with sslmode=${mode}: any server with a certificate would pass; use verify-full`,
    );
  }
  if (mode === "verify-ca" && rootCert === undefined) {
    throw new DatabaseUrlError("has sslmode=verify-ca without sslrootcert: any server with a certificate would pass");
  }
  // As libpq has it: with an authority, `require` means `verify-ca`.
  const sslMode = mode === "require" && rootCert !== undefined ? "verify-ca" : mode;
  return { sslMode, sslRootCert: rootCert === "system" ? undefined : rootCert };
}

function connectTimeoutOf(given: Map<Parameter, string>): number {
  const text = given.get("connect_timeout") ?? String(CONNECT_TIMEOUT_S);
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > CONNECT_TIMEOUT_MAX_S) {
    throw new DatabaseUrlError(`has connect_timeout=${text}; it must be 1 to ${CONNECT_TIMEOUT_MAX_S} seconds`);
  }
  return Number(text);
}

function decoded(what: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new DatabaseUrlError(`has a "%" in ${what} that is not followed by two hexadecimal digits; write it as %25`);
  }
}
