// Defines who makes a change and what the audit records about it. Services take the actor as an argument, so that a
// change without one does not compile.

import { AppError } from "./errors.ts";
import type { KeyId } from "./ids.ts";

/** Where a request came from. */
export interface Origin {
  /** The client's IP address; behind a proxy that is not trusted, the proxy's. */
  readonly address: string;
  readonly requestId: string;
}

/** Checks whether the credential of a request still allows it to manage the server. */
export interface Entitlement {
  /** Returns why it no longer does, or undefined. Changes nothing. */
  readonly refusal: () => AppError | undefined;
}

/** A request by the holder of an API key. */
export type KeyActor =
  & { readonly kind: "key"; readonly id: KeyId; readonly name: string; readonly group: string }
  & Entitlement;
/** A request by an admin who is signed in; `name` is the e-mail address. */
export type AdminActor = { readonly kind: "admin"; readonly id: string; readonly name: string } & Entitlement;
/** A request by a client that is not authenticated: to sign in, or to create the first account. */
export type VisitorActor = { readonly kind: "visitor" };

/** Who makes a change, and from where: a request, the command line, or the server itself. */
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

/** The user of the command line on the server's machine. */
export const OPERATOR: Actor = { kind: "operator" };
/** The server itself, for changes that no request asked for, such as a scheduled rotation. */
export const SERVER: Actor = { kind: "server" };

export const ENTITLEMENT_LOST = "EntitlementLost";

/** Returns the error for a request whose sender lost the right to it after it was admitted; `lost` is a clause. */
export function entitlementLost(lost: string, status: 401 | 403 = 401): AppError {
  return new AppError(ENTITLEMENT_LOST, status, `${lost} before the request was complete. Nothing was changed.`);
}

/**
 * Throws if, after the request was admitted, its key was revoked or may no longer use the API, or its session ended: a
 * body may take minutes to arrive. Called within the transaction of each change.
 * @throws AppError EntitlementLost (401, or 403 for a key whose group may no longer use the API)
 */
export function requireEntitled(actor: Actor): void {
  const refusal = "refusal" in actor ? actor.refusal() : undefined;
  if (refusal) throw refusal;
}

/** All actions that the audit records. */
export const ACTIONS = [
  "secret.created",
  "secret.updated",
  "secret.deleted",
  "secret.restored",
  "secret.purged",
  "secret.revealed",
  "secret.canary",
  "function.created",
  "function.updated",
  "function.deleted",
  "file.created",
  "file.updated",
  "file.deleted",
  "file.failed",
  "code.deployed",
  "code.restored",
  "code.purged",
  "git-source.set",
  "git-source.removed",
  "package.updated",
  "key-group.created",
  "key-group.updated",
  "key-group.deleted",
  "key.created",
  "key.updated",
  "key.rolled",
  "key.previous-value-revoked",
  "key.revoked",
  "key.revealed",
  "webhook.created",
  "webhook.updated",
  "webhook.deleted",
  "webhook.failed",
  "mail-server.set",
  "mail-server.removed",
  "mail-recipients.created",
  "mail-recipients.updated",
  "mail-recipients.deleted",
  "mail.failed",
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
  "cluster.founded",
  "cluster.moved",
  "cluster.left",
  "cluster.upgraded",
  "node.joined",
  "node.left",
  "node.forgotten",
] as const;

export type Action = (typeof ACTIONS)[number];

/** What was changed. `id` is null if there is none, as for a file, or if there are several. */
export interface Subject {
  readonly kind: string;
  readonly id: number | string | null;
  readonly name: string;
}

/**
 * Properties of a subject before or after a change, as JSON. Never contains the value of a secret or a key: a value
 * that was set or changed appears as `value: "set"` or `value: "changed"`.
 */
export type Facts = { readonly [name: string]: unknown };

/** What happened. */
export interface AuditEvent {
  readonly action: Action;
  readonly subject: Subject;
  readonly before?: Facts | undefined;
  readonly after?: Facts | undefined;
}

/** Adds an entry to the audit, within the transaction of the change, so that both are stored or neither. */
export type Recorder = (actor: Actor, event: AuditEvent) => void;

/** Adds an entry to the audit for what changes nothing that is stored with it; it is stored when this resolves. */
export type LoneRecorder = (actor: Actor, event: AuditEvent) => Promise<void>;

/** Returns the event of a change of the key file's passphrase: `added`, `changed` or `removed`. */
export function passphraseChange(change: string): AuditEvent {
  return { action: "passphrase.changed", subject: { kind: "passphrase", id: null, name: "" }, after: { change } };
}

/** Returns the facts that differ, as they were before and after. */
export function difference(before: Facts, after: Facts): { before: Facts; after: Facts } {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const of = (facts: Facts): Facts => Object.fromEntries(changed.map((name) => [name, facts[name]]));
  return { before: of(before), after: of(after) };
}

/** Ids in one entry; an event with more ids gets several entries. */
const IDS_MAX = 1_000;

/**
 * Returns the events of an action on several subjects at once, such as a page of values that were revealed. One subject
 * gets an ordinary event; several get events that list their ids.
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
