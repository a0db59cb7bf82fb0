// Adds the key version of each ciphertext, with an index for counting and searching. A text without one has version 0.
// At most nine digits, as in the cipher; more would not fit into a number.

export const sql = `
ALTER TABLE secrets ADD COLUMN key_version INTEGER AS (CAST(substr(ciphertext, 2, 9) AS INTEGER)) VIRTUAL;
CREATE INDEX secrets_by_key_version ON secrets (key_version);

ALTER TABLE api_keys ADD COLUMN key_version INTEGER AS (CAST(substr(ciphertext, 2, 9) AS INTEGER)) VIRTUAL;
CREATE INDEX api_keys_by_key_version ON api_keys (key_version);
`;
