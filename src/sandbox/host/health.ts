// Functions whose isolates keep dying: they rest for a while, so that starting them again and again does not
// take the machine from the others.

/** So many deaths... */
const DEATHS_MAX = 5;
/** ...within this time suspend a function, */
const DEATHS_WITHIN_MS = 60_000;
/** at first for so long, then twice as long each time, up to the last. */
const FIRST_REST_MS = 10_000;
const LONGEST_REST_MS = 600_000;
/** A function that has lived for so long since its last rest begins anew. */
const FORGIVEN_AFTER_MS = 600_000;

export interface Health {
  /** Deaths of its isolates in the last minute. */
  readonly recentDeaths: number;
  /** Why the last one died. */
  readonly lastDeath: string | undefined;
  /** Milliseconds since 1970; it answers 503 until then. */
  readonly suspendedUntil: number | undefined;
}

interface Record {
  deaths: number[];
  /** Deaths before this time have led to a rest already. */
  countedFrom: number;
  lastDeath: string;
  rests: number;
  suspendedUntil: number;
}

/** The health of all functions. */
export interface Healths {
  /** Counts a death of one of the function's isolates. */
  died(functionId: number, reason: string): void;
  of(functionId: number): Health;
  /** Ids of the functions that rest now. */
  suspended(): number[];
  forget(functionId: number): void;
}

export function createHealth(now: () => number): Healths {
  const records = new Map<number, Record>();
  const recent = ({ deaths }: Record): number[] => deaths.filter((at) => at > now() - DEATHS_WITHIN_MS);

  return {
    died(functionId: number, reason: string): void {
      const record = records.get(functionId) ??
        { deaths: [], countedFrom: 0, lastDeath: "", rests: 0, suspendedUntil: 0 };
      records.set(functionId, record);
      if (now() - record.suspendedUntil > FORGIVEN_AFTER_MS) record.rests = 0;
      record.deaths = [...recent(record), now()];
      record.lastDeath = reason;
      if (record.deaths.filter((at) => at > record.countedFrom).length < DEATHS_MAX) return;
      record.suspendedUntil = now() + Math.min(FIRST_REST_MS * 2 ** record.rests, LONGEST_REST_MS);
      record.rests++;
      record.countedFrom = now();
    },

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

    /** Ids of the functions that rest now. */
    suspended(): number[] {
      return [...records].filter(([, { suspendedUntil }]) => suspendedUntil > now()).map(([id]) => id);
    },

    /** A changed function gets a new chance. */
    forget(functionId: number): void {
      records.delete(functionId);
    },
  };
}
