// Additional authenticated data: what a ciphertext is bound to. A ciphertext copied to another row,
// name or scope does not decrypt there. Changing any of these texts makes stored data unreadable.

import { type GroupId, type Owner, ownerId, type SecretName } from "../ids.ts";

/** `secrets:<scope>:<owner id, 0 for global>:<name>` */
export function secretAad(owner: Owner, name: SecretName): string {
  return `secrets:${owner.scope}:${ownerId(owner)}:${name}`;
}

/** `api-keys:<group id>:<name>`; the name comes last, so whatever it holds cannot be taken for another part. */
export function apiKeyAad(groupId: GroupId, name: string): string {
  return `api-keys:${groupId}:${name}`;
}
