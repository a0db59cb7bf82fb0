// Keeps one connection for one kind of work, so that no kind waits for another: opened when it is needed, opened again when
// it was lost, and used by one caller at a time.

import { StoreUnavailable } from "../log/errors.ts";
import { setupProblem, unavailability } from "./failures.ts";
import { pause } from "./pause.ts";
import { endsSession, openSession, type Session, type SessionOptions, type Sql } from "./session.ts";

/** In which a caller has an answer: a change that cannot be stored is refused within 5 s. */
export const REQUEST_TIMEOUT_MS = 4_000;

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export interface RunOptions {
  /** Default `REQUEST_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /** Whether `work` may run again, from its beginning, after the connection was lost. */
  readonly isRepeatable?: boolean;
}

/** In milliseconds of `performance.now()`. */
export type Deadline = number;

/** Returns the open session of a lane, and opens it if necessary. @throws StoreUnavailable after the deadline */
export type OpenLane = (deadline: Deadline) => Promise<Session>;

export class Lane {
  readonly #options: SessionOptions;
  #session: Session | undefined;
  /** Index of the host that was used last. */
  #host = 0;
  #lastTurn: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * Runs statements while no other caller of this lane does.
   * @throws StoreUnavailable after the time at the latest; any other error of `work`
   */
  run<T>(work: (sql: Sql) => Promise<T>, options: RunOptions = {}): Promise<T> {
    const { timeoutMs = REQUEST_TIMEOUT_MS, isRepeatable = false } = options;
    const deadline = performance.now() + timeoutMs;
    return this.use(deadline, async (open) => {
      for (;;) {
        const session = await open(deadline);
        try {
          return await bounded(session, deadline, work(session.sql));
        } catch (error) {
          if (unavailability(error) === undefined || !isRepeatable || session.isOpen) throw error;
        }
      }
    });
  }

  /** Like `run`, in a transaction, which is rolled back if `work` throws. */
  transaction<T>(work: (sql: Sql) => Promise<T>, options: RunOptions = {}): Promise<T> {
    return this.run(async (sql) => {
      await sql.unsafe("BEGIN");
      try {
        const result = await work(sql);
        await commit(sql);
        return result;
      } catch (error) {
        await sql.unsafe("ROLLBACK").catch(() => {});
        throw error;
      }
    }, options);
  }

  /**
   * Calls `work` when it is this caller's turn, with a function that returns the lane's open session. Errors that mean that
   * PostgreSQL is not available become StoreUnavailable.
   */
  async use<T>(deadline: Deadline, work: (open: OpenLane) => Promise<T>): Promise<T> {
    const endTurn = await this.#turn(deadline);
    try {
      return await work((until) => this.#open(until));
    } catch (error) {
      if (endsSession(error)) this.#session?.destroy();
      throw asUnavailable(error);
    } finally {
      endTurn();
    }
  }

  /** Opens the connection if it is not; for the start. @throws PostgresSetupError; any error of the network */
  async connect(): Promise<void> {
    if (!this.#session?.isOpen) this.#session = await this.#connectOnce();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#session?.end();
  }

  /** Waits until those who came before have ended; returns what ends this turn. */
  async #turn(deadline: Deadline): Promise<() => void> {
    const before = this.#lastTurn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastTurn = Promise.all([before, promise]).then(() => {});
    if (!await happensBefore(deadline, before)) {
      resolve();
      throw new StoreUnavailable("it did not answer in time");
    }
    return resolve;
  }

  async #open(deadline: Deadline): Promise<Session> {
    for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (this.#closing.signal.aborted) throw new StoreUnavailable("this node is stopping");
      if (this.#session?.isOpen) return this.#session;
      let problem: unknown;
      const connecting = this.#connectOnce().then((session) => this.#session = session, (error) => {
        problem = error;
      });
      const isInTime = await happensBefore(deadline, connecting);
      if (isInTime && problem === undefined) continue;
      const pauseFor = pauseMs * (0.5 + Math.random() / 2);
      if (!isInTime || performance.now() + pauseFor > deadline) {
        throw asUnavailable(problem ?? new StoreUnavailable("it did not answer in time"));
      }
      await pause(pauseFor, this.#closing.signal);
    }
  }

  async #connectOnce(): Promise<Session> {
    const { hosts } = this.#options.url;
    const session = await openSession(this.#options, this.#host);
    if (this.#closing.signal.aborted) {
      session.destroy();
      throw new StoreUnavailable("this node is stopping");
    }
    this.#host = hosts.indexOf(session.host);
    return session;
  }
}

/** Commits; a COMMIT of a transaction that has failed is answered by ROLLBACK, without an error. `first` is run before. */
export async function commit(sql: Sql, first = ""): Promise<void> {
  const { command } = await sql.unsafe(`${first}COMMIT`);
  if (command !== "COMMIT") throw new Error(`COMMIT was answered by ${command}`);
}

/** Waits for statements of the session until the deadline, and ends the session then. */
export async function bounded<T>(session: Session, deadline: Deadline, work: Promise<T>): Promise<T> {
  if (await happensBefore(deadline, work)) return await work;
  session.destroy();
  work.catch(() => {});
  throw new StoreUnavailable("it did not answer in time");
}

/** Whether `work` ends before the deadline, well or not. */
async function happensBefore(deadline: Deadline, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([work.then(() => true, () => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the error that callers get. */
export function asUnavailable(error: unknown): unknown {
  if (error instanceof StoreUnavailable) return error;
  const why = setupProblem(error) ?? unavailability(error);
  return why === undefined ? error : Object.assign(new StoreUnavailable(why), { cause: error });
}
