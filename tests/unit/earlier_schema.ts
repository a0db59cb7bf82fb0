// Takes a database back to an earlier schema, as an earlier version of the program left it.

/** SQL that leaves schema 9, the last one without an order of secrets; every later table is dropped. */
export const TO_SCHEMA_9 = `
DROP TABLE deployments;
DROP TABLE function_lists;
DROP TABLE version_files;
DROP TABLE versions;
DROP TABLE secret_order;
PRAGMA user_version = 9;`;
