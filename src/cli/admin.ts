// `admin reset`: a way in for a user who has lost the password, or the second factor.

import { createAdmins } from "../core/admins/admins.ts";
import { LINK_HOURS } from "../core/admins/accounts.ts";
import { OPERATOR } from "../actor.ts";
import { notFound } from "../errors.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { openStore } from "../store/store.ts";
import type { Command, Context } from "./command.ts";
import { recorder, requirePair } from "./folder.ts";

const reset: Command = {
  name: "admin reset",
  positionals: ["<e-mail>"],
  options: {
    "remove-second-factor": { type: "boolean", help: "sign in by the password alone from now on" },
  },
  help: [
    "Make a link by which a user of the admin pages chooses a new password.",
    `Works while the server runs. The link works once, for ${LINK_HOURS} hours; until it is used nothing changes, but that`,
    "--remove-second-factor counts at once.",
  ],
  run(context, { positionals: [email], options }) {
    const removed = options["remove-second-factor"] === true;
    const link = makeLink(context, email!.trim().toLowerCase(), removed);
    context.note("Open this on the server's own address, if others than this machine use another:");
    return { json: { email, link, validHours: LINK_HOURS, secondFactorRemoved: removed }, lines: [link] };
  },
};

export const adminCommands: readonly Command[] = [reset];

function makeLink(context: Context, email: string, removeSecondFactor: boolean): string {
  const { database, keyFile, config, now } = context;
  using snapshot = openSnapshot(database);
  if (!snapshot.isCurrent) {
    throw new DataFolderError(`${database} is of an older version of this program; start the server on it first.`);
  }
  const file = new KeyFile(keyFile, config.keyringPassphrase);
  const { keyring } = file;
  requirePair(snapshot, keyring, keyFile);
  const store = openStore(database, file);
  try {
    const { accounts, secondFactor } = createAdmins({
      store,
      keyring,
      limits: { idleMs: () => 0, longestMs: () => 0 },
      now: () => now().getTime(),
      record: recorder(context, store, keyring),
    });
    return store.transaction(() => {
      const users = accounts.list();
      const row = users.find((user) => user.email === email);
      if (!row) throw notFound("user", `${email}. There are: ${users.map((user) => user.email).join(", ") || "none"}`);
      const token = accounts.reset(OPERATOR, row.id);
      if (removeSecondFactor && row.totpNonce !== null) secondFactor.disable(OPERATOR, row);
      const host = config.host === "0.0.0.0" || config.host === "::" ? "localhost" : config.host;
      return `http://${host.includes(":") ? `[${host}]` : host}:${config.port}/web/password?token=${token}`;
    });
  } finally {
    store.close();
  }
}
