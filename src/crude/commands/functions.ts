// Implements `crude functions`, `packages` and `open`.

import { openInBrowser } from "../base/browser.ts";
import type { Command } from "../base/command.ts";
import { functionByName, groups, type Named } from "../base/owners.ts";
import { table, visible } from "../base/text.ts";

/** What is shown of a function; the API has more. */
interface FunctionInfo extends Named {
  readonly handler: string;
  readonly route: string;
  readonly methods: readonly string[];
  readonly keys: readonly number[];
  readonly state: string;
}

function callers({ keys }: FunctionInfo, known: readonly Named[]): string {
  if (keys.length === 0) return "public";
  return keys.map((id) => known.find((group) => group.id === id)?.name ?? String(id)).join(", ");
}

const list: Command = {
  name: "functions list",
  help: ["List functions: their routes, who may call them, and their state."],
  async run(context) {
    const client = await context.connect();
    const [{ functions }, known] = [await client.get("/api/functions"), await groups(client)];
    const rows = (functions as FunctionInfo[]).map((one) => [
      one.name,
      one.methods.join(","),
      `/run${one.route}`,
      callers(one, known),
      one.state,
      one.handler,
    ]);
    const lines = table(["NAME", "METHODS", "PATH", "CALLERS", "STATE", "HANDLER"], rows);
    return { json: { functions }, lines: rows.length > 0 ? lines : ["There are no functions."] };
  },
};

const show: Command = {
  name: "functions show",
  positionals: [{ name: "NAME" }],
  help: ["Show everything about a function."],
  async run(context, given) {
    const client = await context.connect();
    const found = await functionByName(client, given.at(0));
    const known = await groups(client);
    const facts = Object.entries({ ...found, callers: callers(found, known) })
      .filter(([name]) => name !== "keys")
      .map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
    const width = Math.max(...facts.map(([name]) => name!.length));
    return {
      json: { function: found },
      lines: facts.map(([name, value]) => `${name!.padEnd(width)}  ${visible(value ?? "")}`),
    };
  },
};

/** What a function is proposed, and has, of what can be narrower. */
const NARROWED = ["secrets", "permissions", "memoryMb", "timeoutMs"];

const suggest: Command = {
  name: "functions suggest",
  positionals: [{ name: "NAME" }],
  options: { days: { type: "string", value: "N", help: "how many days are looked at, today included (30)" } },
  help: ["Show what a function may do, and the narrower rights and limits that its calls needed."],
  async run(context, given) {
    const client = await context.connect();
    const found = await functionByName(client, given.at(0)) as Named & Record<string, unknown>;
    const days = given.number("days") ?? 30;
    const suggestion = await client.get(`/api/functions/${found.id}/suggestions?days=${days}`);
    const shown = (value: unknown): string => value === null ? "as in the settings" : visible(JSON.stringify(value));
    const rows = NARROWED.map((name) => [name, shown(found[name]), shown(suggestion[name])]);
    const { calls, since, connections } = suggestion;
    const hosts = ((connections ?? []) as { host: string; checks: number }[])
      .map(({ host, checks }) => [host, String(checks)]);
    return {
      json: suggestion,
      lines: [
        `From ${calls} call${calls === 1 ? "" : "s"} since ${since}.`,
        ...table(["SETTING", "NOW", "PROPOSED"], rows),
        ...(hosts.length > 0 ? table(["HOST", "CHECKS"], hosts) : []),
      ],
    };
  },
};

interface PackageInfo {
  readonly name: string;
  readonly versions: readonly { readonly version: string; readonly functions: readonly Named[] }[];
}

const packages: Command = {
  name: "packages",
  help: ["List the packages that functions use, with their versions."],
  async run(context) {
    const { packages } = await (await context.connect()).get("/api/packages");
    const rows = (packages as PackageInfo[]).flatMap(({ name, versions }) =>
      versions.map(({ version, functions }) => [name, version, functions.map((one) => one.name).join(", ")])
    );
    const lines = table(["PACKAGE", "VERSION", "FUNCTIONS"], rows);
    return { json: { packages }, lines: rows.length > 0 ? lines : ["No function uses a package."] };
  },
};

const open: Command = {
  name: "open",
  positionals: [{ name: "FUNCTION", optional: true }],
  options: { print: { type: "boolean", help: "print the address instead of opening it" } },
  help: ["Open the admin pages, or the page of a function, in the browser."],
  async run(context, given) {
    const client = await context.connect();
    const [name] = given.positionals;
    const url = name === undefined
      ? `${client.url}/web`
      : `${client.url}/web/functions/${(await functionByName(client, name)).id}`;
    if (!given.flag("print") && !context.json) openInBrowser(url);
    return { json: { url }, lines: [url] };
  },
};

export const functionCommands: readonly Command[] = [list, show, suggest, packages, open];
