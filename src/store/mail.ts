// Stores the mail server, and the sets of recipients of mail.

import type { MailRecipientsId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, type Row } from "./database.ts";

/** How a connection is encrypted: from its start, by STARTTLS, which is required then, or not at all. */
export type MailTls = "starttls" | "implicit" | "none";

export interface MailServerRow {
  readonly host: string;
  readonly port: number;
  readonly tls: MailTls;
  /** Certificates of the authorities that the server's must be signed by, in PEM; null for those trusted anyway. */
  readonly ca: string | null;
  readonly user: string | null;
  /** The address that mail comes from. */
  readonly sender: string;
  /** Of the password; null without one. */
  readonly ciphertext: string | null;
  /** In milliseconds since 1970 UTC. */
  readonly updatedAt: number;
}

/** Times in milliseconds since 1970 UTC. */
export interface MailRecipientsRow {
  readonly id: MailRecipientsId;
  readonly addresses: readonly string[];
  /** Types of announcements. */
  readonly events: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface MailStore {
  /** Returns the mail server; undefined also if its row was altered, which is logged as a finding. */
  server(): MailServerRow | undefined;
  putServer(row: MailServerRow): void;
  /** Deletes it, also an altered one. */
  deleteServer(): void;

  /** Returns all sets but altered ones, which are logged as findings, in order of id. */
  list(): MailRecipientsRow[];
  /** Returns one; undefined also if it was altered. */
  find(id: MailRecipientsId): MailRecipientsRow | undefined;
  insert(row: Omit<MailRecipientsRow, "id">): MailRecipientsId;
  update(id: MailRecipientsId, row: Pick<MailRecipientsRow, "addresses" | "events" | "updatedAt">): void;
  /** Deletes a set, also an altered one, without its deliveries. */
  delete(id: MailRecipientsId): void;
}

/** The id of the only row of `mail_server`. */
export const MAIL_SERVER_ID = 1;

interface Columns extends Row {
  id: MailRecipientsId;
  addresses: string;
  events: string;
  createdAt: number;
  updatedAt: number;
}

const SELECT = "SELECT id, addresses, events, created_at AS createdAt, updated_at AS updatedAt FROM mail_recipients";

export function createMailStore(db: Database, rows: RowCheck): MailStore {
  const server = db.prepare(
    `SELECT host, port, tls, ca, user, sender, ciphertext, updated_at AS updatedAt FROM mail_server
     WHERE id = ${MAIL_SERVER_ID}`,
  );
  const putServer = db.prepareChange(
    `INSERT INTO mail_server (id, host, port, tls, ca, user, sender, ciphertext, updated_at)
     VALUES (${MAIL_SERVER_ID}, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET host = excluded.host, port = excluded.port, tls = excluded.tls, ca = excluded.ca,
       user = excluded.user, sender = excluded.sender, ciphertext = excluded.ciphertext,
       updated_at = excluded.updated_at`,
  );
  const deleteServer = db.prepareChange(`DELETE FROM mail_server WHERE id = ${MAIL_SERVER_ID}`);
  const list = db.prepare(`${SELECT} ORDER BY id`);
  const find = db.prepare(`${SELECT} WHERE id = ?`);
  const insert = db.prepareChange(
    "INSERT INTO mail_recipients (addresses, events, created_at, updated_at) VALUES (?, ?, ?, ?)",
  );
  const update = db.prepareChange("UPDATE mail_recipients SET addresses = ?, events = ?, updated_at = ? WHERE id = ?");
  const remove = db.prepareChange("DELETE FROM mail_recipients WHERE id = ?");
  const authentic = (found: readonly Columns[]): MailRecipientsRow[] =>
    found.filter(({ id }) => rows.check("mail_recipients", id)).map((row) => ({
      ...row,
      addresses: JSON.parse(row.addresses) as string[],
      events: JSON.parse(row.events) as string[],
    }));

  return {
    server() {
      const row = first<MailServerRow & Row>(server);
      return row && rows.check("mail_server", MAIL_SERVER_ID) ? row : undefined;
    },
    putServer: ({ host, port, tls, ca, user, sender, ciphertext, updatedAt }) =>
      void putServer.run(host, port, tls, ca, user, sender, ciphertext, updatedAt),
    deleteServer: () => void deleteServer.run(),
    list: () => authentic(all<Columns>(list)),
    find(id) {
      const row = first<Columns>(find, id);
      return row && authentic([row])[0];
    },
    insert: ({ addresses, events, createdAt, updatedAt }) =>
      Number(
        insert.run(JSON.stringify(addresses), JSON.stringify(events), createdAt, updatedAt).lastInsertRowid,
      ) as MailRecipientsId,
    update: (id, { addresses, events, updatedAt }) =>
      void update.run(JSON.stringify(addresses), JSON.stringify(events), updatedAt, id),
    delete: (id) => void remove.run(id),
  };
}
