// Stores webhooks, the deliveries to them, and what was announced.

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

export interface DeliveryRow {
  readonly id: number;
  readonly webhookId: WebhookId;
  /** The same for all webhooks and attempts. */
  readonly messageId: string;
  readonly type: string;
  /** JSON. */
  readonly body: string;
  readonly createdAt: number;
  /** Attempts so far. */
  readonly attempts: number;
  /** When it is tried next; null once it is over. */
  readonly nextAt: number | null;
  readonly triedAt: number | null;
  /** HTTP status of the last answer; null if there was none. */
  readonly status: number | null;
  /** What went wrong in the last attempt; null if nothing did. */
  readonly problem: string | null;
}

/** What an attempt changes. */
export type DeliveryOutcome = Pick<DeliveryRow, "id" | "attempts" | "nextAt" | "triedAt" | "status" | "problem">;

export interface WebhookStore {
  /** Returns all but altered ones, which are logged as findings, in order of id. */
  list(): WebhookRow[];
  /** Returns one; undefined also if it was altered. */
  find(id: WebhookId): WebhookRow | undefined;
  insert(row: Omit<WebhookRow, "id" | "ciphertext">): WebhookId;
  update(id: WebhookId, row: Pick<WebhookRow, "url" | "events" | "updatedAt">): void;
  setCiphertext(id: WebhookId, ciphertext: string): void;
  /** Deletes a webhook, also an altered one, and its deliveries. Returns whether it existed. */
  delete(id: WebhookId): boolean;

  /** Returns the last deliveries of a webhook, newest first. */
  deliveries(id: WebhookId, limit: number): DeliveryRow[];
  /** Returns at most `each` deliveries of each webhook that are to be tried by `now`, those that wait longest first. */
  due(now: number, each: number): DeliveryRow[];
  /** Returns when the next delivery is to be tried. */
  nextAt(): number | undefined;
  /** Returns the new delivery's id. */
  enqueue(row: Omit<DeliveryRow, "id">): number;
  /** Keeps the outcome of an attempt, unless the delivery is gone. */
  tried(outcome: DeliveryOutcome): void;
  /** Deletes all but the newest `kept` deliveries of a webhook. */
  prune(id: WebhookId, kept: number): void;

  /** Returns when a topic was last announced. */
  announcedAt(topic: string): number | undefined;
  setAnnounced(topic: string, at: number): void;
  /** Forgets what was announced before `time`. */
  forgetAnnounced(time: number): void;
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
const SELECT_DELIVERY = `SELECT id, webhook_id AS webhookId, message_id AS messageId, type, body,
  created_at AS createdAt, attempts, next_at AS nextAt, tried_at AS triedAt, status, problem FROM webhook_deliveries`;

export function createWebhookStore(db: Database, rows: RowCheck): WebhookStore {
  const list = db.prepare(`${SELECT} ORDER BY id`);
  const find = db.prepare(`${SELECT} WHERE id = ?`);
  const insert = db.prepareChange(
    "INSERT INTO webhooks (url, events, ciphertext, created_at, updated_at) VALUES (?, ?, '', ?, ?)",
  );
  const update = db.prepareChange("UPDATE webhooks SET url = ?, events = ?, updated_at = ? WHERE id = ?");
  const setCiphertext = db.prepareChange("UPDATE webhooks SET ciphertext = ? WHERE id = ?");
  const remove = db.prepareChange("DELETE FROM webhooks WHERE id = ?");
  const removeDeliveries = db.prepareChange("DELETE FROM webhook_deliveries WHERE webhook_id = ?");
  const deliveries = db.prepare(`${SELECT_DELIVERY} WHERE webhook_id = ? ORDER BY id DESC LIMIT ?`);
  const due = db.prepare(
    `${SELECT_DELIVERY} WHERE id IN (SELECT id FROM (
       SELECT id, row_number() OVER (PARTITION BY webhook_id ORDER BY next_at, id) AS place
       FROM webhook_deliveries WHERE next_at <= ?) WHERE place <= ?) ORDER BY next_at, id`,
  );
  const nextAt = db.prepare("SELECT min(next_at) AS at FROM webhook_deliveries WHERE next_at IS NOT NULL");
  const enqueue = db.prepareChange(
    "INSERT INTO webhook_deliveries (webhook_id, message_id, type, body, created_at, attempts, next_at, tried_at," +
      " status, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const tried = db.prepareChange(
    "UPDATE webhook_deliveries SET attempts = ?, next_at = ?, tried_at = ?, status = ?, problem = ? WHERE id = ?",
  );
  const prune = db.prepareChange(
    "DELETE FROM webhook_deliveries WHERE webhook_id = ?1 AND id <=" +
      " (SELECT id FROM webhook_deliveries WHERE webhook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
  );
  const announced = db.prepare("SELECT at FROM announced WHERE topic = ?");
  const setAnnounced = db.prepareChange(
    "INSERT INTO announced (topic, at) VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET at = excluded.at",
  );
  const forget = db.prepareChange("DELETE FROM announced WHERE at < ?");
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
    delete(id) {
      removeDeliveries.run(id);
      return remove.run(id).changes > 0;
    },
    deliveries: (id, limit) => all<DeliveryRow & Row>(deliveries, id, limit),
    due: (now, each) => all<DeliveryRow & Row>(due, now, each),
    nextAt: () => first<{ at: number | null }>(nextAt)!.at ?? undefined,
    enqueue: (row) =>
      Number(
        enqueue.run(
          row.webhookId,
          row.messageId,
          row.type,
          row.body,
          row.createdAt,
          row.attempts,
          row.nextAt,
          row.triedAt,
          row.status,
          row.problem,
        ).lastInsertRowid,
      ),
    tried: ({ id, attempts, nextAt, triedAt, status, problem }) =>
      void tried.run(attempts, nextAt, triedAt, status, problem, id),
    prune: (id, kept) => void prune.run(id, kept),
    announcedAt: (topic) => first<{ at: number }>(announced, topic)?.at,
    setAnnounced: (topic, at) => void setAnnounced.run(topic, at),
    forgetAnnounced: (time) => void forget.run(time),
  };
}
