// Creates the order of secrets: a row for each secret that names the next one, so that absence can be proven.

import { authenticateOrder } from "../authentication.ts";
import { readHead } from "../rows_head.ts";
import { describeFinding } from "../authenticated_tables.ts";
import { RESTORE } from "../data_folder.ts";
import { verifyWhole } from "../verification.ts";
import type { Upgrade } from "./upgrade.ts";

export const upgrade: Upgrade = {
  sql: `
-- The first row has an empty name and stands for no secret; the last one has no next.
CREATE TABLE secret_order (
  name          TEXT NOT NULL,
  scope         TEXT NOT NULL,
  owner_id      INTEGER NOT NULL,
  secret_id     INTEGER NOT NULL,
  next_name     TEXT,
  next_scope    TEXT,
  next_owner_id INTEGER,
  mac           BLOB NOT NULL DEFAULT x'',
  PRIMARY KEY (name, scope, owner_id)
) STRICT, WITHOUT ROWID;
`,
  run(db, { keyring, progress }) {
    const { head } = readHead(db, keyring.derive("head"));
    const total = head.tables.get("secrets")?.count ?? 0;
    const step = (what: string) => (done: number) => progress(what, done, total);
    // The order would authenticate a deletion that the rows still give away.
    const { findings } = verifyWhole(db, keyring, "secrets", head, step("secrets verified"));
    if (findings.length > 0) {
      throw new Error(
        `it is not upgraded, as something other than this program changed it: ${
          findings.map(describeFinding).join("; ")
        }. An altered row can be deleted with the version before this one. ${RESTORE.replace(/\.$/, "")}`,
      );
    }
    authenticateOrder(db, keyring, step("secrets put in order"));
  },
};
