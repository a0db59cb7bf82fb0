// Implements `keys create`, for an admin who no longer has a key. Works while the server runs.

import type { z } from "zod";
import { createAccess, MANAGEMENT_GROUP } from "../core/access/access.ts";
import { OPERATOR } from "../actor.ts";
import { conflict, notFound } from "../errors.ts";
import { KEY_NAME_MAX_LENGTH } from "../control/inputs/references.ts";
import { label, note } from "../control/inputs/fields.ts";
import { inspectKeyFile } from "../keyring/key_file.ts";
import { type Command, type Context, UsageError } from "./command.ts";
import { openCurrentData } from "./folder.ts";

const create: Command = {
  name: "keys create",
  options: {
    group: { type: "string", value: "GROUP", help: `the key's group, such as ${MANAGEMENT_GROUP}` },
    name: { type: "string", value: "NAME", help: "the key's name, unique in its group" },
    description: { type: "string", value: "TEXT", help: "what the key is for" },
  },
  help: [
    "Create an API key and print its value, once.",
    "Works while the server runs, which accepts the key immediately. Standard output contains only the value.",
  ],
  run(context, { options }) {
    const name = checked("name", label(KEY_NAME_MAX_LENGTH), options.name);
    const groupName = checked("group", label(KEY_NAME_MAX_LENGTH), options.group);
    const description = checked("description", note(), options.description ?? "");
    const { id, value } = createKey(context, groupName, name, description);
    context.note(`Key ${id} "${name}" in group "${groupName}". Its value is shown only once:`);
    return { json: { id, name, group: groupName, value }, lines: [value] };
  },
};

export const keysCommands: readonly Command[] = [create];

function createKey(context: Context, groupName: string, name: string, description: string) {
  const { keyFile, now } = context;
  using data = openCurrentData(
    context,
    "Start a node with BOOTSTRAP_API_KEY set to a new key of at least 32 characters, and create others by the API.",
  );
  const { store, keyring, record } = data;
  const access = createAccess({ store, keyring, now: () => now().getTime(), groupsInSettings: () => [], record });
  return store.transaction(() => {
    // Checked while the write lock is held: a rotation that starts later sees the new row, but one that has already
    // ended may have dropped this key.
    if (inspectKeyFile(keyFile).current !== keyring.currentVersion) {
      throw conflict("The encryption key was rotated in the meantime. No key was created; try again.");
    }
    if (groupName === MANAGEMENT_GROUP) access.bootstrap(OPERATOR, undefined);
    const group = store.access.groupByName(groupName);
    if (!group) throw notFound("key group named", `"${groupName}"`);
    return access.createKey(OPERATOR, { groupId: group.id, name, description });
  });
}

/** Returns an option's text after validation by the API's schema. */
function checked(option: string, schema: z.ZodType<string>, given: string | boolean | undefined): string {
  if (given === undefined) throw new UsageError(`--${option} is missing.`);
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new UsageError(`--${option} ${parsed.error.issues[0]!.message}.`);
  return parsed.data;
}
