// Creates the mail server and the recipients of mail, and gives the deliveries MACs: a delivery that was put into the
// database would be signed and sent like any other.

import { authenticateTable } from "../authentication.ts";
import type { Upgrade } from "./upgrade.ts";

export const upgrade: Upgrade = {
  sql: `
CREATE TABLE deliveries (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  channel     TEXT NOT NULL,     -- 'webhook' or 'mail'
  receiver_id INTEGER NOT NULL,  -- in webhooks or mail_recipients
  recipient   TEXT NOT NULL,     -- one address of mail; '' for a webhook
  message_id  TEXT NOT NULL,     -- the same for all receivers and attempts
  type        TEXT NOT NULL,
  body        TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  next_at     INTEGER,           -- of the next attempt; NULL once it is over
  tried_at    INTEGER,
  status      INTEGER,           -- of the last answer, by HTTP or SMTP
  problem     TEXT,              -- of the last attempt; NULL if it was taken
  mac         BLOB NOT NULL DEFAULT x''
) STRICT;
INSERT INTO deliveries (id, channel, receiver_id, recipient, message_id, type, body, created_at, attempts, next_at,
  tried_at, status, problem)
SELECT id, 'webhook', webhook_id, '', message_id, type, body, created_at, attempts, next_at, tried_at, status, problem
FROM webhook_deliveries;
DROP TABLE webhook_deliveries;
CREATE INDEX deliveries_by_next ON deliveries (channel, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_by_receiver ON deliveries (channel, receiver_id, recipient, id);

-- At most one row, with the id 1.
CREATE TABLE mail_server (
  id          INTEGER PRIMARY KEY,
  host        TEXT NOT NULL,
  port        INTEGER NOT NULL,
  tls         TEXT NOT NULL,     -- 'starttls', 'implicit' or 'none'
  ca          TEXT,              -- PEM; NULL: the authorities that the server trusts
  user        TEXT,
  sender      TEXT NOT NULL,
  ciphertext  TEXT,              -- of the password; NULL without one
  updated_at  INTEGER NOT NULL,
  key_version INTEGER AS (CAST(substr(ciphertext, 2, 9) AS INTEGER)) VIRTUAL,
  mac         BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX mail_server_by_key_version ON mail_server (key_version);

CREATE TABLE mail_recipients (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  addresses  TEXT NOT NULL,      -- JSON
  events     TEXT NOT NULL,      -- JSON
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  mac        BLOB NOT NULL DEFAULT x''
) STRICT;
`,
  run(db, { keyring }) {
    authenticateTable(db, keyring, "deliveries");
  },
};
