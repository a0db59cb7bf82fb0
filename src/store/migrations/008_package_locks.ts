// Which versions of packages each handler gets, in place of one file for all; "" has those for new imports.

export const sql = `
CREATE TABLE package_locks (
  handler TEXT NOT NULL PRIMARY KEY,
  lock TEXT NOT NULL
) WITHOUT ROWID;
`;
