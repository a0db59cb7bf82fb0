// Describes who made a version or a deployment, as it is stored and shown.

import type { Actor } from "../../actor.ts";

/** Who changed code: a caller, an admin, the operator, the server, an edit on disk, or a commit. */
export interface Author {
  readonly kind: Actor["kind"] | "disk" | "git";
  /** Of a key or an admin; null for others. */
  readonly id: string | null;
  /** Such as `management/ci` or an e-mail address; null if there is none. */
  readonly name: string | null;
}

/** The author of files that were not changed through this server. */
export const DISK: Author = { kind: "disk", id: null, name: null };

export function authorOf(actor: Actor): Author {
  switch (actor.kind) {
    case "key":
      return { kind: "key", id: String(actor.id), name: `${actor.group}/${actor.name}` };
    case "admin":
      return { kind: "admin", id: actor.id, name: actor.name };
    default:
      return { kind: actor.kind, id: null, name: null };
  }
}
