// Implements `admin reset`, for a user who has lost their password or second factor.

import { createAdmins } from "../core/admins/admins.ts";
import { LINK_HOURS } from "../core/admins/accounts.ts";
import { OPERATOR } from "../actor.ts";
import { notFound } from "../errors.ts";
import type { Command, Context } from "./command.ts";
import { openCurrentData } from "./folder.ts";

const reset: Command = {
  name: "admin reset",
  positionals: ["<e-mail>"],
  options: {
    "remove-second-factor": { type: "boolean", help: "disable the user's second factor immediately" },
  },
  help: [
    "Create a link by which a user of the admin pages chooses a new password.",
    `Works while the server runs. The link can be used once, within ${LINK_HOURS} hours. Until then nothing changes, except`,
    "that --remove-second-factor takes effect immediately.",
  ],
  run(context, { positionals: [email], options }) {
    const removed = options["remove-second-factor"] === true;
    const link = createLink(context, email!.trim().toLowerCase(), removed);
    context.note("Open this link. If the server is reached by another address, replace the host in it:");
    return { json: { email, link, validHours: LINK_HOURS, secondFactorRemoved: removed }, lines: [link] };
  },
};

export const adminCommands: readonly Command[] = [reset];

function createLink(context: Context, email: string, removeSecondFactor: boolean): string {
  const { config, now } = context;
  using data = openCurrentData(
    context,
    "Another user can create a link for a new password on the page Users.",
  );
  const { store, keyring, record } = data;
  const { accounts, secondFactor } = createAdmins({
    store,
    keyring,
    limits: { idleMs: () => 0, longestMs: () => 0 },
    now: () => now().getTime(),
    record,
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
}
