// Adds how a user wants to see the pages. NULL for those who have chosen nothing, so that their MACs stay valid.

export const sql = `
ALTER TABLE admins ADD COLUMN preferences TEXT;  -- JSON: values by name
`;
