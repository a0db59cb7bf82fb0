// Implements `crude keys`: lists, creates, revokes and replaces API keys, named GROUP/KEY.

import type { Client } from "../base/client.ts";
import type { Command } from "../base/command.ts";
import { CrudeError } from "../base/errors.ts";
import { groupByName, groups, keyByName, type KeyInfo, splitKey } from "../base/owners.ts";
import { count, table } from "../base/text.ts";
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
      key.description,
    ]);
    return {
      json: { keys },
      lines: rows.length > 0
        ? table(["KEY", "ENDS WITH", "CREATED", "LAST USED", "DESCRIPTION"], rows)
        : ["There are no API keys."],
    };
  },
};

const create: Command = {
  name: "keys create",
  positionals: [{ name: "GROUP/KEY" }],
  options: {
    description: { type: "string", value: "TEXT", help: "what the key is for" },
    "create-group": { type: "boolean", help: "create the group if there is none" },
  },
  help: ["Create an API key and print its value.", "Only the value is printed on standard output, and only this once."],
  async run(context, given) {
    const { group, key } = splitKey(given.at(0), "GROUP/KEY");
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
    });
    context.note(`${group}/${key} was created. Its value is not shown again:`);
    return { json: { id, name: key, group, value }, lines: [value] };
  },
};

const revoke: Command = {
  name: "keys revoke",
  positionals: [{ name: "GROUP/KEY" }],
  options: { yes: { type: "boolean", short: "y", help: "do not ask" } },
  help: ["Revoke an API key and delete its secrets."],
  async run(context, given) {
    const name = given.at(0);
    const client = await context.connect();
    const { id } = await keyByName(client, name, "GROUP/KEY");
    await confirmed(context, given, `Revoke ${name} and delete its secrets?`);
    await client.delete(`/api/keys/${id}`);
    return { json: { id, key: name, done: "revoked" }, lines: [`${name} was revoked.`] };
  },
};

const roll: Command = {
  name: "keys roll",
  positionals: [{ name: "GROUP/KEY" }],
  options: { yes: { type: "boolean", short: "y", help: "revoke the old key at once" } },
  help: [
    "Replace an API key: a new value under the same name, with the same group and secrets.",
    "The old key keeps working under another name, until you revoke it; with --yes, it is revoked at once.",
    "Only the new value is printed on standard output.",
  ],
  async run(context, given) {
    const name = given.at(0);
    const client = await context.connect();
    const old = await keyByName(client, name, "GROUP/KEY");
    const { id, value, oldName } = await replace(client, old);
    const oldKey = `${old.groupName}/${oldName}`;
    const isRevoked = given.flag("yes");
    if (isRevoked) await client.delete(`/api/keys/${old.id}`);
    context.note(`${name} has a new value. Its value is not shown again:`);
    if (!isRevoked) context.note(`The old one still works as ${oldKey}; revoke it with: crude keys revoke ${oldKey}`);
    return {
      json: { id, name: old.name, group: old.groupName, value, old: isRevoked ? null : oldKey },
      lines: [value],
    };
  },
};

/** Renames the old key, and creates one in its place with copies of its secrets; undone if that fails. */
async function replace(
  client: Client,
  { id, name, groupId, description }: KeyInfo,
): Promise<{ id: number; value: string; oldName: string }> {
  const oldName = `${name}-until-${new Date().toISOString().slice(0, 19)}`;
  const { secrets } = await client.get("/api/secrets", { scope: "key", keyId: id, includeValues: true });
  const unreadable = secrets.filter(({ value }: { value: string | null }) => value === null);
  if (unreadable.length > 0) {
    throw new CrudeError(
      `${count(unreadable.length, "secret")} of this key cannot be read, and so not be copied to a new one.`,
      { code: "Unreadable" },
    );
  }
  await client.put(`/api/keys/${id}`, { name: oldName });
  let made: { id: number; value: string } | undefined;
  try {
    made = await client.post("/api/keys", { groupId, name, description });
    for (const { name, value, comment } of secrets) {
      await client.post("/api/secrets", { name, value, comment, scope: "key", keyId: made!.id });
    }
    return { id: made!.id, value: made!.value, oldName };
  } catch (error) {
    if (made) await client.delete(`/api/keys/${made.id}`);
    await client.put(`/api/keys/${id}`, { name });
    throw error;
  }
}

export const keyCommands: readonly Command[] = [list, create, revoke, roll];
