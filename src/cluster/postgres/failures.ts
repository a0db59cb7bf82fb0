// Classifies errors of PostgreSQL and of the way to it: what passes, what an operator has to fix, and what is a bug.

import { SetupError } from "../../errors.ts";
import { StoreUnavailable } from "../log/errors.ts";

/**
 * PostgreSQL cannot be used as it is set up: the message says what to change, as a clause. A starting node stops with it;
 * retries do not help.
 */
export class PostgresSetupError extends SetupError {}

interface Failure {
  readonly code?: unknown;
  readonly message?: unknown;
}

/** By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const SETUP: Record<string, string> = {
  "28000": "it refuses the user; correct it in DATABASE_URL, or allow it in pg_hba.conf",
  "28P01": "it refuses the password; correct it in DATABASE_URL",
  "3D000": "it has no such database; create it, or correct DATABASE_URL",
  "3F000": "the user has no permission to use the schema that DATABASE_SCHEMA names: it has to own it",
  "42501": "the user lacks a permission: it has to own the schema that DATABASE_SCHEMA names, or the database",
};

/** Classes and states that pass, or need a person at PostgreSQL. */
const UNAVAILABLE: readonly (readonly [state: string, why: string])[] = [
  ["08", "the connection failed"],
  ["53100", "its disk is full"],
  ["53200", "it is out of memory"],
  ["53300", "it has no connection left; raise max_connections, or the role's limit"],
  ["53", "it lacks resources"],
  ["55P03", "the lock was not free in time"],
  ["57014", "it did not answer in time"],
  ["57P01", "it is shutting down"],
  ["57P02", "it crashed"],
  ["57P03", "it is starting or stopping"],
  ["57P05", "it ended an idle session"],
  ["25P03", "it ended a transaction that was idle for too long"],
  ["25006", "it does not accept writes, as a standby does not"],
  ["40", "it rolled back a transaction"],
  ["57P04", "its database was dropped"],
  ["58", "its system reported an error"],
  ["XX", "it reported an internal error"],
];

/**
 * States that nothing in this program causes, by class: an operator, a restored dump or a trigger does. Once that is undone,
 * everything continues. Shown with PostgreSQL's message.
 */
const FOREIGN: readonly (readonly [state: string, why: string])[] = [
  ["0A000", "its tables were altered"],
  ["26000", "a session was reset"],
  ["42P01", "a table is missing"],
  ["42703", "its tables were altered"],
  ["42804", "its tables were altered"],
  ["42883", "its tables were altered"],
  ["54", "a limit was exceeded"],
  ["55", "it refuses a statement"],
  ["P0", "a trigger refuses a statement"],
];

/** Of Node's sockets and of the client. */
const NETWORK: Record<string, string> = {
  CONNECTION_CLOSED: "the connection was closed",
  CONNECTION_DESTROYED: "the connection was closed",
  CONNECTION_ENDED: "the connection was closed",
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed",
  EPIPE: "the connection was closed",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name could not be looked up",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  ETIMEDOUT: "it did not answer in time",
};

/** Returns what an operator has to change, as a clause; undefined for an error of another kind. */
export function setupProblem(error: unknown): string | undefined {
  if (error instanceof PostgresSetupError) return error.message;
  if (error instanceof StoreUnavailable) return error.cause === undefined ? undefined : setupProblem(error.cause);
  const { code, message } = error as Failure;
  const why = typeof code === "string" ? SETUP[code] : undefined;
  return why === undefined ? undefined : `${why} (${message})`;
}

/** Returns why PostgreSQL is not available, as a clause; undefined for an error of another kind, such as a bug. */
export function unavailability(error: unknown): string | undefined {
  const { code, message } = error as Failure;
  if (typeof code !== "string") return undefined;
  const why = NETWORK[code] ?? UNAVAILABLE.find(([state]) => code.startsWith(state))?.[1];
  if (why !== undefined) return why;
  const foreign = FOREIGN.find(([state]) => code.startsWith(state))?.[1];
  if (foreign !== undefined) return `${foreign} (${message})`;
  // Deno reports some errors of sockets without Node's code.
  return /^(?:read|write|connect) E[A-Z]+/.test(String(message)) ? "the connection failed" : undefined;
}
