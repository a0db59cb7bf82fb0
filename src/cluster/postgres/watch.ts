// Keeps a connection open for notifications and advisory locks, both of which end with it.

import { type Clocks, elapsedMs, type Instant, readClocks, SYSTEM_CLOCKS } from "../node/clock.ts";
import { pause } from "./pause.ts";
import { setupProblem } from "./failures.ts";
import { openSession, type Session, type SessionOptions, type Sql } from "./session.ts";

/**
 * Is called with the payload of a notification, or without one when notifications may have been lost: look at what they
 * are about.
 */
export type NotificationListener = (payload: string | undefined) => void;

/** PostgreSQL ends the session of a node that has stopped after this time, and with it its locks. */
const IDLE_TIMEOUT_MS = 15_000;
/** A statement at least this often shows both sides that the other one is there. */
const PING_INTERVAL_MS = 4_000;
const PING_TIMEOUT_MS = 4_000;
/** A lock is held only as long as an answer is at most this old, which is before PostgreSQL could end the session. */
export const CONFIRMED_FOR_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

export class Watch {
  readonly #options: SessionOptions;
  readonly #listeners = new Map<string, Set<NotificationListener>>();
  readonly #onOpen = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #session: Session | undefined;
  readonly #clocks: Clocks;
  /** When the last answered statement was sent. */
  #confirmedAt: Instant | undefined;

  constructor(
    options: Omit<SessionOptions, "idleTimeoutMs" | "onNotify" | "statementTimeoutMs">,
    clocks: Clocks = SYSTEM_CLOCKS,
  ) {
    this.#clocks = clocks;
    this.#options = {
      ...options,
      statementTimeoutMs: PING_TIMEOUT_MS,
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      onNotify: (_, payload) => this.#notified(payload),
    };
    this.#running = this.#run();
  }

  /** The open session; undefined while there is none. Statements on it must be short. */
  get session(): Session | undefined {
    return this.#session?.isOpen ? this.#session : undefined;
  }

  /** Whether the server has answered lately, so that it has not ended the session meanwhile. */
  get isConfirmed(): boolean {
    if (this.session === undefined || this.#confirmedAt === undefined) return false;
    // Also after a suspend, in which PostgreSQL ends the session.
    return elapsedMs(this.#confirmedAt, readClocks(this.#clocks)) < CONFIRMED_FOR_MS;
  }

  /** Calls `listener` for each notification of this kind, by any node; returns a function that ends this. */
  listen(kind: string, listener: NotificationListener): () => void {
    let listeners = this.#listeners.get(kind);
    if (!listeners) this.#listeners.set(kind, listeners = new Set());
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** Calls `listener` each time the connection was opened. */
  onOpen(listener: () => void): () => void {
    this.#onOpen.add(listener);
    return () => void this.#onOpen.delete(listener);
  }

  /** Notifies all nodes when the transaction of `sql` is committed. */
  async notify(sql: Sql, kind: string, payload: string): Promise<void> {
    await sql`SELECT pg_notify(${this.#options.schema}, ${`${kind} ${payload}`})`;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#session?.end();
    await this.#running;
  }

  #notified(text: string): void {
    const space = text.indexOf(" ");
    for (const listener of this.#listeners.get(text.slice(0, space)) ?? []) listener(text.slice(space + 1));
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let pauseMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        await this.#hold();
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        // What an operator has to fix is reported by the lanes, which callers wait for.
        if (setupProblem(error) !== undefined) pauseMs = LONGEST_PAUSE_MS;
      }
      if (signal.aborted) return;
      await pause(pauseMs * (0.5 + Math.random() / 2), signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** Opens the session and keeps it until it ends. */
  async #hold(): Promise<void> {
    const { signal } = this.#closing;
    const session = await openSession(this.#options);
    if (signal.aborted) return session.destroy();
    this.#session = session;
    const ended = new AbortController();
    session.closed.then(() => ended.abort());
    const untilEnd = AbortSignal.any([signal, ended.signal]);
    try {
      await this.#ask(session, (sql) => sql.unsafe(`LISTEN "${this.#options.schema}"`));
      for (const listener of this.#onOpen) listener();
      for (const listeners of this.#listeners.values()) for (const listener of listeners) listener(undefined);
      while (!untilEnd.aborted) {
        await pause(PING_INTERVAL_MS, untilEnd);
        if (!untilEnd.aborted) await this.#ask(session, (sql) => sql`SELECT 1`);
      }
    } finally {
      if (!signal.aborted) session.destroy();
    }
  }

  /** Runs a statement; a session that does not answer it in time is ended. */
  async #ask(session: Session, statement: (sql: Sql) => Promise<unknown>): Promise<void> {
    const sentAt = readClocks(this.#clocks);
    const timer = setTimeout(() => session.destroy(), PING_TIMEOUT_MS);
    try {
      await statement(session.sql);
      this.#confirmedAt = sentAt;
    } finally {
      clearTimeout(timer);
    }
  }
}
