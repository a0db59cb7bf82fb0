// Implements `crude keys`: lists, creates, rolls and revokes API keys, named GROUP/KEY, and sets when they expire.

import type { Command } from "../base/command.ts";
import { wrongUsage } from "../base/errors.ts";
import { groupByName, groups, keyByName, type KeyInfo, splitKey } from "../base/owners.ts";
import { table } from "../base/text.ts";
import { confirmed } from "./secrets.ts";

const list: Command = {
  name: "keys list",
  options: { group: { type: "string", value: "GROUP", help: "only the keys of this group" } },
  help: ["List API keys, without their values."],
  async run(context, given) {
    const client = await context.connect();
    const group = given.text("group");
    const groupId = group === undefined ? undefined : (await groupByName(client, group)).id;
    const { keys } = await client.get("/api/keys", { groupId });
    const rows = (keys as KeyInfo[]).map((key) => [
      `${key.groupName}/${key.name}`,
      key.preview ?? "unreadable",
      key.createdAt,
      key.lastUsedAt ?? "never",
      key.expiresAt ?? "never",
      key.description,
    ]);
    return {
      json: { keys },
      lines: rows.length > 0
        ? table(["KEY", "ENDS WITH", "CREATED", "LAST USED", "EXPIRES", "DESCRIPTION"], rows)
        : ["There are no API keys."],
    };
  },
};

/** A duration from now on, a day, which begins at 00:00 UTC, or a time. */
const WHEN = "30d, 12h, 2027-01-31, 2027-01-31T12:00:00Z or never";

const expires = (help: string) => ({ expires: { type: "string", value: "WHEN", help: `${help}: ${WHEN}` } }) as const;

const create: Command = {
  name: "keys create",
  positionals: [{ name: "GROUP/KEY" }],
  options: {
    description: { type: "string", value: "TEXT", help: "what the key is for" },
    ...expires("when it expires"),
    "create-group": { type: "boolean", help: "create the group if there is none" },
  },
  help: ["Create an API key and print its value.", "Only the value is printed on standard output, and only this once."],
  async run(context, given) {
    const { group, key } = splitKey(given.at(0), "GROUP/KEY");
    const expiry = expiryOf(given.text("expires"), "--expires");
    const client = await context.connect();
    const known = (await groups(client)).find(({ name }) => name === group);
    const { id: groupId } = known ??
      (given.flag("create-group")
        ? await client.post("/api/key-groups", { name: group })
        : await groupByName(client, group));
    const description = given.text("description");
    const { id, value } = await client.post("/api/keys", {
      groupId,
      name: key,
      ...(description !== undefined && { description }),
      ...expiry,
    });
    context.note(`${group}/${key} was created. Its value is not shown again:`);
    return { json: { id, name: key, group, value }, lines: [value] };
  },
};

const revoke: Command = {
  name: "keys revoke",
  positionals: [{ name: "GROUP/KEY" }],
  options: {
    yes: { type: "boolean", short: "y", help: "do not ask" },
    previous: { type: "boolean", help: "only the value that the key had before it was rolled" },
  },
  help: ["Revoke an API key and delete its secrets."],
  async run(context, given) {
    const name = given.at(0);
    const onlyPrevious = given.flag("previous");
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    const what = onlyPrevious ? `the previous value of ${name}` : name;
    await confirmed(context, given, `Revoke ${what}${onlyPrevious ? "" : " and delete its secrets"}?`);
    await client.delete(`/api/keys/${id}${onlyPrevious ? "/previous-value" : ""}`);
    return { json: { id, key: name, done: "revoked" }, lines: [`${capitalized(what)} was revoked.`] };
  },
};

const DEFAULT_GRACE = "24h";

const roll: Command = {
  name: "keys roll",
  positionals: [{ name: "GROUP/KEY" }],
  options: {
    grace: {
      type: "string",
      value: "TIME",
      help: `how long the old value works on: 0, 30m, 24h or 7d (default ${DEFAULT_GRACE})`,
    },
    ...expires("when the key expires from now on"),
    yes: { type: "boolean", short: "y", help: "the same as --grace 0" },
  },
  help: [
    "Give an API key a new value. Its name, its group and its secrets stay.",
    "Only the new value is printed on standard output, and only this once.",
  ],
  async run(context, given) {
    const name = given.at(0);
    const graceSeconds = given.flag("yes") ? 0 : secondsOf(given.text("grace") ?? DEFAULT_GRACE);
    const expiry = expiryOf(given.text("expires"), "--expires");
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    const { value, previousValueUntil } = await client.post(`/api/keys/${id}/roll`, { graceSeconds, ...expiry });
    const { group, key } = splitKey(name, "GROUP/KEY");
    context.note(`${name} has a new value, which is not shown again.`);
    context.note(
      previousValueUntil === null
        ? "The old one is no longer accepted."
        : `The old one is accepted until ${previousValueUntil}. To end it earlier: crude keys revoke ${name} --previous`,
    );
    return { json: { id, name: key, group, value, previousValueUntil }, lines: [value] };
  },
};

const expire: Command = {
  name: "keys expire",
  positionals: [{ name: "GROUP/KEY" }, { name: "WHEN" }],
  help: ["Set when an API key expires, and is refused from then on.", `WHEN is ${WHEN}.`],
  async run(context, given) {
    const name = given.at(0);
    const { expiresAt } = expiryOf(given.at(1), "WHEN")!;
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    await client.put(`/api/keys/${id}`, { expiresAt });
    const line = expiresAt === null ? `${name} never expires.` : `${name} expires at ${expiresAt}.`;
    return { json: { id, key: name, expiresAt }, lines: [line] };
  },
};

const HOUR_MS = 3_600_000;
const DURATION_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: 24 * HOUR_MS };

/** Reads a time as WHEN says; undefined if none is given. The server checks the time itself. */
function expiryOf(text: string | undefined, what: string): { expiresAt: string | null } | undefined {
  if (text === undefined) return undefined;
  if (text === "never") return { expiresAt: null };
  const [, digits, unit] = /^([1-9]\d{0,5})([hd])$/.exec(text) ?? [];
  if (digits !== undefined) {
    return { expiresAt: new Date(Date.now() + Number(digits) * DURATION_MS[unit!]!).toISOString() };
  }
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return { expiresAt: `${text}T00:00:00Z` };
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return { expiresAt: text };
  throw wrongUsage(`${what} must be ${WHEN}.`);
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3_600, d: 86_400 };

/** Reads a duration such as `24h`; a number alone is seconds. */
function secondsOf(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  if (digits === undefined) throw wrongUsage("--grace must be 0 or a duration such as 30m, 24h or 7d.");
  return Number(digits) * UNIT_SECONDS[unit!]!;
}

function capitalized(text: string): string {
  return text.startsWith("the ") ? `T${text.slice(1)}` : text;
}

export const keyCommands: readonly Command[] = [list, create, revoke, roll, expire];
