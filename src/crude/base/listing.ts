// Reads lists that the API answers in pages.

import type { Client } from "./client.ts";
import type { Scope } from "./owners.ts";

const PAGE_SIZE = 1_000;

export interface SecretInfo {
  readonly id: number;
  readonly name: string;
  readonly comment: string;
  readonly scope: Scope;
  readonly scopeId: number | null;
  readonly scopeName: string | null;
  readonly updatedAt: string;
  /** Only if it was asked for; null if it cannot be read. */
  readonly value?: string | null;
  readonly decryptionError?: string | null;
}

/** Returns all secrets that match, without their values. */
export async function allSecrets(
  client: Client,
  query: Readonly<Record<string, string | number | undefined>> = {},
): Promise<SecretInfo[]> {
  const secrets: SecretInfo[] = [];
  let cursor: string | undefined;
  while (true) {
    const page = await client.get("/api/secrets", { ...query, limit: PAGE_SIZE, cursor });
    secrets.push(...page.secrets);
    if (page.next === null) return secrets;
    cursor = page.next;
  }
}
