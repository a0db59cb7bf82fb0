// Stores webhooks.

import type { WebhookId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, type Row } from "./database.ts";

/** Times in milliseconds since 1970 UTC. */
export interface WebhookRow {
  readonly id: WebhookId;
  readonly url: string;
  /** Types of announcements. */
  readonly events: readonly string[];
  /** Of the secret that signs. */
  readonly ciphertext: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface WebhookStore {
  /** Returns all but altered ones, which are logged as findings, in order of id. */
  list(): WebhookRow[];
  /** Returns one; undefined also if it was altered. */
  find(id: WebhookId): WebhookRow | undefined;
  insert(row: Omit<WebhookRow, "id" | "ciphertext">): WebhookId;
  update(id: WebhookId, row: Pick<WebhookRow, "url" | "events" | "updatedAt">): void;
  setCiphertext(id: WebhookId, ciphertext: string): void;
  /** Deletes a webhook, also an altered one, without its deliveries. Returns whether it existed. */
  delete(id: WebhookId): boolean;
}

interface Columns extends Row {
  id: WebhookId;
  url: string;
  events: string;
  ciphertext: string;
  createdAt: number;
  updatedAt: number;
}

const SELECT = "SELECT id, url, events, ciphertext, created_at AS createdAt, updated_at AS updatedAt FROM webhooks";

export function createWebhookStore(db: Database, rows: RowCheck): WebhookStore {
  const list = db.prepare(`${SELECT} ORDER BY id`);
  const find = db.prepare(`${SELECT} WHERE id = ?`);
  const insert = db.prepareChange(
    "INSERT INTO webhooks (url, events, ciphertext, created_at, updated_at) VALUES (?, ?, '', ?, ?)",
  );
  const update = db.prepareChange("UPDATE webhooks SET url = ?, events = ?, updated_at = ? WHERE id = ?");
  const setCiphertext = db.prepareChange("UPDATE webhooks SET ciphertext = ? WHERE id = ?");
  const remove = db.prepareChange("DELETE FROM webhooks WHERE id = ?");
  const authentic = (found: readonly Columns[]): WebhookRow[] =>
    found.filter(({ id }) => rows.check("webhooks", id))
      .map((row) => ({ ...row, events: JSON.parse(row.events) as string[] }));

  return {
    list: () => authentic(all<Columns>(list)),
    find(id) {
      const row = first<Columns>(find, id);
      return row && authentic([row])[0];
    },
    insert: ({ url, events, createdAt, updatedAt }) =>
      Number(insert.run(url, JSON.stringify(events), createdAt, updatedAt).lastInsertRowid) as WebhookId,
    update: (id, { url, events, updatedAt }) => void update.run(url, JSON.stringify(events), updatedAt, id),
    setCiphertext: (id, ciphertext) => void setCiphertext.run(ciphertext, id),
    delete: (id) => remove.run(id).changes > 0,
  };
}
