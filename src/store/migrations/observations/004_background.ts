// Adds counts of what calls did after their responses, separate from those of the calls themselves.

export const sql = `
ALTER TABLE metrics ADD COLUMN background_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metrics ADD COLUMN background_errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metrics ADD COLUMN background_us INTEGER NOT NULL DEFAULT 0;
`;
