// Suspends functions whose processes keep dying, so that repeated starts do not take the machine from other functions.

/** This many deaths... */
const DEATHS_MAX = 5;
/** ...within this time suspend a function, */
const DEATHS_WITHIN_MS = 60_000;
/** first for this long, then twice as long each time, up to the maximum. */
const FIRST_SUSPENSION_MS = 10_000;
const SUSPENSION_MAX_MS = 600_000;
/** A function that was not suspended for this long starts with the first duration again. */
const FORGIVEN_AFTER_MS = 600_000;

export interface Health {
  /** Deaths of its processes in the last minute. */
  readonly recentDeaths: number;
  /** Why the last process died. */
  readonly lastDeath: string | undefined;
  /** Milliseconds since 1970. The function answers 503 until then. */
  readonly suspendedUntil: number | undefined;
}

interface Record {
  deaths: number[];
  /** Deaths before this time have led to a suspension already. */
  countedFrom: number;
  lastDeath: string;
  suspensions: number;
  suspendedUntil: number;
}

/** The health of all functions. */
export interface Healths {
  /** Counts the death of a process of the function. */
  died(functionId: number, reason: string): void;
  /** Calls `listener` when a function is suspended, with the end of that in milliseconds since 1970. */
  onSuspended(listener: (functionId: number, until: number) => void): void;
  of(functionId: number): Health;
  /** Returns the ids of the functions that are suspended now. */
  suspended(): number[];
  /** Forgets the deaths of a function, as it was changed. */
  forget(functionId: number): void;
}

export function createHealth(now: () => number): Healths {
  const listeners: ((functionId: number, until: number) => void)[] = [];
  const records = new Map<number, Record>();
  const recent = ({ deaths }: Record): number[] => deaths.filter((at) => at > now() - DEATHS_WITHIN_MS);

  return {
    died(functionId: number, reason: string): void {
      const record = records.get(functionId) ??
        { deaths: [], countedFrom: 0, lastDeath: "", suspensions: 0, suspendedUntil: 0 };
      records.set(functionId, record);
      if (now() - record.suspendedUntil > FORGIVEN_AFTER_MS) record.suspensions = 0;
      record.deaths = [...recent(record), now()];
      record.lastDeath = reason;
      if (record.deaths.filter((at) => at > record.countedFrom).length < DEATHS_MAX) return;
      record.suspendedUntil = now() + Math.min(FIRST_SUSPENSION_MS * 2 ** record.suspensions, SUSPENSION_MAX_MS);
      record.suspensions++;
      record.countedFrom = now();
      for (const listener of listeners) listener(functionId, record.suspendedUntil);
    },

    onSuspended: (listener) => void listeners.push(listener),

    of(functionId: number): Health {
      const record = records.get(functionId);
      if (!record) return { recentDeaths: 0, lastDeath: undefined, suspendedUntil: undefined };
      const { lastDeath, suspendedUntil } = record;
      return {
        recentDeaths: recent(record).length,
        lastDeath,
        suspendedUntil: suspendedUntil > now() ? suspendedUntil : undefined,
      };
    },

    suspended(): number[] {
      return [...records].filter(([, { suspendedUntil }]) => suspendedUntil > now()).map(([id]) => id);
    },

    forget(functionId: number): void {
      records.delete(functionId);
    },
  };
}
