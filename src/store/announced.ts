// Stores what was announced, so that it is not announced again.

import { all, type Database, first, type Row } from "./database.ts";

export interface AnnouncedStore {
  /** Returns when a topic was last announced. */
  at(topic: string): number | undefined;
  set(topic: string, at: number): void;
  /** Returns the topics that begin with `prefix`. */
  topics(prefix: string): { readonly topic: string; readonly at: number }[];
  remove(topic: string): void;
  /** Forgets what was announced before `time`. */
  forget(time: number): void;
}

export function createAnnouncedStore(db: Database): AnnouncedStore {
  const at = db.prepare("SELECT at FROM announced WHERE topic = ?");
  const set = db.prepareChange(
    "INSERT INTO announced (topic, at) VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET at = excluded.at",
  );
  const topics = db.prepare("SELECT topic, at FROM announced WHERE substr(topic, 1, length(?1)) = ?1");
  const remove = db.prepareChange("DELETE FROM announced WHERE topic = ?");
  const forget = db.prepareChange("DELETE FROM announced WHERE at < ?");
  return {
    at: (topic) => first<{ at: number }>(at, topic)?.at,
    set: (topic, time) => void set.run(topic, time),
    topics: (prefix) => all<{ topic: string; at: number } & Row>(topics, prefix),
    remove: (topic) => void remove.run(topic),
    forget: (time) => void forget.run(time),
  };
}
