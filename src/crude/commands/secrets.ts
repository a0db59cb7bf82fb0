// Implements `crude secrets`. A value comes from standard input, a file or a hidden prompt, never from an argument.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Client, sinceVersion } from "../base/client.ts";
import type { Command, Context, Given, Options } from "../base/command.ts";
import { CrudeError, EXIT, messageOf, wrongUsage } from "../base/errors.ts";
import { allSecrets, type SecretInfo } from "../base/listing.ts";
import { type Owner, OWNER_OPTIONS, ownerOf } from "../base/owners.ts";
import { writePrivateFile } from "../base/profiles.ts";
import { count, table } from "../base/text.ts";

const PLACES = ["header", "query", "path", "body"] as const;
const FORMATS = ["env", "json", "yaml"] as const;

const ownerText = ({ scope, scopeName }: SecretInfo): string => scopeName === null ? scope : `${scope} ${scopeName}`;

const list: Command = {
  name: "secrets list",
  options: OWNER_OPTIONS,
  help: ["List secrets, without their values: all of them, or those of a scope or an owner."],
  async run(context, given) {
    const client = await context.connect();
    const query = given.text("owner") === undefined
      ? { scope: given.text("scope") }
      : (await ownerOf(client, given)).fields;
    const secrets = await allSecrets(client, query);
    const rows = secrets.map((one) => [one.name, ownerText(one), one.updatedAt, one.comment]);
    return {
      json: { secrets },
      lines: rows.length > 0 ? table(["NAME", "SCOPE", "UPDATED", "COMMENT"], rows) : ["There are no secrets."],
    };
  },
};

const VALUE_OPTIONS: Options = {
  file: { type: "string", value: "PATH", help: "read the value from a file" },
  raw: { type: "boolean", help: "keep a final newline" },
};

const set: Command = {
  name: "secrets set",
  positionals: [{ name: "NAME" }],
  options: {
    ...OWNER_OPTIONS,
    ...VALUE_OPTIONS,
    comment: { type: "string", value: "TEXT", help: "what the secret is for" },
    "keep-previous": { type: "string", value: "TIME", help: "how long the old value counts, too: 24h or 7d" },
    sealed: { type: "boolean", help: "functions can send the value to its hosts, and no one can read it" },
    host: { type: "string", multiple: true, value: "HOST", help: "a host of a sealed value; may be repeated" },
    in: {
      type: "string",
      multiple: true,
      value: "PLACE",
      choices: PLACES,
      help: "where in a request a sealed value may be; may be repeated",
    },
  },
  help: [
    "Create a secret, or change its value.",
    "The value is read from standard input, from --file, or from a hidden prompt. One final newline is dropped.",
  ],
  async run(context, given) {
    const name = given.at(0);
    const value = await readValue(context, given, name);
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const comment = given.text("comment");
    const stored = await find(client, name, owner);
    const [hosts, places] = [given.texts("host"), given.texts("in")];
    const changes = {
      value,
      ...(comment !== undefined && { comment }),
      ...(given.flag("sealed") && { sealed: true }),
      ...(hosts.length > 0 && { hosts }),
      ...(places.length > 0 && { in: places }),
    };
    const keepPrevious = given.text("keep-previous");
    if (stored) await client.put(`/api/secrets/${stored.id}`, { ...changes, ...(keepPrevious && { keepPrevious }) });
    else await client.post("/api/secrets", { name, ...changes, ...owner.fields });
    const done = stored ? "changed" : "created";
    return { json: { name, scope: owner.scope, done }, lines: [`${name} (${owner.label}) was ${done}.`] };
  },
};

const get: Command = {
  name: "secrets get",
  positionals: [{ name: "NAME" }],
  options: { ...OWNER_OPTIONS, raw: { type: "boolean", help: "print no newline after the value" } },
  help: ["Print the value of a secret. The audit records it."],
  async run(context, given) {
    const name = given.at(0);
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const found = await required(client, name, owner);
    const secret: SecretInfo = await client.get(`/api/secrets/${found.id}`, { includeValues: true });
    if (secret.value === null || secret.value === undefined) {
      throw new CrudeError(`The value of ${name} cannot be read: ${secret.decryptionError ?? "it is sealed"}.`, {
        code: "Unreadable",
      });
    }
    const bytes = new TextEncoder().encode(secret.value + (given.flag("raw") ? "" : "\n"));
    return { json: { ...secret }, bytes };
  },
};

const remove: Command = {
  name: "secrets rm",
  positionals: [{ name: "NAME" }],
  options: { ...OWNER_OPTIONS, yes: { type: "boolean", short: "y", help: "do not ask" } },
  help: ["Delete a secret."],
  async run(context, given) {
    const name = given.at(0);
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const { id } = await required(client, name, owner);
    await confirmed(context, given, `Delete ${name} (${owner.label})?`);
    await client.delete(`/api/secrets/${id}`);
    return { json: { name, scope: owner.scope, done: "deleted" }, lines: [`${name} (${owner.label}) was deleted.`] };
  },
};

interface SecretVersion {
  readonly version: number;
  readonly current: boolean;
  readonly setAt: string;
  readonly setBy: { readonly kind: string; readonly name: string | null } | null;
  readonly previousUntil: string | null;
}

const history: Command = {
  name: "secrets history",
  positionals: [{ name: "NAME" }],
  options: {
    ...OWNER_OPTIONS,
    restore: { type: "string", value: "VERSION", help: "make the value of this version the current one again" },
  },
  help: ["List the values of a secret that are kept: when each was set and by whom, without the values."],
  async run(context, given) {
    const name = given.at(0);
    const restored = given.text("restore");
    if (restored !== undefined && !/^[1-9]\d{0,14}$/.test(restored)) {
      throw wrongUsage("--restore must be the number of a version.");
    }
    const client = await context.connect();
    const owner = await ownerOf(client, given);
    const { id } = await required(client, name, owner);
    const path = `/api/secrets/${id}/versions`;
    return await sinceVersion("the history of secrets", async () => {
      if (restored !== undefined) {
        const { version } = await client.post(`${path}/${restored}/restore`, undefined);
        const line = `The value of version ${restored} of ${name} (${owner.label}) is version ${version}.`;
        return { json: { name, scope: owner.scope, version, from: Number(restored) }, lines: [line] };
      }
      const { versions } = await client.get(path) as { versions: readonly SecretVersion[] };
      const rows = versions.map((one) => [
        String(one.version),
        one.setAt,
        one.setBy ? one.setBy.name ?? one.setBy.kind : "",
        one.current ? "current" : one.previousUntil === null ? "" : `counts until ${one.previousUntil}`,
      ]);
      return { json: { name, scope: owner.scope, versions }, lines: table(["VERSION", "SET", "BY", ""], rows) };
    });
  },
};

const importSecrets: Command = {
  name: "secrets import",
  positionals: [{ name: "FILE", optional: true }],
  options: {
    ...OWNER_OPTIONS,
    format: { type: "string", value: "FORMAT", choices: FORMATS, help: "env, json or yaml; by the file's ending" },
    prefix: {
      type: "string",
      multiple: true,
      value: "PREFIX=SCOPE:OWNER",
      help: "the owner of names that begin with PREFIX, which is removed; may be repeated",
    },
    create: { type: "boolean", help: "fail if a secret exists" },
    "dry-run": { type: "boolean", help: "show what would change, without values" },
  },
  help: [
    "Create and change secrets from a file, or from standard input (-): all of them, or none.",
    "With --prefix STAGING_=group:staging, STAGING_TOKEN is the secret TOKEN of the group staging.",
  ],
  async run(context, given) {
    const path = given.positionals[0] === "-" ? undefined : given.positionals[0];
    const prefixes = prefixesOf(given.texts("prefix"));
    const content = decode(path === undefined ? await piped(context, "FILE") : readFile(context, path));
    const client = await context.connect();
    const { fields } = await ownerOf(client, given);
    const preview = await sinceVersion("importing secrets", () =>
      client.post("/api/secrets/import", {
        format: formatOf(given.text("format"), path),
        content,
        ...fields,
        ...(prefixes && { prefixes }),
        mode: given.flag("create") ? "create" : "upsert",
        ...(given.flag("dry-run") && { dryRun: true }),
      }));
    const lines = ["new", "changed", "same", "invalid"].flatMap((what) => importLine(what, preview[what] ?? []));
    const isDry = given.flag("dry-run");
    return {
      json: preview,
      lines: isDry ? ["Nothing was changed.", ...lines] : lines,
      ...(preview.invalid?.length > 0 && { exitCode: EXIT.failed }),
    };
  },
};

/** Returns `PREFIX=SCOPE:OWNER` as the API takes it; undefined without any. @throws CrudeError (usage) */
function prefixesOf(texts: readonly string[]): Record<string, Record<string, string>> | undefined {
  if (texts.length === 0) return undefined;
  return Object.fromEntries(texts.map((text) => {
    const [, prefix, scope, owner] = /^([^=]+)=(global|function|group|key)(?::(.+))?$/.exec(text) ?? [];
    if (prefix === undefined || (scope === "global") !== (owner === undefined)) {
      throw wrongUsage("--prefix must be PREFIX=SCOPE:OWNER, such as STAGING_=group:staging, or PREFIX=global.");
    }
    return [prefix, { scope: scope!, ...(owner !== undefined && { [`${scope}Id`]: owner }) }];
  }));
}

interface ImportLine extends Pick<SecretInfo, "scope" | "scopeName"> {
  readonly name?: string;
  readonly line: number;
  readonly problem?: string;
}

function importLine(what: string, found: readonly ImportLine[]): string[] {
  if (what === "invalid") return found.map(({ line, problem }) => `invalid: line ${line} ${problem}`);
  const names = found.map((one) => one.scope === "global" ? one.name : `${one.name} (${one.scope} ${one.scopeName})`);
  return [`${what}: ${names.join(", ") || "none"}`];
}

const exportSecrets: Command = {
  name: "secrets export",
  options: {
    ...OWNER_OPTIONS,
    format: { type: "string", value: "FORMAT", choices: FORMATS, help: "env, json or yaml; env by default" },
    output: { type: "string", short: "o", value: "PATH", help: "write a file that only you can read" },
  },
  help: ["Print the secrets of an owner with their values. The audit records it."],
  async run(context, given) {
    const client = await context.connect();
    const { fields } = await ownerOf(client, given);
    const output = given.text("output");
    const format = formatOf(given.text("format"), output);
    const content = await sinceVersion("exporting secrets", () => exported(context, client, { ...fields, format }));
    if (output === undefined) return { json: { format, content }, bytes: new TextEncoder().encode(content) };
    const path = resolve(context.cwd, output);
    try {
      writePrivateFile(path, content);
    } catch (error) {
      throw wrongUsage(`--output cannot be written: ${messageOf(error)}`);
    }
    return { json: { format, output: path }, lines: [`The secrets are in ${path}.`] };
  },
};

async function exported({ note }: Context, client: Client, query: Record<string, string | number>): Promise<string> {
  try {
    const response = await client.request("GET", "/api/secrets/export", { query });
    const unreadable = response.headers.get("x-unreadable-secrets");
    if (unreadable !== null) note(`Not exported, because the values cannot be read: ${unreadable}.`);
    return await response.text();
  } catch (error) {
    // Before there was an export, "export" was taken for the id of a secret.
    const { id, format } = (error instanceof CrudeError ? error.details ?? {} : {}) as Record<string, string>;
    const isTakenForId = id !== undefined || format === "is not a known parameter";
    throw isTakenForId ? new CrudeError("There is no export in the API.", { code: "NotFound" }) : error;
  }
}

/** Asks, unless `--yes` was given. @throws CrudeError, also if the answer is no */
export async function confirmed({ terminal }: Context, given: Given, question: string): Promise<void> {
  if (given.flag("yes") || await terminal.confirm(question)) return;
  throw new CrudeError("Nothing was changed.", { code: "Declined" });
}

/** Reads a file that an argument names. @throws CrudeError (usage) */
export function readFile({ cwd }: Context, path: string): Uint8Array {
  try {
    return readFileSync(resolve(cwd, path));
  } catch (error) {
    throw wrongUsage(`${path} cannot be read: ${messageOf(error)}`);
  }
}

async function piped({ terminal }: Context, what: string): Promise<Uint8Array> {
  if (terminal.isInputTerminal) throw wrongUsage(`${what} is missing; without it, standard input is read.`);
  return await terminal.readInput();
}

async function readValue(context: Context, given: Given, name: string): Promise<string> {
  const file = given.text("file");
  const { terminal } = context;
  if (file === undefined && terminal.isInputTerminal) return await terminal.askHidden(`Value of ${name}`);
  const text = decode(file === undefined ? await terminal.readInput() : readFile(context, file));
  const value = given.flag("raw") ? text : text.replace(/\r?\n$/, "");
  if (value === "") throw wrongUsage(`The value of ${name} is empty; it is read from standard input or --file.`);
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw wrongUsage("The input is not text in UTF-8.");
  }
}

function formatOf(given: string | undefined, path: string | undefined): string {
  if (given !== undefined) {
    if (FORMATS.some((format) => format === given)) return given;
    throw wrongUsage(`--format must be one of ${FORMATS.join(", ")}.`);
  }
  const [, ending] = /\.(json|ya?ml)$/.exec(path ?? "") ?? [];
  return ending === undefined ? "env" : ending === "json" ? "json" : "yaml";
}

/** Returns the secrets of that name in all scopes. */
async function named(client: Client, name: string): Promise<SecretInfo[]> {
  try {
    return (await client.get(`/api/secrets/by-name/${encodeURIComponent(name)}`)).secrets;
  } catch (error) {
    if (error instanceof CrudeError && error.code === "NotFound") return [];
    throw error;
  }
}

const isOf = (owner: Owner) => (one: SecretInfo) => one.scope === owner.scope && one.scopeId === owner.id;

async function find(client: Client, name: string, owner: Owner): Promise<SecretInfo | undefined> {
  return (await named(client, name)).find(isOf(owner));
}

async function required(client: Client, name: string, owner: Owner): Promise<SecretInfo> {
  const all = await named(client, name);
  const found = all.find(isOf(owner));
  if (found) return found;
  const others = all.map(ownerText).join(", ");
  const hint = others === "" ? "" : ` It is in ${count(all.length, "other scope")}: ${others}.`;
  throw new CrudeError(`There is no secret ${name} (${owner.label}).${hint}`, { code: "NotFound" });
}

export const secretCommands: readonly Command[] = [list, set, get, remove, history, importSecrets, exportSecrets];
