// Raises an alert when a secret that is marked as a canary is read, revealed or sent out: an entry of the audit, one of
// the server's log, and a call of each listener.

import { type Actor, type LoneRecorder, type Recorder, SERVER } from "../../actor.ts";
import { messageOf } from "../../errors.ts";
import type { FunctionId, KeyId, SecretId } from "../../ids.ts";
import type { SealedUse } from "../../sealed.ts";
import { oncePerMinute } from "../../once_per_minute.ts";
import type { Store } from "../../store/store.ts";

/** A canary. */
export interface Canary {
  readonly id: SecretId;
  readonly name: string;
}

/** The call that a canary was disclosed to. */
export interface CanaryReader {
  readonly functionId: FunctionId;
  /** Of the caller; undefined on a public function. */
  readonly keyId: KeyId | undefined;
  /** An object that stands for the call. */
  readonly call: object;
}

/**
 * `read`: disclosed to a handler; `sent`: found in a response; `sent-to-host`: sent to `host`, where it is sealed;
 * `blocked`: its placeholder was sent to `host`, and the value was not; `revealed`: shown by the API or a page, or
 * exported.
 */
export interface CanaryAlert extends Canary {
  readonly how: "read" | "sent" | "sent-to-host" | "blocked" | "revealed";
  readonly host: string | undefined;
  /** What the value may not go to: the host, or the place in a request to it. Undefined unless it was blocked. */
  readonly blockedBy: "host" | "place" | undefined;
  /** Undefined for a value that was revealed. */
  readonly functionId: FunctionId | undefined;
  readonly functionName: string | undefined;
  readonly keyId: KeyId | undefined;
  readonly keyName: string | undefined;
  /** Who revealed it. */
  readonly actor: Actor | undefined;
}

export interface SecretAlerts {
  /** Raises the alert of a canary that is disclosed to a handler, once for each call. */
  read(reader: CanaryReader, canary: Canary): void;

  /** Raises the alerts of those of `names` that are canaries and were disclosed to the call. */
  sent(call: object, names: readonly string[]): void;

  /** Raises the alert of a sealed canary whose placeholder has left with a request of the call. */
  sentTo(reader: CanaryReader, canary: Canary, host: string, use: SealedUse): void;

  /** Raises the alerts of the canaries among secrets that an actor has revealed. Called within the transaction. */
  revealed(actor: Actor, secrets: readonly (Canary & { readonly canary: boolean })[]): void;

  /** Calls `listener` for each alert from now on; the function returned ends that. */
  onCanary(listener: (alert: CanaryAlert) => void): () => void;
}

export interface SecretAlertsOptions {
  readonly store: Pick<Store, "functions" | "access">;
  readonly record: Recorder;
  readonly recordAlone: LoneRecorder;
  readonly log: (level: "error" | "warn", message: string) => void;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

/** Alerts that go nowhere, for what is not about them. */
export const NO_ALERTS: SecretAlerts = {
  read: () => {},
  sent: () => {},
  sentTo: () => {},
  revealed: () => {},
  onCanary: () => () => {},
};

export function createSecretAlerts({ store, record, recordAlone, log, now }: SecretAlertsOptions): SecretAlerts {
  const listeners = new Set<(alert: CanaryAlert) => void>();
  const isNews = oncePerMinute<string>(now);
  /** The canaries that each running call was given. */
  const given = new WeakMap<object, { readonly reader: CanaryReader; readonly canaries: Map<string, SecretId> }>();

  /** Values that are being revealed. */
  const pending = new Set<string>();

  const report = (alert: CanaryAlert): void => {
    const { id, name, how, host, functionId, keyId } = alert;
    if (isNews(`${how} ${id} ${functionId} ${keyId} ${host}`)) {
      log("error", `The canary secret ${id} "${name}" ${whatOf(alert)} ${whoOf(alert)}.`);
    }
    for (const listener of listeners) listener(alert);
  };

  const alertOfCall = (
    { functionId, keyId }: CanaryReader,
    { id, name }: Canary,
    how: Exclude<CanaryAlert["how"], "revealed">,
    host?: string,
    blockedBy?: CanaryAlert["blockedBy"],
  ): void => {
    const functionName = store.functions.find(functionId)?.name;
    const key = keyId === undefined ? undefined : store.access.key(keyId);
    const keyName = key && `${key.groupName}/${key.name}`;
    report({ id, name, how, host, blockedBy, functionId, functionName, keyId, keyName, actor: undefined });
    const after = {
      how,
      ...(host !== undefined && { host }),
      ...(blockedBy !== undefined && { blockedBy }),
      functionId,
      functionName: functionName ?? null,
      keyId: keyId ?? null,
      keyName: keyName ?? null,
    };
    const failed = (error: unknown): void =>
      log("warn", `An alert of the canary secret ${id} could not be recorded in the audit: ${messageOf(error)}`);
    const event = { action: "secret.canary", subject: { kind: "secret", id, name }, after } as const;
    // After the answer of the call, which does not wait for it.
    setTimeout(() => void recordAlone(SERVER, event).catch(failed), 0);
  };

  return {
    read(reader, canary) {
      let known = given.get(reader.call);
      if (!known) given.set(reader.call, known = { reader, canaries: new Map() });
      // A handler could flood the audit with entries of its own otherwise.
      if (known.canaries.get(canary.name) === canary.id) return;
      known.canaries.set(canary.name, canary.id);
      alertOfCall(reader, canary, "read");
    },

    sent(call, names) {
      const known = given.get(call);
      if (!known) return;
      for (const name of names) {
        const id = known.canaries.get(name);
        if (id !== undefined) alertOfCall(known.reader, { id, name }, "sent");
      }
    },

    sentTo(reader, canary, host, use) {
      if (use === "sent") alertOfCall(reader, canary, "sent-to-host", host);
      else alertOfCall(reader, canary, "blocked", host, use === "other host" ? "host" : "place");
    },

    revealed(actor, secrets) {
      const nowhere = { host: undefined, blockedBy: undefined };
      const none = { ...nowhere, functionId: undefined, functionName: undefined, keyId: undefined, keyName: undefined };
      for (const { id, name, canary } of secrets) {
        if (!canary) continue;
        record(actor, {
          action: "secret.canary",
          subject: { kind: "secret", id, name },
          after: { how: "revealed" },
        });
        // A transaction may be repeated, and is over then.
        const key = `${id} ${JSON.stringify(actor)}`;
        if (pending.has(key)) continue;
        pending.add(key);
        setTimeout(() => {
          pending.delete(key);
          report({ id, name, how: "revealed", ...none, actor });
        }, 0);
      }
    },

    onCanary(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function whatOf({ how, host, blockedBy }: CanaryAlert): string {
  switch (how) {
    case "read":
      return "was read by";
    case "sent":
      return "was sent out in a response of";
    case "sent-to-host":
      return `was sent to the host "${host}" by`;
    case "blocked":
      return blockedBy === "host"
        ? `was withheld from a request to the host "${host}", which is not one of its hosts, of`
        : `was withheld from a place that is not one of its places in a request to the host "${host}" of`;
    case "revealed":
      return "was revealed to";
  }
}

function whoOf({ functionName, functionId, keyName, actor }: CanaryAlert): string {
  if (actor) return actor.kind === "key" || actor.kind === "admin" ? `${actor.kind} "${nameOf(actor)}"` : actor.kind;
  const key = keyName === undefined ? "" : ` for the key "${keyName}"`;
  return `the function "${functionName ?? functionId}"${key}`;
}

function nameOf(actor: Actor & { readonly name: string }): string {
  return actor.kind === "key" ? `${actor.group}/${actor.name}` : actor.name;
}
