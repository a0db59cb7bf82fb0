// Who makes a change, and what the audit is told of it. Services take both as arguments, so that no change
// compiles that nobody is named for.

import { AppError } from "./errors.ts";
import type { KeyId } from "./ids.ts";

/** Where a request came from. */
export interface Origin {
  /** The client's IP address; behind a proxy that is not trusted, the proxy's. */
  readonly address: string;
  readonly requestId: string;
}

/** Why the credential that a request came with no longer lets it manage the server, if it does not. Reads only. */
export interface Entitlement {
  readonly refusal: () => AppError | undefined;
}

/** A request by the holder of an API key. */
export type KeyActor =
  & { readonly kind: "key"; readonly id: KeyId; readonly name: string; readonly group: string }
  & Entitlement;
/** A request by an admin who is signed in; `name` is the e-mail address. */
export type AdminActor = { readonly kind: "admin"; readonly id: string; readonly name: string } & Entitlement;
/** A request by somebody who is not known (yet): who tries to sign in, and who sets the server up. */
export type VisitorActor = { readonly kind: "visitor" };

/** Who makes a change, and from where: a request, the command line, or the server by itself. */
export type Actor =
  | ((KeyActor | AdminActor | VisitorActor) & Origin)
  | { readonly kind: "operator" }
  | { readonly kind: "server" };

export const ACTOR_KINDS = [
  "key",
  "admin",
  "visitor",
  "operator",
  "server",
] as const satisfies readonly Actor["kind"][];

/** Whoever runs the command line on the server's machine. */
export const OPERATOR: Actor = { kind: "operator" };
/** What the server does by itself, such as a rotation that is due. */
export const SERVER: Actor = { kind: "server" };

export const ENTITLEMENT_LOST = "EntitlementLost";

/** The refusal of a request that was let in and whose sender lost the right to it since; `lost` is a clause. */
export function entitlementLost(lost: string, status: 401 | 403 = 401): AppError {
  return new AppError(ENTITLEMENT_LOST, status, `${lost} before the request was complete. Nothing was changed.`);
}

/**
 * Throws if the request's key was revoked or lost the API, or its session ended, after the request was let in: a
 * body may take minutes to arrive. Called within the transaction of each change.
 * @throws AppError EntitlementLost (401, or 403 for a key whose group may no longer use the API)
 */
export function requireEntitled(actor: Actor): void {
  const refusal = "refusal" in actor ? actor.refusal() : undefined;
  if (refusal) throw refusal;
}

/** Everything that the audit has entries of. */
export const ACTIONS = [
  "secret.created",
  "secret.updated",
  "secret.deleted",
  "secret.revealed",
  "function.created",
  "function.updated",
  "function.deleted",
  "file.created",
  "file.updated",
  "file.deleted",
  "file.failed",
  "package.updated",
  "key-group.created",
  "key-group.updated",
  "key-group.deleted",
  "key.created",
  "key.updated",
  "key.revoked",
  "key.revealed",
  "logs.cleared",
  "settings.changed",
  "rotation.started",
  "rotation.finished",
  "rotation.failed",
  "admin.created",
  "admin.updated",
  "admin.deleted",
  "sign-in.succeeded",
  "sign-in.failed",
  "sign-in.locked",
  "sign-in.ended",
  "backup.created",
  "backup.restored",
  "passphrase.changed",
  "response.leaked",
  "response.blocked",
  "audit.started",
  "audit.broken",
  "database.altered",
] as const;

export type Action = (typeof ACTIONS)[number];

/** What a change was made to. `id` is null where there is none, such as for a file, or where there are several. */
export interface Subject {
  readonly kind: string;
  readonly id: number | string | null;
  readonly name: string;
}

/**
 * What is known of a subject before or after a change, as JSON. Never a secret's or a key's value: one that was
 * given or changed is told as `value: "set"` or `value: "changed"`.
 */
export type Facts = { readonly [name: string]: unknown };

/** What happened. */
export interface AuditEvent {
  readonly action: Action;
  readonly subject: Subject;
  readonly before?: Facts | undefined;
  readonly after?: Facts | undefined;
}

/**
 * Adds an entry to the audit. Called within the transaction of the change, so that both are stored or neither;
 * outside of one the entry is stored when this returns.
 */
export type Recorder = (actor: Actor, event: AuditEvent) => void;

/** What happened to the key file's passphrase: `added`, `changed` or `removed`. */
export function passphraseChange(change: string): AuditEvent {
  return { action: "passphrase.changed", subject: { kind: "passphrase", id: null, name: "" }, after: { change } };
}

/** The facts that differ, as they were and as they are. */
export function difference(before: Facts, after: Facts): { before: Facts; after: Facts } {
  const changed = Object.keys(after).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const of = (facts: Facts): Facts => Object.fromEntries(changed.map((name) => [name, facts[name]]));
  return { before: of(before), after: of(after) };
}

/** Ids in one entry; what concerns more of them gets several entries. */
const IDS_MAX = 1_000;

/**
 * What happened to several subjects at once, such as the values of a page that were revealed: an entry for one of
 * them as for any, and for more entries that hold their ids.
 */
export function manyEvents(
  action: Action,
  kind: string,
  subjects: readonly { id: number; name: string }[],
): AuditEvent[] {
  const [first] = subjects;
  if (subjects.length === 1) return [{ action, subject: { kind, id: first!.id, name: first!.name } }];
  const events: AuditEvent[] = [];
  for (let at = 0; at < subjects.length; at += IDS_MAX) {
    const ids = subjects.slice(at, at + IDS_MAX).map(({ id }) => id);
    events.push({ action, subject: { kind, id: null, name: "" }, after: { ids } });
  }
  return events;
}
