// Adds indexes for all entries about a kind of subject or by a kind of actor, newest first, without sorting.

export const sql = `
CREATE INDEX audit_by_actor_kind ON audit (actor_kind, id);
CREATE INDEX audit_by_subject_kind ON audit (subject_kind, id);
`;
