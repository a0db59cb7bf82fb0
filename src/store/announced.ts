// Stores what was announced, so that it is not announced again.

import { type Database, first } from "./database.ts";

export interface AnnouncedStore {
  /** Returns when a topic was last announced. */
  at(topic: string): number | undefined;
  set(topic: string, at: number): void;
  /** Forgets what was announced before `time`. */
  forget(time: number): void;
}

export function createAnnouncedStore(db: Database): AnnouncedStore {
  const at = db.prepare("SELECT at FROM announced WHERE topic = ?");
  const set = db.prepareChange(
    "INSERT INTO announced (topic, at) VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET at = excluded.at",
  );
  const forget = db.prepareChange("DELETE FROM announced WHERE at < ?");
  return {
    at: (topic) => first<{ at: number }>(at, topic)?.at,
    set: (topic, time) => void set.run(topic, time),
    forget: (time) => void forget.run(time),
  };
}
