// Defines the additional authenticated data that binds a ciphertext to its place: copied to another row, name or scope,
// it does not decrypt there. A change of any of these texts would make stored data unreadable.

import { type GroupId, type Owner, ownerId, type SecretId, type SecretName, type WebhookId } from "../ids.ts";

/** Returns `secrets:<scope>:<owner id, 0 for global>:<name>`. */
export function secretAad(owner: Owner, name: SecretName): string {
  return `secrets:${owner.scope}:${ownerId(owner)}:${name}`;
}

/**
 * Returns `secret-versions:<secret id>:<number>`, for a value that is not the current one. Ids are never used again, and
 * a secret keeps its own when it is renamed, deleted and restored.
 */
export function secretVersionAad(secretId: SecretId, number: number): string {
  return `secret-versions:${secretId}:${number}`;
}

/** Returns `webhooks:<id>`, for the secret that signs. Ids are never used again. */
export function webhookAad(id: WebhookId): string {
  return `webhooks:${id}`;
}

/** Returns `mail-server:<host>:<port>`, for the password: it decrypts for no other server. The port is last. */
export function mailServerAad({ host, port }: { readonly host: string; readonly port: number }): string {
  return `mail-server:${host}:${port}`;
}

/** Returns `api-keys:<group id>:<name>`. The name is last, so its content cannot be mistaken for another part. */
export function apiKeyAad(groupId: GroupId, name: string): string {
  return `api-keys:${groupId}:${name}`;
}
