// A group's keys in order of id, a page at a time, however many it has.

export const sql = `
CREATE INDEX api_keys_by_group ON api_keys (group_id, id);
`;
