// Stores deliveries of announcements: to webhooks, and to addresses of mail. An altered one is logged as a finding and
// counts for nothing: what is sent is signed, or comes from an address that people trust.

import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, type Row } from "./database.ts";

export type ChannelName = "webhook" | "mail";

/** What announcements are delivered to: a webhook, or a set of recipients of mail. */
export interface Receiver {
  readonly channel: ChannelName;
  readonly receiverId: number;
}

/** Times in milliseconds since 1970 UTC. */
export interface DeliveryRow extends Receiver {
  readonly id: number;
  /** One address of mail; empty for a webhook. */
  readonly recipient: string;
  /** The same for all receivers and attempts. */
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
  /** Status of the last answer, by HTTP or SMTP; null if there was none. */
  readonly status: number | null;
  /** What went wrong in the last attempt; null if nothing did. */
  readonly problem: string | null;
}

/** What an attempt changes. */
export type DeliveryOutcome = Pick<DeliveryRow, "id" | "attempts" | "nextAt" | "triedAt" | "status" | "problem">;

export interface DeliveryStore {
  /** Returns the last deliveries to a receiver, newest first. */
  list(receiver: Receiver, limit: number): DeliveryRow[];
  /** Returns at least `each` deliveries to each recipient that are to be tried by `now`, those that wait longest first. */
  due(channel: ChannelName, now: number, each: number): DeliveryRow[];
  /** Returns the recipients of a channel that have deliveries to be tried by `now`, without checking their rows. */
  dueRecipients(channel: ChannelName, now: number): (Receiver & Pick<DeliveryRow, "recipient">)[];
  /** Returns all deliveries to a recipient that are to be tried by `now`, those that wait longest first. */
  dueOf(receiver: Receiver, recipient: string, now: number): DeliveryRow[];
  /** Returns when a delivery is to be tried next after `now`. */
  nextAfter(now: number): number | undefined;
  /** Returns at how many times since `from` a recipient was tried. */
  triesSince(receiver: Receiver, recipient: string, from: number): number;
  /** Returns the new delivery's id. */
  enqueue(row: Omit<DeliveryRow, "id">): number;
  /** Keeps the outcome of an attempt, unless the delivery is gone. */
  tried(outcome: DeliveryOutcome): void;
  /** Deletes all but the newest `kept` deliveries to a recipient. */
  prune(receiver: Receiver, recipient: string, kept: number): void;
  /** Deletes all deliveries to a receiver. */
  deleteOf(receiver: Receiver): void;
}

const SELECT = `SELECT id, channel, receiver_id AS receiverId, recipient, message_id AS messageId, type, body,
  created_at AS createdAt, attempts, next_at AS nextAt, tried_at AS triedAt, status, problem FROM deliveries`;
const OF_RECIPIENT = "channel = ?1 AND receiver_id = ?2 AND recipient = ?3";

export function createDeliveryStore(db: Database, rows: RowCheck): DeliveryStore {
  const list = db.prepare(`${SELECT} WHERE channel = ? AND receiver_id = ? ORDER BY id DESC LIMIT ?`);
  const due = db.prepare(
    `${SELECT} WHERE id IN (SELECT id FROM (
       SELECT id, row_number() OVER (PARTITION BY receiver_id, recipient ORDER BY next_at, id) AS place
       FROM deliveries WHERE channel = ? AND next_at <= ?) WHERE place <= ?) ORDER BY next_at, id`,
  );
  const dueRecipients = db.prepare(
    "SELECT DISTINCT channel, receiver_id AS receiverId, recipient FROM deliveries WHERE channel = ? AND next_at <= ?",
  );
  const dueOf = db.prepare(`${SELECT} WHERE ${OF_RECIPIENT} AND next_at <= ?4 ORDER BY next_at, id`);
  const nextAfter = db.prepare("SELECT min(next_at) AS at FROM deliveries WHERE next_at > ?");
  const tries = db.prepare(
    `SELECT count(DISTINCT tried_at) AS n FROM deliveries WHERE ${OF_RECIPIENT} AND tried_at > ?4`,
  );
  const enqueue = db.prepareChange(
    "INSERT INTO deliveries (channel, receiver_id, recipient, message_id, type, body, created_at, attempts, next_at," +
      " tried_at, status, problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const tried = db.prepareChange(
    "UPDATE deliveries SET attempts = ?, next_at = ?, tried_at = ?, status = ?, problem = ? WHERE id = ?",
  );
  const prune = db.prepareChange(
    `DELETE FROM deliveries WHERE ${OF_RECIPIENT} AND id <=` +
      ` (SELECT id FROM deliveries WHERE ${OF_RECIPIENT} ORDER BY id DESC LIMIT 1 OFFSET ?4)`,
  );
  const deleteOf = db.prepareChange("DELETE FROM deliveries WHERE channel = ? AND receiver_id = ?");
  const authentic = (found: readonly DeliveryRow[]): DeliveryRow[] =>
    found.filter(({ id }) => rows.check("deliveries", id));

  return {
    list: ({ channel, receiverId }, limit) => authentic(all<DeliveryRow & Row>(list, channel, receiverId, limit)),
    due(channel, now, each) {
      // Altered ones, which stay due, must not take the places of others.
      for (let altered = 0;;) {
        const found = all<DeliveryRow & Row>(due, channel, now, each + altered);
        const good = authentic(found);
        if (found.length - good.length <= altered) return good;
        altered = found.length - good.length;
      }
    },
    dueRecipients: (channel, now) => all<Receiver & Pick<DeliveryRow, "recipient"> & Row>(dueRecipients, channel, now),
    dueOf: ({ channel, receiverId }, recipient, now) =>
      authentic(all<DeliveryRow & Row>(dueOf, channel, receiverId, recipient, now)),
    nextAfter: (now) => first<{ at: number | null }>(nextAfter, now)!.at ?? undefined,
    triesSince: ({ channel, receiverId }, recipient, from) =>
      first<{ n: number }>(tries, channel, receiverId, recipient, from)!.n,
    enqueue: (row) =>
      Number(
        enqueue.run(
          row.channel,
          row.receiverId,
          row.recipient,
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
    prune: ({ channel, receiverId }, recipient, kept) => void prune.run(channel, receiverId, recipient, kept),
    deleteOf: ({ channel, receiverId }) => void deleteOf.run(channel, receiverId),
  };
}
