// Adds an index for pages of a group's keys in order of id.

export const sql = `
CREATE INDEX api_keys_by_group ON api_keys (group_id, id);
`;
