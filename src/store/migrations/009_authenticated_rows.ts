// Adds a MAC to each row that decides access or meaning. A function's methods and groups are part of its own row, which
// its MAC covers; their separate tables serve look-ups and constraints.

import { authenticateAll } from "../authentication.ts";
import type { Upgrade } from "./upgrade.ts";

const TABLES = [
  "settings",
  "key_groups",
  "api_keys",
  "functions",
  "secrets",
  "admins",
  "sessions",
  "recovery_codes",
  "password_links",
  "package_locks",
];

export const upgrade: Upgrade = {
  sql: `
ALTER TABLE functions ADD COLUMN method_list TEXT NOT NULL DEFAULT '[]';  -- JSON
ALTER TABLE functions ADD COLUMN group_list TEXT NOT NULL DEFAULT '[]';  -- JSON
UPDATE functions SET
  method_list = (SELECT json_group_array(method) FROM function_methods WHERE function_id = functions.id),
  group_list = (SELECT json_group_array(group_id ORDER BY group_id) FROM function_groups WHERE function_id = functions.id);
${TABLES.map((table) => `ALTER TABLE ${table} ADD COLUMN mac BLOB NOT NULL DEFAULT x'';`).join("\n")}
`,
  run(db, { keyring, epoch, progress }) {
    authenticateAll(db, keyring, epoch, 1, (done, total) => progress("rows authenticated", done, total));
  },
};
