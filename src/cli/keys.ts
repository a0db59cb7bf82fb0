// `keys create`: a way in for an admin who has no key any more. Works beside a running server.

import type { z } from "zod";
import { createAccess, MANAGEMENT_GROUP } from "../core/access/access.ts";
import { OPERATOR } from "../actor.ts";
import { conflict, notFound } from "../errors.ts";
import { KEY_NAME_MAX_LENGTH } from "../control/inputs/key_schemas.ts";
import { label, note } from "../control/inputs/fields.ts";
import { inspectKeyFile, KeyFile } from "../keyring/key_file.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { openStore } from "../store/store.ts";
import { type Command, type Context, UsageError } from "./command.ts";
import { recorder, requirePair } from "./folder.ts";

const create: Command = {
  name: "keys create",
  options: {
    group: { type: "string", value: "GROUP", help: `the key's group, such as ${MANAGEMENT_GROUP}` },
    name: { type: "string", value: "NAME", help: "the key's name, new in its group" },
    description: { type: "string", value: "TEXT", help: "what the key is for" },
  },
  help: [
    "Make an API key and print its value, once.",
    "Works while the server runs, which knows the key at once. The value alone goes to standard output.",
  ],
  run(context, { options }) {
    const name = checked("name", label(KEY_NAME_MAX_LENGTH), options.name);
    const groupName = checked("group", label(KEY_NAME_MAX_LENGTH), options.group);
    const description = checked("description", note(), options.description ?? "");
    const { id, value } = createKey(context, groupName, name, description);
    context.note(`Key ${id} "${name}" in group "${groupName}". Its value is shown this once:`);
    return { json: { id, name, group: groupName, value }, lines: [value] };
  },
};

export const keysCommands: readonly Command[] = [create];

function createKey(context: Context, groupName: string, name: string, description: string) {
  const { database, keyFile, config, now } = context;
  // Before the key file, whose keys are there before anything in the database needs them.
  using snapshot = openSnapshot(database);
  if (!snapshot.isCurrent) {
    throw new DataFolderError(`${database} is of an older version of this program; start the server on it first.`);
  }
  const file = new KeyFile(keyFile, config.keyringPassphrase);
  const { keyring } = file;
  requirePair(snapshot, keyring, keyFile);
  const store = openStore(database, file);
  const record = recorder(context, store, keyring);
  const access = createAccess({ store, keyring, now: () => now().getTime(), groupsInSettings: () => [], record });
  try {
    return store.transaction(() => {
      // With the write lock in hand: a rotation that begins from now on sees the new row, one that ended before
      // might have dropped our key.
      if (inspectKeyFile(keyFile).current !== keyring.currentVersion) {
        throw conflict("The encryption key was rotated at this very moment. Nothing was made; try again.");
      }
      if (groupName === MANAGEMENT_GROUP) access.bootstrap(OPERATOR, undefined);
      const group = store.access.groupByName(groupName);
      if (!group) throw notFound("key group named", `"${groupName}"`);
      return access.createKey(OPERATOR, { groupId: group.id, name, description });
    });
  } finally {
    store.close();
  }
}

/** An option's text, held to what the API takes. */
function checked(option: string, schema: z.ZodType<string>, given: string | boolean | undefined): string {
  if (given === undefined) throw new UsageError(`--${option} is missing.`);
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new UsageError(`--${option} ${parsed.error.issues[0]!.message}.`);
  return parsed.data;
}
