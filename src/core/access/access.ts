// Manages key groups and API keys.

import { type Actor, type AuditEvent, difference, type Facts, manyEvents, type Recorder } from "../../actor.ts";
import { AppError, conflict, notFound, notFoundByName } from "../../errors.ts";
import type { GroupId, GroupRef, KeyId } from "../../ids.ts";
import { apiKeyAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";
import type { SecretValue } from "../../keyring/secret_value.ts";
import type {
  AccessStore,
  Expiring,
  GroupRow,
  GroupSummary,
  KeyFilter,
  KeyHolder,
  KeyRow,
} from "../../store/access.ts";
import { isUniqueViolation } from "../../store/database.ts";
import type { SecretArchive } from "../../store/secret_archive.ts";
import { setterOf } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, requireVersion, type Version, versionOf } from "../../versions.ts";
import { KeyDirectory } from "./directory.ts";
import { createNames, type Names } from "./names.ts";
import { createRolling, type Rolling } from "./rolling.ts";
import { noUses, type Uses } from "./uses.ts";
import {
  type AccessListing,
  createAccessListing,
  type GroupWithKeys,
  type KeyOrder,
  type KeyUse,
  type ListedKey,
  withUses,
} from "./listing.ts";
import { keyVersion, newKeyValue, timeText } from "./values.ts";

/** The group whose keys may always manage the server; it cannot be deleted or renamed. */
export const MANAGEMENT_GROUP = "management";
export const GROUP_NAME_PATTERN = /^[a-z0-9_-]+$/;
/** Of a value that a user chooses; generated ones have 256 random bits. */
export const KEY_VALUE_MIN_LENGTH = 16;
export const KEY_VALUE_MAX_LENGTH = 256;
/** Visible ASCII: anything else does not survive every HTTP client's headers. */
export const KEY_VALUE_PATTERN = /^[\x21-\x7e]+$/;

const PREVIEW_CHARACTERS = 4;

export interface NewKey {
  /** An existing group by id or name, or a new one to be created with the key. */
  groupId: GroupRef | { name: string; description: string };
  name: string;
  description: string;
  /** Generated if undefined. */
  value?: string | undefined;
  /** Milliseconds since 1970 UTC; null or missing for never. */
  expiresAt?: number | null | undefined;
}

export interface KeyUpdate {
  name?: string | undefined;
  description?: string | undefined;
  /** Likewise; undefined to keep it. */
  expiresAt?: number | null | undefined;
}

export type OpenedKey = { value: SecretValue; decryptionError: null } | { value: null; decryptionError: string };

export interface Access extends AccessListing, Pick<KeyDirectory, "find" | "holder" | "recordUse"> {
  /** Replaces the values of keys. */
  readonly rolling: Rolling;

  /** Finds the holders of keys, for calls. */
  readonly directory: KeyDirectory;

  groups(): GroupRow[];

  /** @throws AppError NotFound (404) */
  group(id: GroupId): GroupRow;

  /** @throws AppError NotFound (404) */
  groupNamed(name: string): GroupRow;

  /** @throws AppError Conflict (409) */
  createGroup(actor: Actor, name: string, description: string): GroupId;

  /** @throws AppError NotFound (404), PreconditionFailed (412), Conflict (409), Protected (403) */
  updateGroup(
    actor: Actor,
    id: GroupId,
    to: { name?: string | undefined; description?: string | undefined },
    expected?: ExpectedVersions,
  ): GroupRow;

  /**
   * Creates the group or replaces the description of the existing one of that name.
   * @throws AppError PreconditionFailed (412)
   */
  replaceGroup(
    actor: Actor,
    name: string,
    description: string,
    expected?: ExpectedVersions,
  ): { group: GroupRow; created: boolean };

  /**
   * Deletes a group and its secrets.
   * @throws AppError NotFound (404), PreconditionFailed (412), Protected (403), Conflict (409) while keys,
   *   functions or a setting need it
   */
  deleteGroup(actor: Actor, id: GroupId, expected?: ExpectedVersions): void;

  /** Returns why `deleteGroup` would refuse a group, or undefined. @throws AppError NotFound (404) */
  reasonToKeep(id: GroupId): string | undefined;

  /** Returns the number of keys in the groups with these names. */
  countIn(groupNames: readonly string[]): number;

  /** Likewise of keys that have not expired. */
  countUsableIn(groupNames: readonly string[]): number;

  /** Reports whether `key` is the only one in the groups with these names that has not expired. */
  isLastOf(key: KeyRow, groupNames: readonly string[]): boolean;

  /**
   * Returns all keys, or those of one group, in order of id; or at most `limit` of them with an id above `after`.
   * @throws AppError NotFound (404) for a group that does not exist
   */
  keys(groupId?: GroupId, after?: number, limit?: number): (KeyRow & KeyUse)[];

  /** @throws AppError NotFound (404) */
  key(id: KeyId): KeyRow & KeyUse;

  /** Returns the values of `rows`, in their order, for display. Records this in the audit before it returns. */
  reveal(actor: Actor, rows: readonly KeyRow[]): OpenedKey[];

  /**
   * Returns a key's value for a call that the server itself makes with it. It is presented to the server, not shown.
   * @throws AppError NotFound (404)
   */
  present(id: KeyId): OpenedKey;

  /** Returns the end of the value, such as `…x7Qw`, by which users recognize a key; null if it cannot be decrypted. */
  preview(row: KeyRow): string | null;

  /**
   * Creates a key, and its group if that is new, in one transaction.
   * @throws AppError NotFound (404), Conflict (409); its details call a group's name `group`; InvalidInput (400) for an
   *   expiry that is not in the future
   */
  createKey(actor: Actor, wanted: NewKey): { id: KeyId; groupId: GroupId; value: string };

  /**
   * @throws AppError NotFound (404), PreconditionFailed (412), Conflict (409), DecryptionFailed (409), InvalidInput (400)
   *   for a new expiry that is not in the future
   */
  updateKey(
    actor: Actor,
    id: KeyId,
    to: KeyUpdate,
    expected?: ExpectedVersions,
  ): void;

  /** Revokes a key immediately and deletes its secrets. @throws AppError NotFound (404), PreconditionFailed (412) */
  deleteKey(actor: Actor, id: KeyId, expected?: ExpectedVersions): void;

  /**
   * Creates the management group if it is missing and, if `value` is given, a key of that group with it.
   * @throws AppError Conflict (409) if the value is a key of another group
   */
  bootstrap(actor: Actor, value: string | undefined): void;

  /** Reports whether any of the groups with these names has a key that has not expired. */
  hasKeyIn(groupNames: readonly string[]): boolean;
}

export interface AccessOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Returns the names of the groups that a setting relies on; these cannot be renamed or deleted. */
  readonly groupsInSettings: () => readonly string[];
  /** Is called for each change and each value that is revealed. */
  readonly record: Recorder;
  readonly uses?: Uses<KeyId>;
}

export function createAccess(options: AccessOptions): Access {
  return new AccessService(options);
}

class AccessService implements Access {
  readonly #store: Store;
  readonly #keyring: Keyring;
  readonly #now: () => number;
  readonly #groupsInSettings: () => readonly string[];
  readonly #record: Recorder;
  readonly #uses: Uses<KeyId>;
  readonly #rows: AccessStore;
  readonly directory: KeyDirectory;
  readonly rolling: Rolling;
  readonly #listing: AccessListing;
  readonly #names: Names;

  constructor({ store, keyring, now, groupsInSettings, record, uses = noUses() }: AccessOptions) {
    this.#store = store;
    this.#keyring = keyring;
    this.#now = now;
    this.#groupsInSettings = groupsInSettings;
    this.#record = record;
    this.#uses = uses;
    this.#rows = store.access;
    const isSettled = () => !store.inTransaction();
    this.directory = new KeyDirectory({ rows: this.#rows, keyring, uses, isSettled, now });
    this.rolling = createRolling({ store, keyring, now, record });
    store.onApplied((changes) => {
      if (changes.some(({ table }) => table === "api_keys" || table === "key_groups")) this.directory.forgetHolders();
      for (const { table, kind, values: [id] } of changes) {
        if (table === "api_keys" && kind === "delete") uses.forget(Number(id) as KeyId);
      }
    });
    this.#names = createNames(store);
    this.#listing = createAccessListing(this.#rows, uses);
  }

  groupPage(after: number, limit: number, keysEach: number): { groups: GroupWithKeys[]; next: GroupId | undefined } {
    return this.#listing.groupPage(after, limit, keysEach);
  }

  groupSummary(id: GroupId): GroupSummary {
    return this.#listing.groupSummary(id);
  }

  keyPage(
    filter: KeyFilter,
    before: number | undefined,
    limit: number,
  ): { keys: ListedKey[]; next: KeyId | undefined } {
    return this.#listing.keyPage(filter, before, limit);
  }

  orderedKeys(
    filter: KeyFilter,
    order: KeyOrder,
    skip: number,
    limit: number,
  ): { keys: ListedKey[]; next: number | undefined } {
    return this.#listing.orderedKeys(filter, order, skip, limit);
  }

  keySummary(id: KeyId): ListedKey {
    return this.#listing.keySummary(id);
  }

  expiring(wanted: Expiring, limit: number): KeyRow[] {
    return this.#listing.expiring(wanted, limit);
  }

  keyCounts(): { total: number; neverUsed: number } {
    return this.#listing.keyCounts();
  }

  groups(): GroupRow[] {
    return this.#rows.groups();
  }

  group(id: GroupId): GroupRow {
    const row = this.#rows.group(id);
    if (!row) throw notFound("key group", id);
    return row;
  }

  groupNamed(name: string): GroupRow {
    const row = this.#rows.groupByName(name);
    if (!row) throw notFoundByName("key group", name);
    return row;
  }

  createGroup(actor: Actor, name: string, description: string): GroupId {
    return this.#store.change(actor, () => {
      this.#refuseGroupName(name);
      return this.#insertGroup(actor, name, description);
    });
  }

  updateGroup(
    actor: Actor,
    id: GroupId,
    to: { name?: string | undefined; description?: string | undefined },
    expected?: ExpectedVersions,
  ): GroupRow {
    return this.#store.change(actor, () => {
      const row = this.group(id);
      requireVersion(expected, groupVersion(row), `the key group "${row.name}"`);
      const { name = row.name, description = row.description } = to;
      if (name !== row.name) {
        if (row.name === MANAGEMENT_GROUP) throw protectedGroup("renamed");
        if (this.#groupsInSettings().includes(row.name)) throw inSettings(row.name);
        this.#refuseGroupName(name);
      }
      this.#rows.updateGroup({ id, name, description });
      this.#record(actor, {
        action: "key-group.updated",
        subject: { kind: "key-group", id, name },
        ...difference({ name: row.name, description: row.description }, { name, description }),
      });
      return { id, name, description };
    });
  }

  replaceGroup(
    actor: Actor,
    name: string,
    description: string,
    expected?: ExpectedVersions,
  ): { group: GroupRow; created: boolean } {
    return this.#store.change(actor, () => {
      const old = this.#rows.groupByName(name);
      requireVersion(expected, old && groupVersion(old), `the key group "${name}"`);
      if (!old) {
        const id = this.#insertGroup(actor, name, description);
        return { group: { id, name, description }, created: true };
      }
      const group = old.description === description ? old : this.updateGroup(actor, old.id, { description });
      return { group, created: false };
    });
  }

  deleteGroup(actor: Actor, id: GroupId, expected?: ExpectedVersions): void {
    this.#store.change(actor, () => {
      const row = this.group(id);
      requireVersion(expected, groupVersion(row), `the key group "${row.name}"`);
      const problem = this.#reasonToKeep(row);
      if (problem) throw problem;
      const { name, description } = row;
      this.#discardSecrets(actor, { scope: "group", groupId: id });
      this.#rows.deleteGroup(id);
      this.#record(actor, {
        action: "key-group.deleted",
        subject: { kind: "key-group", id, name },
        before: { name, description },
      });
    });
  }

  reasonToKeep(id: GroupId): string | undefined {
    return this.#reasonToKeep(this.group(id))?.message;
  }

  countIn(groupNames: readonly string[]): number {
    return this.#sumOf(groupNames, ({ id }) => this.#rows.countKeys(id));
  }

  countUsableIn(groupNames: readonly string[]): number {
    const now = this.#now();
    return this.#sumOf(groupNames, ({ id }) => this.#rows.countUsable(id, now));
  }

  isLastOf(key: KeyRow, groupNames: readonly string[]): boolean {
    if (!groupNames.includes(key.groupName) || this.rolling.isExpired(key)) return false;
    return this.countUsableIn(groupNames) === 1;
  }

  keys(groupId?: GroupId, after?: number, limit?: number): (KeyRow & KeyUse)[] {
    if (groupId !== undefined) this.group(groupId);
    return withUses(this.#rows.keys(groupId, after, limit), this.#uses);
  }

  key(id: KeyId): KeyRow & KeyUse {
    return withUses([this.#key(id)], this.#uses)[0]!;
  }

  reveal(actor: Actor, rows: readonly KeyRow[]): OpenedKey[] {
    this.#store.change(
      actor,
      () => manyEvents("key.revealed", "key", rows).forEach((event) => this.#record(actor, event)),
    );
    return rows.map((row) => this.#open(row));
  }

  present(id: KeyId): OpenedKey {
    return this.#open(this.#key(id));
  }

  preview(row: KeyRow): string | null {
    const value = this.#open(row).value?.reveal();
    return value === undefined ? null : `…${value.slice(-PREVIEW_CHARACTERS)}`;
  }

  createKey(actor: Actor, wanted: NewKey): { id: KeyId; groupId: GroupId; value: string } {
    return this.#store.change(actor, () => {
      const groupId = this.#groupOf(actor, wanted.groupId);
      this.#refuseKeyName(groupId, wanted.name);
      return { groupId, ...this.#insertKey(actor, { ...wanted, groupId }) };
    });
  }

  updateKey(
    actor: Actor,
    id: KeyId,
    to: KeyUpdate,
    expected?: ExpectedVersions,
  ): void {
    this.#store.change(actor, () => {
      const row = this.#key(id);
      requireVersion(expected, keyVersion(row), `the API key "${row.groupName}/${row.name}"`);
      const { name = row.name, description = row.description, expiresAt = row.expiresAt } = to;
      if (expiresAt !== row.expiresAt) this.rolling.refusePast(expiresAt);
      let { ciphertext } = row;
      if (name !== row.name) {
        this.#refuseKeyName(row.groupId, name);
        const { value, decryptionError } = this.#open(row);
        if (!value) {
          throw new AppError(
            "DecryptionFailed",
            409,
            `Key ${id} cannot be renamed because its value cannot be read. ${decryptionError}`,
          );
        }
        // The name is part of the AAD.
        ciphertext = this.#keyring.seal(value.reveal(), apiKeyAad(row.groupId, name));
      }
      this.#rows.updateKey({ id, name, description, ciphertext, expiresAt });
      this.#record(actor, keyEvent("key.updated", this.#key(id), difference(allFacts(row), allFacts(this.#key(id)))));
    });
  }

  deleteKey(actor: Actor, id: KeyId, expected?: ExpectedVersions): void {
    this.#store.change(actor, () => {
      const row = this.#key(id);
      requireVersion(expected, keyVersion(row), `the API key "${row.groupName}/${row.name}"`);
      this.#discardSecrets(actor, { scope: "key", keyId: id });
      this.#rows.deleteKey(id);
      this.#record(actor, keyEvent("key.revoked", row, { before: keyFacts(row) }));
    });
  }

  find(value: string): KeyHolder | undefined {
    return this.directory.find(value);
  }

  holder(id: KeyId): KeyHolder | undefined {
    return this.directory.holder(id);
  }

  recordUse(id: KeyId): void {
    this.directory.recordUse(id);
  }

  bootstrap(actor: Actor, value: string | undefined): void {
    this.#store.change(actor, () => {
      const management = this.#rows.groupByName(MANAGEMENT_GROUP)?.id ??
        this.#insertGroup(actor, MANAGEMENT_GROUP, "May manage this server through the API.");
      if (value === undefined) return;
      const holder = this.directory.find(value) ?? this.#rows.holder(this.#keyring.lookup(value));
      if (holder?.groupId === management) {
        // It is restored as a deleted one is.
        if (!this.directory.isInTime(holder)) this.updateKey(actor, holder.keyId, { expiresAt: null });
        return;
      }
      if (holder) {
        throw conflict(
          `BOOTSTRAP_API_KEY is already the value of key "${holder.keyName}" in group "${holder.groupName}".`,
        );
      }
      let name = "bootstrap";
      for (let n = 2; this.#rows.keyByName(management, name); n++) name = `bootstrap-${n}`;
      this.#insertKey(actor, { groupId: management, name, description: "From BOOTSTRAP_API_KEY.", value });
    });
  }

  hasKeyIn(groupNames: readonly string[]): boolean {
    return this.countUsableIn(groupNames) > 0;
  }

  #key(id: KeyId): KeyRow {
    const row = this.#rows.key(id);
    if (!row) throw notFound("API key", id);
    return row;
  }

  /** Returns the group of a new key, which is created if it is new. */
  #groupOf(actor: Actor, wanted: NewKey["groupId"]): GroupId {
    if (typeof wanted === "object") {
      this.#refuseGroupName(wanted.name, "group");
      return this.#insertGroup(actor, wanted.name, wanted.description);
    }
    const id = this.#names.groupId(wanted, "groupId");
    if (!this.#rows.group(id)) throw notFound("key group", id, "groupId");
    return id;
  }

  #refuseGroupName(name: string, field: string = "name"): void {
    if (this.#rows.groupByName(name)) {
      throw conflict(`There is already a key group named "${name}".`, { [field]: "is taken" });
    }
  }

  /** Returns why a group cannot be deleted, or undefined. */
  #reasonToKeep({ id, name }: GroupRow): AppError | undefined {
    if (name === MANAGEMENT_GROUP) return protectedGroup("deleted");
    const keys = this.#rows.countKeys(id);
    if (keys > 0) {
      return conflict(`Group "${name}" still has ${keys} ${keys === 1 ? "key" : "keys"}. Revoke them first.`);
    }
    const functions = this.#rows.functionsOfGroup(id);
    if (functions.length > 0) {
      const names = functions.map((f) => `"${f}"`).join(", ");
      return conflict(`Group "${name}" is required by ${names}. Change their keys first.`);
    }
    return this.#groupsInSettings().includes(name) ? inSettings(name) : undefined;
  }

  #refuseKeyName(groupId: GroupId, name: string): void {
    if (this.#rows.keyByName(groupId, name)) {
      throw conflict(`This group already has a key named "${name}".`, { name: "is taken" });
    }
  }

  #sumOf(groupNames: readonly string[], numberOf: (group: GroupRow) => number): number {
    return groupNames.map((name) => this.#rows.groupByName(name))
      .reduce((sum, row) => sum + (row ? numberOf(row) : 0), 0);
  }

  #open(row: KeyRow): OpenedKey {
    try {
      return { value: this.#keyring.open(row.ciphertext, apiKeyAad(row.groupId, row.name)), decryptionError: null };
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      return { value: null, decryptionError: error.message };
    }
  }

  /** Deletes the secrets of an owner that is deleted. */
  #discardSecrets(actor: Actor, owner: Parameters<SecretArchive["discardAll"]>[0]): void {
    const secrets = this.#store.secretArchive.discardAll(owner, setterOf(actor), this.#now());
    manyEvents("secret.deleted", "secret", secrets).forEach((event) => this.#record(actor, event));
  }

  #insertGroup(actor: Actor, name: string, description: string): GroupId {
    const id = this.#rows.insertGroup({ name, description, now: this.#now() });
    this.#record(actor, {
      action: "key-group.created",
      subject: { kind: "key-group", id, name },
      after: { name, description },
    });
    return id;
  }

  #insertKey(
    actor: Actor,
    { groupId, name, description, value = newKeyValue(), expiresAt = null }: NewKey & { groupId: GroupId },
  ): { id: KeyId; value: string } {
    this.rolling.refusePast(expiresAt);
    this.rolling.refusePrevious(value);
    const ciphertext = this.#keyring.seal(value, apiKeyAad(groupId, name));
    const lookup = this.#keyring.lookup(value);
    try {
      const id = this.#rows.insertKey({ groupId, name, description, lookup, ciphertext, expiresAt, now: this.#now() });
      this.#record(
        actor,
        keyEvent("key.created", this.#key(id), { after: { ...keyFacts(this.#key(id)), value: "set" } }),
      );
      return { id, value };
    } catch (error) {
      // If two keys had one value, a call with it could belong to either group.
      if (isUniqueViolation(error)) throw conflict("This value is already in use by a key.", { value: "is taken" });
      throw error;
    }
  }
}

/** Returns the version of a key group. */
export function groupVersion({ id, name, description }: GroupRow): Version {
  return versionOf([id, name, description]);
}

function allFacts({ name, groupId, groupName, description, expiresAt }: KeyRow): Facts {
  return { name, groupId, groupName, description, expiresAt: timeText(expiresAt) };
}

/** Leaves the expiry out of a key that never expires. */
function keyFacts(row: KeyRow): Facts {
  const { expiresAt, ...facts } = allFacts(row);
  return expiresAt === null ? facts : { ...facts, expiresAt };
}

function keyEvent(action: AuditEvent["action"], { id, name }: KeyRow, facts: Partial<AuditEvent>): AuditEvent {
  return { ...facts, action, subject: { kind: "key", id, name } };
}

function protectedGroup(what: string): AppError {
  return new AppError("Protected", 403, `The group "${MANAGEMENT_GROUP}" cannot be ${what}.`);
}

function inSettings(name: string): AppError {
  return conflict(`Group "${name}" is named in the setting api.access-groups. Change that first.`);
}
