// Creates the package locks: the versions of packages for each handler, instead of one file for all; "" is for new
// imports.

export const sql = `
CREATE TABLE package_locks (
  handler TEXT NOT NULL PRIMARY KEY,
  lock TEXT NOT NULL
) WITHOUT ROWID;
`;
