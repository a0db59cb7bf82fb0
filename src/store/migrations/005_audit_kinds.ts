// All entries about secrets, or by API keys, newest first, without sorting them all.

export const sql = `
CREATE INDEX audit_by_actor_kind ON audit (actor_kind, id);
CREATE INDEX audit_by_subject_kind ON audit (subject_kind, id);
`;
