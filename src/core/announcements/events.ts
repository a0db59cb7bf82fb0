// Defines the types of announcements.

/** Every type, with when it is announced. */
export const ANNOUNCEMENT_TYPES = {
  "secret.due": "a secret is due for a new value, or expires",
  "secret.leaked": "a response of a function held the value of a secret",
  "secret.canary": "a canary was read, sent out or revealed",
  "function.failing": "at least five calls of a function failed within an hour, and half of all",
  "function.suspended": "a function is suspended because its processes keep dying",
  "key.expiring": "an API key expires soon",
  "key.unused": "an API key was not used for a long time",
  "sign-in.new-place": "a user signed in from a network that they did not sign in from before",
  "rotation.failed": "the rotation of encryption keys failed",
  "backup.old": "the last backup is old",
} as const;

export type AnnouncementType = keyof typeof ANNOUNCEMENT_TYPES;

export const TYPES = Object.keys(ANNOUNCEMENT_TYPES) as AnnouncementType[];

/** Something to announce. Its data never holds the value of a secret or a key. */
export interface Announcement {
  readonly type: AnnouncementType;
  /** What it is about; the same topic is not announced again, or not before `againAfterMs` have passed. */
  readonly topic: string;
  readonly againAfterMs?: number;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The end of what was announced: it is announced at once if it happens again. */
export interface Ended {
  readonly ended: string;
}

/** Returns the JSON that is sent. */
export function bodyOf({ type, at, data }: {
  readonly type: string;
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}): string {
  return JSON.stringify({ type, timestamp: new Date(at).toISOString(), data });
}
