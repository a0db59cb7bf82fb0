// Takes a database back to an earlier schema, as an earlier version of the program left it.

/** Columns that cannot be inserted. */
export const GENERATED_COLUMNS = ["key_version", "due_at"];

/** SQL that leaves schema 9, the last one without an order of secrets; every later table is dropped. */
export const TO_SCHEMA_9 = `
ALTER TABLE admins DROP COLUMN preferences;
DROP INDEX api_keys_by_previous_lookup;
DROP INDEX api_keys_by_previous_until;
DROP INDEX api_keys_by_expires_at;
${
  ["rolled_at", "previous_until", "previous_lookup", "expires_at"]
    .map((column) => `ALTER TABLE api_keys DROP COLUMN ${column};`).join("\n")
}
DROP TABLE announced;
DROP TABLE deliveries;
DROP TABLE mail_server;
DROP TABLE mail_recipients;
DROP TABLE webhooks;
DROP TABLE deleted_secrets;
DROP TABLE secret_versions;
DROP INDEX secrets_by_due;
ALTER TABLE secrets DROP COLUMN due_at;
${
  [
    "sealed",
    "hosts",
    "places",
    "expires_at",
    "rotate_every_days",
    "on_expiry",
    "expand",
    "canary",
    "version",
    "set_at",
    "set_by_kind",
    "set_by_id",
    "set_by_name",
    "placed_at",
  ].map((column) => `ALTER TABLE secrets DROP COLUMN ${column};`).join("\n")
}
DROP TABLE deployments;
DROP TABLE function_lists;
DROP TABLE version_files;
DROP TABLE versions;
DROP TABLE secret_order;
PRAGMA user_version = 9;`;
