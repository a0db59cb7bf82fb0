// Stores the bin: what is known of deleted secrets. Their values are versions. Nothing here takes part in resolution.

import type { Owner, Scope, SecretId, SecretName } from "../ids.ts";
import { ownerId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, type Row } from "./database.ts";
import { type SecretTerms, type Setter, toOwner } from "./secrets.ts";

/** A deleted secret. Times in milliseconds since 1970 UTC. */
export interface DeletedSecretRow extends SecretTerms {
  /** The one that it had, and has again when it is restored. */
  readonly id: SecretId;
  readonly name: SecretName;
  /** May exist no more. */
  readonly owner: Owner;
  /** As it was; null for global. */
  readonly ownerName: string | null;
  /** Name of the group of an owning key. */
  readonly ownerGroup: string | null;
  readonly comment: string;
  /** Number of its last value, which is among its versions. */
  readonly version: number;
  readonly placedAt: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deletedAt: number;
  readonly deletedBy: Setter;
}

export interface DeletedSecretStore {
  /** Returns a deleted secret; undefined also if its row was altered. */
  find(id: SecretId): DeletedSecretRow | undefined;
  /** Returns at most `limit` with an id above `after`, in order of id; altered rows are left out. */
  list(after: number, limit: number): DeletedSecretRow[];
  /** Returns those of one name and owner, by the time of their deletion, without altered ones. */
  ofPlace(name: SecretName, scope: Scope, ownerId: number): DeletedSecretRow[];
  /** Returns at most `limit` names above `after` that contain `search`, of the global scope and of these owners. */
  names(
    owners: { readonly functionId: number; readonly groupId: number; readonly keyId: number },
    search: string,
    after: string,
    limit: number,
  ): SecretName[];
  /** Returns at most `limit` ids of secrets that were deleted before `time`. */
  before(time: number, limit: number): SecretId[];
  insert(row: DeletedSecretRow): void;
  /** Returns whether it was there. */
  delete(id: SecretId): boolean;
}

interface Columns extends Row {
  id: SecretId;
  name: SecretName;
  scope: Scope;
  owner_id: number;
  owner_name: string | null;
  owner_group: string | null;
  comment: string;
  expires_at: number | null;
  rotate_every_days: number | null;
  on_expiry: "close" | null;
  expand: number | null;
  canary: number | null;
  version: number;
  placed_at: number;
  created_at: number;
  updated_at: number;
  deleted_at: number;
  deleted_by_kind: Setter["kind"];
  deleted_by_id: string | null;
  deleted_by_name: string | null;
}

const COLUMNS = [
  "id",
  "name",
  "scope",
  "owner_id",
  "owner_name",
  "owner_group",
  "comment",
  "expires_at",
  "rotate_every_days",
  "on_expiry",
  "expand",
  "canary",
  "version",
  "placed_at",
  "created_at",
  "updated_at",
  "deleted_at",
  "deleted_by_kind",
  "deleted_by_id",
  "deleted_by_name",
];
const SELECT = `SELECT ${COLUMNS.join(", ")} FROM deleted_secrets`;

export function createDeletedSecretStore(db: Database, rows: RowCheck): DeletedSecretStore {
  const find = db.prepare(`${SELECT} WHERE id = ?`);
  const list = db.prepare(`${SELECT} WHERE id > ? ORDER BY id LIMIT ?`);
  const ofPlace = db.prepare(`${SELECT} WHERE name = ? AND scope = ? AND owner_id = ? ORDER BY deleted_at, id`);
  const names = db.prepare(
    `SELECT DISTINCT name FROM deleted_secrets WHERE name > ? AND instr(lower(name), lower(?)) > 0 AND
       (scope = 'global' OR scope = 'function' AND owner_id = ? OR scope = 'group' AND owner_id = ?
         OR scope = 'key' AND owner_id = ?) ORDER BY name LIMIT ?`,
  );
  const before = db.prepare("SELECT id FROM deleted_secrets WHERE deleted_at < ? ORDER BY deleted_at LIMIT ?");
  const insertRow = db.prepareChange(
    `INSERT INTO deleted_secrets (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})`,
  );
  const deleteRow = db.prepareChange("DELETE FROM deleted_secrets WHERE id = ?");
  const authentic = (found: readonly Columns[]): DeletedSecretRow[] =>
    found.filter(({ id }) => rows.check("deleted_secrets", id)).map(toRow);

  return {
    find(id) {
      const row = first<Columns>(find, id);
      return row && authentic([row])[0];
    },
    list: (after, limit) => authentic(all<Columns>(list, after, limit)),
    ofPlace: (name, scope, ownerId) => authentic(all<Columns>(ofPlace, name, scope, ownerId)),
    names: ({ functionId, groupId, keyId }, search, after, limit) =>
      all<{ name: SecretName }>(names, after, search, functionId, groupId, keyId, limit).map(({ name }) => name),
    before: (time, limit) => all<{ id: SecretId }>(before, time, limit).map(({ id }) => id),
    insert(row) {
      insertRow.run(
        row.id,
        row.name,
        row.owner.scope,
        ownerId(row.owner),
        row.ownerName,
        row.ownerGroup,
        row.comment,
        row.expiresAt,
        row.rotateEveryDays,
        row.onExpiry === "close" ? "close" : null,
        row.expand ? 1 : null,
        row.canary ? 1 : null,
        row.version,
        row.placedAt,
        row.createdAt,
        row.updatedAt,
        row.deletedAt,
        row.deletedBy.kind,
        row.deletedBy.id,
        row.deletedBy.name,
      );
    },
    delete: (id) => deleteRow.run(id).changes > 0,
  };
}

function toRow(row: Columns): DeletedSecretRow {
  return {
    id: row.id,
    name: row.name,
    owner: toOwner(row.scope, row.owner_id),
    ownerName: row.owner_name,
    ownerGroup: row.owner_group,
    comment: row.comment,
    expiresAt: row.expires_at,
    rotateEveryDays: row.rotate_every_days,
    onExpiry: row.on_expiry ?? "warn",
    expand: row.expand === 1,
    canary: row.canary === 1,
    version: row.version,
    placedAt: row.placed_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deletedAt: row.deleted_at,
    deletedBy: { kind: row.deleted_by_kind, id: row.deleted_by_id, name: row.deleted_by_name },
  };
}
