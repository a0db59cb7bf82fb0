// Introduces one derived key for each purpose. Before, API keys and the fingerprint of the key file were MACs under one
// key, and the tokens of sessions and password links were hashed without a key.

import type { DatabaseSync } from "node:sqlite";
import type { GroupId } from "../../ids.ts";
import { apiKeyAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";
import type { Upgrade } from "./upgrade.ts";

interface StoredKey {
  readonly id: number;
  readonly name: string;
  readonly groupId: GroupId;
  readonly ciphertext: string;
}

export const upgrade: Upgrade = {
  // The tokens' columns hold HMACs from now on, which cannot be computed from the hashes: sessions and links end.
  sql: `
DELETE FROM sessions;
DELETE FROM password_links;
`,
  run(db, { keyring, warn }) {
    lookUpByDerivedKey(db, keyring, warn);
    db.prepare("UPDATE meta SET value = ? WHERE name = 'keyring'").run(keyring.fingerprint());
  },
};

function lookUpByDerivedKey(db: DatabaseSync, keyring: Keyring, warn: (message: string) => void): void {
  const keys = db.prepare("SELECT id, name, group_id AS groupId, ciphertext FROM api_keys ORDER BY id");
  const update = db.prepare("UPDATE api_keys SET lookup = ? WHERE id = ?");
  const unreadable: number[] = [];
  for (const { id, name, groupId, ciphertext } of keys.all() as unknown as StoredKey[]) {
    try {
      update.run(keyring.lookup(keyring.open(ciphertext, apiKeyAad(groupId, name)).reveal()), id);
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      unreadable.push(id);
    }
  }
  if (unreadable.length === 0) return;
  warn(
    `The values of API keys ${unreadable.join(", ")} could not be decrypted during the upgrade: ` +
      "requests with these keys are refused from now on. Create new ones.",
  );
}
