// Manages the bin: deleted secrets, which stay for 30 days with all of their values. No function can read them there.

import { type Actor, manyEvents, type Recorder, SERVER } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import type { Owner, OwnerRef, SecretId } from "../../ids.ts";
import { pageOf } from "../../paging.ts";
import type { DeletedSecretRow } from "../../store/deleted_secrets.ts";
import type { Seal } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { DAY_MS } from "../../time.ts";
import { type ExpectedVersions, requireVersion, type Version, versionOf } from "../../versions.ts";
import type { Names } from "../access/names.ts";
import { factsOf, requireOwner, whereIs } from "./described.ts";
import { checkNotWidened } from "./seal.ts";

/** How long a deleted secret is kept. */
export const BIN_DAYS = 30;
/** Secrets that one transaction removes from the bin. */
const PRUNED_AT_ONCE = 500;

/** A deleted secret, with the seal of its last value. */
export interface DeletedSecret extends DeletedSecretRow, Seal {
  /** When it is removed, in milliseconds since 1970 UTC. */
  readonly purgeAt: number;
}

export interface SecretBin {
  /** Returns at most `limit` with an id above `after`, in order of id; `next` is set if there are more. */
  list(after: number, limit: number): { secrets: DeletedSecret[]; next: SecretId | undefined };

  /** @throws AppError NotFound (404) */
  get(id: SecretId): DeletedSecret;

  /** Reports whether the owner that a deleted secret had still exists. */
  hasOwner(secret: DeletedSecret): boolean;

  /** Returns the version of a secret in the bin, and of whether its owner exists. */
  version(secret: DeletedSecret): Version;

  /**
   * Restores a secret with its id, to its owner or to `to`.
   * @throws AppError NotFound (404), OwnerGone (409) without `to` if the owner no longer exists, Conflict (409) if the
   *   name is taken, InvalidInput (400) for a wider owner of a secret with a sealed version, DecryptionFailed (409),
   *   PreconditionFailed (412)
   */
  restore(actor: Actor, id: SecretId, to?: OwnerRef, expected?: ExpectedVersions): Owner;

  /** Deletes a secret and all of its values permanently. @throws AppError NotFound (404), PreconditionFailed (412) */
  purge(actor: Actor, id: SecretId, expected?: ExpectedVersions): void;

  /** Reports whether the time of any is over. */
  isDue(): boolean;

  /** Removes secrets whose time is over, at most 500; returns how many. */
  prune(): number;
}

export interface SecretBinOptions {
  readonly store: Store;
  readonly names: Names;
  readonly now: () => number;
  readonly record: Recorder;
}

/** Longer than 80 lines: all methods work on the same bin. */
export function createSecretBin({ store, names, now, record }: SecretBinOptions): SecretBin {
  const { deletedSecrets, secretVersions, secretArchive } = store;

  const listed = (row: DeletedSecretRow): DeletedSecret => {
    const { sealed, hosts, places } = secretVersions.find(row.id, row.version) ??
      { sealed: false, hosts: [], places: ["header"] as const };
    return { ...row, sealed, hosts, places, purgeAt: row.deletedAt + BIN_DAYS * DAY_MS };
  };
  const get = (id: SecretId): DeletedSecret => {
    const row = deletedSecrets.find(id);
    if (!row) throw notFound("deleted secret", id);
    return listed(row);
  };
  const hasOwner = ({ owner }: DeletedSecret): boolean => {
    try {
      requireOwner(store, owner);
      return true;
    } catch (error) {
      if (error instanceof AppError && error.status === 404) return false;
      throw error;
    }
  };

  const version = (secret: DeletedSecret): Version => versionOf([secret, hasOwner(secret)]);
  const requireSame = (expected: ExpectedVersions, id: SecretId, secret: DeletedSecret | undefined): void =>
    requireVersion(expected, secret && version(secret), `the deleted secret ${secret ? `"${secret.name}"` : id}`);

  return {
    list(after, limit) {
      const page = pageOf(deletedSecrets.list(after, limit + 1), limit, ({ id }) => id);
      return { secrets: page.rows.map(listed), next: page.next };
    },
    get,
    hasOwner,
    version,

    restore: (actor, id, to, expected) =>
      store.change(actor, () => {
        const secret = get(id);
        requireSame(expected, id, secret);
        const { name } = secret;
        if (!to && !hasOwner(secret)) {
          const { scope } = secret.owner;
          const whose = `The ${scope === "key" ? "API key" : scope} "${secret.ownerName}" of the secret "${name}"`;
          throw new AppError("OwnerGone", 409, `${whose} no longer exists. Name another owner.`);
        }
        const owner = to ? names.owner(to) : secret.owner;
        requireOwner(store, owner);
        // Its earlier versions come along, and each can be made the current one there.
        const sealed = secretVersions.list(id).some((version) => version.sealed);
        checkNotWidened({ sealed }, secret.owner.scope, owner.scope);
        if (store.secrets.findByOwner(name, owner)) {
          throw conflict(`There is already a secret named "${name}" ${whereIs(owner)}.`, { name: "is taken" });
        }
        if (!secretArchive.restore(secret, owner, now())) {
          throw new AppError(
            "DecryptionFailed",
            409,
            `Secret ${id} cannot be restored, because its value cannot be read.`,
          );
        }
        record(actor, {
          action: "secret.restored",
          subject: { kind: "secret", id, name },
          after: { ...factsOf(store.secrets.find(id)!), deletedAt: new Date(secret.deletedAt).toISOString() },
        });
        return owner;
      }),

    purge: (actor, id, expected) =>
      store.change(actor, () => {
        // Also one that was altered, which `find` does not return.
        const row = deletedSecrets.find(id);
        if (row || typeof expected === "object") requireSame(expected, id, row && listed(row));
        const name = row?.name ?? "";
        if (!secretArchive.purge(id)) throw notFound("deleted secret", id);
        record(actor, { action: "secret.purged", subject: { kind: "secret", id, name } });
      }),

    isDue: () => deletedSecrets.before(now() - BIN_DAYS * DAY_MS, 1).length > 0,

    prune() {
      const ids = deletedSecrets.before(now() - BIN_DAYS * DAY_MS, PRUNED_AT_ONCE);
      if (ids.length === 0) return 0;
      store.change(SERVER, () => {
        const gone = ids.map((id) => ({ id, name: deletedSecrets.find(id)?.name ?? "" }));
        for (const id of ids) secretArchive.purge(id);
        manyEvents("secret.purged", "secret", gone).forEach((event) => record(SERVER, event));
      });
      return ids.length;
    },
  };
}
