// Implements `crude call`: calls a function as its callers do.

import { requireSecure } from "../base/address.ts";
import type { Client } from "../base/client.ts";
import type { Command, Context, Given, Result } from "../base/command.ts";
import { CrudeError, EXIT, type ExitCode, messageOf, wrongUsage } from "../base/errors.ts";
import { functionByName, keyByName } from "../base/owners.ts";
import { visibleLine } from "../base/text.ts";
import { readFile } from "./secrets.ts";

const call: Command = {
  name: "call",
  positionals: [{ name: "NAME" }, { name: "PATH", optional: true }],
  options: {
    key: {
      type: "string",
      value: "GROUP/KEY",
      help: "the API key to call it with; the audit records that it was read",
    },
    data: { type: "string", short: "d", value: "DATA", help: "the body: text, @FILE, or @- for standard input" },
    method: {
      type: "string",
      short: "X",
      value: "METHOD",
      help: "by default the function's first, or one with a body",
    },
    header: { type: "string", short: "H", multiple: true, value: "NAME:VALUE", help: "a header; can be repeated" },
    param: { type: "string", short: "p", multiple: true, value: "NAME=VALUE", help: "a parameter of the route" },
    query: { type: "string", short: "q", multiple: true, value: "NAME=VALUE", help: "a parameter of the query" },
    include: { type: "boolean", short: "i", help: "print the status and the headers as well" },
  },
  help: [
    "Call a function and print the body of its response.",
    "PATH is what comes after /run, if --param cannot say it. Without --key, a function that is not public is called",
    "with the API key that you are signed in with. A status of 400 or more makes the exit code 1, or 4 for 401 and 403.",
  ],
  async run(context, given) {
    const client = await context.connect();
    const found = await functionByName(client, given.at(0));
    const path = given.positionals[1] ?? fill(found.route, pairs(given, "param"));
    if (!path.startsWith("/")) throw wrongUsage('PATH must begin with "/".');
    const body = await dataOf(context, given.text("data"));
    const url = new URL(`/run${path}`, client.url);
    for (const [name, value] of pairs(given, "query")) url.searchParams.append(name, value);
    const response = await client.send(methodOf(given, found.methods, body), url.pathname + url.search, {
      headers: { ...headersOf(given, body), ...await keyHeader(client, given, found.keys.length === 0) },
      timeoutMs: null,
      ...(body !== undefined && { bytes: body }),
    });
    if (response.status >= 400) context.note(`The function answered ${response.status}.`);
    return context.json ? await asJson(response) : await streamed(context, response, given.flag("include"));
  },
};

/** @throws CrudeError (usage) for a text without `=` */
function pairs(given: Given, option: string): [string, string][] {
  return given.texts(option).map((text) => {
    const at = text.indexOf("=");
    if (at < 1) throw wrongUsage(`--${option} must be NAME=VALUE.`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

/** Fills the parameters of a route: `/hello/:name{[a-z]+}/:rest?`. @throws CrudeError (usage) */
function fill(route: string, params: [string, string][]): string {
  const values = new Map(params);
  const path = route.replace(/\/:(\w+)(?:\{[^}]*\})?(\?)?/g, (_, name: string, optional: string | undefined) => {
    const value = values.get(name);
    values.delete(name);
    if (value !== undefined) return `/${encodeURIComponent(value)}`;
    if (optional) return "";
    throw wrongUsage(`The route ${route} needs --param ${name}=VALUE.`);
  });
  const [unknown] = values.keys();
  if (unknown !== undefined) throw wrongUsage(`The route ${route} has no parameter "${unknown}".`);
  return path.replace(/\/\*$/, "/") || "/";
}

async function dataOf(context: Context, data: string | undefined): Promise<Uint8Array | undefined> {
  if (data === undefined) return undefined;
  if (data === "@-") return await context.terminal.readInput();
  return data.startsWith("@") ? readFile(context, data.slice(1)) : new TextEncoder().encode(data);
}

function methodOf(given: Given, methods: readonly string[], body: Uint8Array | undefined): string {
  const wanted = given.text("method");
  if (wanted !== undefined) return wanted.toUpperCase();
  if (body === undefined) return methods[0] ?? "GET";
  return methods.find((method) => !["GET", "HEAD"].includes(method)) ?? "POST";
}

function headersOf(given: Given, body: Uint8Array | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (body !== undefined && isJson(body)) headers["Content-Type"] = "application/json";
  for (const text of given.texts("header")) {
    const at = text.indexOf(":");
    if (at < 1) throw wrongUsage("--header must be NAME:VALUE.");
    const name = text.slice(0, at).trim();
    if (/^(?:x-api-key|authorization|cookie)$/i.test(name)) {
      throw wrongUsage(`--header cannot be ${name}: credentials are not taken from arguments; use --key GROUP/KEY.`);
    }
    const same = Object.keys(headers).find((other) => other.toLowerCase() === name.toLowerCase());
    if (same) delete headers[same];
    headers[name] = text.slice(at + 1).trim();
  }
  return headers;
}

function isJson(body: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return true;
  } catch {
    return false;
  }
}

/** A session is never sent to a function: its handler would see it. */
async function keyHeader(client: Client, given: Given, isPublic: boolean): Promise<Record<string, string>> {
  const name = given.text("key");
  if (name !== undefined) {
    requireSecure(client.url);
    const { id } = await keyByName(client, name, "--key");
    const { key } = await client.get(`/api/keys/${id}`, { includeValues: true });
    if (typeof key.value !== "string") throw new CrudeError(`The value of ${name} cannot be read.`);
    return { "X-API-Key": key.value };
  }
  if (isPublic) return {};
  if (client.credential?.kind === "key") return { "X-API-Key": client.credential.value };
  throw wrongUsage("This function needs an API key: add --key GROUP/KEY.");
}

function exitCodeOf({ status }: Response): ExitCode {
  if (status < 400) return EXIT.ok;
  return status === 401 || status === 403 ? EXIT.denied : EXIT.failed;
}

async function asJson(response: Response): Promise<Result> {
  const { status, headers } = response;
  const bytes = new Uint8Array(await response.arrayBuffer().catch(brokeOff));
  return {
    json: { status, headers: Object.fromEntries(headers), ...bodyFields(bytes) },
    exitCode: exitCodeOf(response),
  };
}

/** Prints the response as it arrives. */
async function streamed({ write }: Context, response: Response, isHeadShown: boolean): Promise<Result> {
  const { status, statusText, headers, body } = response;
  if (isHeadShown) {
    const lines = [...headers].map(([name, value]) => `${name}: ${visibleLine(value)}`);
    await write(`${[`${status} ${statusText}`, ...lines].join("\n")}\n\n`);
  }
  const reader = body?.getReader();
  while (reader) {
    const { value, done } = await reader.read().catch(brokeOff);
    if (done) break;
    await write(value);
  }
  return { json: {}, exitCode: exitCodeOf(response) };
}

function brokeOff(error: unknown): never {
  throw new CrudeError(`The response broke off: ${messageOf(error)}`, {
    exitCode: EXIT.unreachable,
    code: "BrokeOff",
  });
}

function bodyFields(bytes: Uint8Array): Record<string, unknown> {
  try {
    return { body: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return { bodyBase64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")) };
  }
}

export const callCommands: readonly Command[] = [call];
