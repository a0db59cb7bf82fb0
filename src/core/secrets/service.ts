// Manages secrets for the API and the pages.

import { type Actor, difference, manyEvents, type Recorder } from "../../actor.ts";
import { AppError, conflict, invalid, notFound } from "../../errors.ts";
import type { Owner, OwnerRef, SecretId, SecretName } from "../../ids.ts";
import { secretAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { SecretValue } from "../../keyring/secret_value.ts";
import { pageOf } from "../../paging.ts";
import {
  type DuePlace,
  type Seal,
  type SecretFilter,
  type SecretRow,
  type SecretStore,
  type SecretTerms,
  setterOf,
} from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, requireVersion } from "../../versions.ts";
import { createNames, type Names } from "../access/names.ts";
import { NO_ALERTS, type SecretAlerts } from "./alerts.ts";
import { createSecretBin, type SecretBin } from "./bin.ts";
import { DEFAULT_TERMS, factsOf, requireOwner, secretVersion, termFactsOf, whereIs } from "./described.ts";
import { createSecretHistory, type SecretHistory } from "./history.ts";
import { checkSecretValue, isSecretName } from "./names.ts";
import { type OpenedSecret, openSecret, SEALED } from "./opened.ts";
import { changedSeal, checkNoneComesAlong, checkNotWidened, newSeal, type SealInput } from "./seal.ts";
import { definedOf, SecretWriter, type TermsInput, VERSIONS_KEPT } from "./writer.ts";

/** A secret without its value. */
export type Secret = Omit<SecretRow, "ciphertext">;

/** Terms that are undefined have their defaults. */
export interface NewSecret extends TermsInput {
  readonly name: SecretName;
  readonly value: string;
  readonly owner: OwnerRef;
  readonly comment: string;
  readonly seal?: SealInput | undefined;
}

/** A secret that is created, or replaces one. */
export interface SecretReplacement extends NewSecret {
  /** See SecretChange; of no effect on a new secret. */
  readonly keepPreviousMs?: number | undefined;
}

/** What to change; what is undefined stays. */
export interface SecretChange extends TermsInput {
  readonly name?: SecretName | undefined;
  readonly value?: string | undefined;
  readonly comment?: string | undefined;
  readonly seal?: SealInput | undefined;
  /** How long the value before counts next to the new one, in milliseconds; without it, no earlier value counts. */
  readonly keepPreviousMs?: number | undefined;
}

/** Where a secret is copied to; with `move`, the source is deleted in the same transaction. */
export interface CopyTarget {
  readonly owner: OwnerRef;
  readonly move: boolean;
}

export interface Secrets {
  readonly history: SecretHistory;
  readonly bin: SecretBin;

  /** Returns at most `limit` secrets with an id above `after`, in order of id; `next` is set if there are more. */
  list(filter: SecretFilter, after: number, limit: number): { secrets: SecretRow[]; next: SecretId | undefined };

  /** Returns at most `limit` secrets that are due by a time, the one that is due longest first. */
  due(
    by: number,
    filter: SecretFilter,
    after: DuePlace | undefined,
    limit: number,
  ): { secrets: SecretRow[]; next: DuePlace | undefined };

  /** @throws AppError NotFound (404) */
  get(id: SecretId): SecretRow;
  total(): number;

  /** Reports whether any owner has a secret of that name. */
  has(name: SecretName): boolean;

  /** Returns how many secrets are due by a time. */
  countDue(by: number): number;

  /** Returns every secret of that name that `filter` selects. @throws AppError NotFound (404) if there is none */
  byName(name: SecretName, filter: Omit<SecretFilter, "name">): SecretRow[];

  /** Returns the secret of that name and owner. @throws AppError NotFound (404) */
  find(name: SecretName, owner: OwnerRef): SecretRow;

  /**
   * Returns the values of `rows`, in their order, for display, without those that are sealed. Records this in the audit
   * before it returns.
   * Handlers get values from `SecretBroker`, not from here.
   */
  reveal(actor: Actor, rows: readonly SecretRow[]): OpenedSecret[];

  /**
   * Returns the value of a global secret for the server itself, which does not show it: nothing is recorded.
   * @throws AppError SecretUnusable (409) with the reason if there is none or it cannot be read
   */
  forServer(name: string): SecretValue;

  /** Returns why the value of `row` cannot be decrypted, or null; does not disclose the value. */
  problemOf(row: SecretRow): string | null;

  /**
   * Encrypts and stores a new secret.
   * @throws AppError NotFound (404) for an owner that does not exist, Conflict (409) for a name that the owner has,
   *   OversizedPlaintextError (413)
   */
  create(actor: Actor, secret: NewSecret): SecretId;

  /**
   * Creates the secret, or replaces value, comment and terms of the one of that name and owner; whether it is a canary
   * stays, unless that is given.
   * @throws AppError NotFound (404) for an owner that does not exist, PreconditionFailed (412),
   *   OversizedPlaintextError (413)
   */
  replace(actor: Actor, secret: SecretReplacement, expected?: ExpectedVersions): { id: SecretId; created: boolean };

  /**
   * Changes a secret. A new name changes the AAD, so the value is encrypted again.
   * @throws AppError NotFound (404), PreconditionFailed (412), Conflict (409), OversizedPlaintextError (413),
   *   DecryptionFailed (409) if a new name is given without a value and the old value cannot be read
   */
  update(actor: Actor, id: SecretId, change: SecretChange, expected?: ExpectedVersions): void;

  /**
   * Copies name, value and comment to another owner, or with `move` moves them there. The value does not leave the host.
   * @throws AppError NotFound (404), PreconditionFailed (412), Conflict (409) for a name that the owner has,
   *   DecryptionFailed (409)
   */
  copy(actor: Actor, id: SecretId, to: CopyTarget, expected?: ExpectedVersions): SecretId;

  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  delete(actor: Actor, id: SecretId, expected?: ExpectedVersions): void;
}

export interface SecretsOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each change and each value that is revealed. */
  readonly record: Recorder;
  /** How many values of each secret are kept, with the current one; 10 by default. */
  readonly versionsKept?: () => number;
  /** Raises the alerts of canaries that are revealed. */
  readonly alerts?: Pick<SecretAlerts, "revealed">;
}

export function createSecrets(options: SecretsOptions): Secrets {
  return new SecretService(options);
}

class SecretService implements Secrets {
  readonly #store: Store;
  readonly #keyring: Keyring;
  readonly #now: () => number;
  readonly #record: Recorder;
  readonly #rows: SecretStore;
  readonly #names: Names;
  readonly #writer: SecretWriter;
  readonly #alerts: Pick<SecretAlerts, "revealed">;
  readonly history: SecretHistory;
  readonly bin: SecretBin;

  constructor({ store, keyring, now, record, versionsKept = () => VERSIONS_KEPT, alerts = NO_ALERTS }: SecretsOptions) {
    this.#alerts = alerts;
    this.#store = store;
    this.#keyring = keyring;
    this.#now = now;
    this.#record = record;
    this.#rows = store.secrets;
    this.#names = createNames(store);
    const writer = this.#writer = new SecretWriter({ store, keyring, now, versionsKept });
    this.history = createSecretHistory({ store, keyring, writer, now, record });
    this.bin = createSecretBin({ store, names: this.#names, now, record });
  }

  list(filter: SecretFilter, after: number, limit: number): { secrets: SecretRow[]; next: SecretId | undefined } {
    const page = pageOf(this.#rows.list(filter, after, limit + 1), limit, ({ id }) => id);
    return { secrets: page.rows, next: page.next };
  }

  due(
    by: number,
    filter: SecretFilter,
    after: DuePlace | undefined,
    limit: number,
  ): { secrets: SecretRow[]; next: DuePlace | undefined } {
    const rows = this.#rows.due(by, filter, after, limit + 1);
    const page = pageOf(rows, limit, ({ id, dueAt }) => ({ id, dueAt: dueAt! }));
    return { secrets: page.rows, next: page.next };
  }

  get(id: SecretId): SecretRow {
    return this.#find(id);
  }

  total(): number {
    return this.#rows.total();
  }

  countDue(by: number): number {
    return this.#rows.countDue(by);
  }

  has(name: SecretName): boolean {
    return this.#rows.list({ name }, 0, 1).length > 0;
  }

  byName(name: SecretName, filter: Omit<SecretFilter, "name">): SecretRow[] {
    const found = this.#rows.list({ ...filter, name }, 0, Number.MAX_SAFE_INTEGER);
    if (found.length > 0) return found;
    const { scope, functionId, groupId, keyId } = filter;
    const owned = functionId ?? groupId ?? keyId;
    const where = owned !== undefined ? " for this owner" : scope === undefined ? "" : ` in the ${scope} scope`;
    throw notFound("secret named", `"${name}"${where}`);
  }

  find(name: SecretName, ref: OwnerRef): SecretRow {
    const owner = this.#names.owner(ref);
    requireOwner(this.#store, owner);
    const row = this.#rows.findByOwner(name, owner);
    if (!row) throw notFound("secret named", `"${name}" ${whereIs(owner)}`);
    return row;
  }

  reveal(actor: Actor, rows: readonly SecretRow[]): OpenedSecret[] {
    const shown = rows.filter(({ sealed }) => !sealed);
    this.#store.change(
      actor,
      () => {
        manyEvents("secret.revealed", "secret", shown).forEach((event) => this.#record(actor, event));
        this.#alerts.revealed(actor, shown);
      },
    );
    return rows.map((row) => row.sealed ? { value: null, decryptionError: SEALED } : this.#open(row));
  }

  forServer(name: string): SecretValue {
    const row = isSecretName(name) ? this.#rows.findByOwner(name, { scope: "global" }) : undefined;
    const { value, decryptionError } = !row
      ? { value: null, decryptionError: "There is none in the global scope." }
      : row.sealed
      ? { value: null, decryptionError: SEALED }
      : this.#open(row);
    if (value) return value;
    throw new AppError("SecretUnusable", 409, `The secret "${name}" cannot be used. ${decryptionError}`);
  }

  problemOf(row: SecretRow): string | null {
    return this.#open(row).decryptionError;
  }

  create(actor: Actor, { name, value, owner: given, comment, seal: sealInput = {}, ...input }: NewSecret): SecretId {
    checkSecretValue(value);
    const seal = newSeal(sealInput, value);
    return this.#store.change(actor, () => {
      const owner = this.#names.owner(given);
      requireOwner(this.#store, owner);
      this.#refuseTaken(name, owner);
      const ciphertext = this.#keyring.seal(value, secretAad(owner, name));
      const setBy = setterOf(actor);
      const { expiresAt, rotateEveryDays, onExpiry, expand, canary } = { ...DEFAULT_TERMS, ...definedOf(input) };
      const terms = { expiresAt, rotateEveryDays, onExpiry, expand, canary };
      requireFixed(seal, terms);
      const id = this.#rows.insert({ name, owner, ciphertext, comment, ...seal, setBy, ...terms, now: this.#now() });
      const { after } = difference(termFactsOf(DEFAULT_TERMS), termFactsOf(terms));
      this.#record(actor, {
        action: "secret.created",
        subject: { kind: "secret", id, name },
        after: { ...factsOf(this.#find(id)), ...after, value: "set" },
      });
      return id;
    });
  }

  replace(actor: Actor, secret: SecretReplacement, expected?: ExpectedVersions): { id: SecretId; created: boolean } {
    checkSecretValue(secret.value);
    return this.#store.change(actor, () => {
      const { name, owner: ref, ...entry } = secret;
      const owner = this.#names.owner(ref);
      const old = this.#rows.findByOwner(name, owner);
      requireVersion(expected, old && secretVersion(old), `the secret "${name}" ${whereIs(owner)}`);
      if (!old) return { id: this.create(actor, { ...secret, owner }), created: true };
      this.update(actor, old.id, { ...DEFAULT_TERMS, canary: undefined, ...definedOf(entry) });
      return { id: old.id, created: false };
    });
  }

  update(actor: Actor, id: SecretId, change: SecretChange, expected?: ExpectedVersions): void {
    if (change.value !== undefined) checkSecretValue(change.value);
    this.#store.change(actor, () => {
      const row = this.#find(id);
      requireVersion(expected, secretVersion(row), `the secret "${row.name}" ${whereIs(row.owner)}`);
      const name = change.name ?? row.name;
      if (name !== row.name) this.#refuseTaken(name, row.owner);
      const seal = changedSeal(row, change.seal ?? {}, {
        value: change.value,
        isRenamed: name !== row.name,
        current: () => this.#readable(row, "sealed"),
      });
      requireFixed(seal, { ...row, ...definedOf({ expand: change.expand }) });
      const isNewValue = this.#writer.update(actor, row, { ...change, seal });
      if (name !== row.name) checkNoneComesAlong(this.#store.secretVersions.list(id));
      const changed = this.#find(id);
      const { before, after } = difference(
        { ...factsOf(row), ...termFactsOf(row) },
        { ...factsOf(changed), ...termFactsOf(changed) },
      );
      this.#record(actor, {
        action: "secret.updated",
        subject: { kind: "secret", id, name },
        before,
        after: {
          ...after,
          ...(isNewValue && { value: "changed" }),
          ...(isNewValue && change.keepPreviousMs !== undefined &&
            { previousUntil: isoTime(changed.setAt + change.keepPreviousMs) }),
        },
      });
    });
  }

  copy(actor: Actor, id: SecretId, { owner: ref, move }: CopyTarget, expected?: ExpectedVersions): SecretId {
    return this.#store.change(actor, () => {
      const row = this.#find(id);
      const { name } = row;
      requireVersion(expected, secretVersion(row), `the secret "${name}" ${whereIs(row.owner)}`);
      const owner = this.#names.owner(ref);
      requireOwner(this.#store, owner);
      this.#refuseTaken(name, owner);
      checkNotWidened(row, row.owner.scope, owner.scope);
      const value = this.#readable(row, "copied");
      const ciphertext = this.#keyring.seal(value, secretAad(owner, name));
      const copyId = this.#rows.insert({
        ...termsOf(row),
        owner,
        ciphertext,
        setBy: setterOf(actor),
        now: this.#now(),
      });
      const { scope, scopeId, scopeName } = factsOf(row);
      this.#record(actor, {
        action: "secret.created",
        subject: { kind: "secret", id: copyId, name },
        after: { ...factsOf(this.#find(copyId)), value: "set", copiedFrom: { id, scope, scopeId, scopeName } },
      });
      if (move) {
        this.#store.secretArchive.discard(row, setterOf(actor), this.#now());
        this.#record(actor, {
          action: "secret.deleted",
          subject: { kind: "secret", id, name },
          before: factsOf(row),
          after: { movedTo: copyId },
        });
      }
      return copyId;
    });
  }

  delete(actor: Actor, id: SecretId, expected?: ExpectedVersions): void {
    this.#store.change(actor, () => {
      const row = this.#find(id);
      requireVersion(expected, secretVersion(row), `the secret "${row.name}" ${whereIs(row.owner)}`);
      this.#store.secretArchive.discard(row, setterOf(actor), this.#now());
      this.#record(actor, {
        action: "secret.deleted",
        subject: { kind: "secret", id, name: row.name },
        before: factsOf(row),
      });
    });
  }

  #find(id: SecretId): SecretRow {
    const row = this.#rows.find(id);
    if (!row) throw notFound("secret", id);
    return row;
  }

  #refuseTaken(name: SecretName, owner: Owner): void {
    if (!this.#rows.findByOwner(name, owner)) return;
    throw conflict(`There is already a secret named "${name}" ${whereIs(owner)}.`, { name: "is taken" });
  }

  /** Returns the value of a row that is to be copied or sealed. @throws AppError DecryptionFailed (409) */
  #readable(row: SecretRow, done: "copied" | "sealed"): string {
    const { value, decryptionError } = this.#open(row);
    if (value) return value.reveal();
    const advice = done === "copied" ? "Create it there instead." : "Give the value again.";
    const problem = `Secret ${row.id} cannot be ${done} because its value cannot be read. ${advice}`;
    throw new AppError("DecryptionFailed", 409, `${problem} ${decryptionError}`);
  }

  #open(row: SecretRow): OpenedSecret {
    return openSecret(this.#rows, this.#keyring, row);
  }
}

/** @throws AppError InvalidInput (400) for references in a sealed value, which could take readable values anywhere */
function requireFixed({ sealed }: Pick<Seal, "sealed">, { expand }: Pick<SecretTerms, "expand">): void {
  if (sealed && expand) throw invalid("expand", "must not be true for a sealed secret");
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Returns the fields of a secret that a copy has, too. */
function termsOf({ name, comment, sealed, hosts, places, ...row }: SecretRow) {
  const { expiresAt, rotateEveryDays, onExpiry, expand, canary } = row;
  return { name, comment, sealed, hosts, places, expiresAt, rotateEveryDays, onExpiry, expand, canary };
}
