// Creates the audit: who changed what. Rows are only added. Anyone who can write the file can also drop the triggers:
// these prevent mistakes, and the chain of MACs reveals everything else.

export const sql = `
CREATE TABLE audit (
  id           INTEGER PRIMARY KEY,  -- 1, 2, 3 … without a gap
  at           INTEGER NOT NULL,
  actor_kind   TEXT NOT NULL,
  actor_id     TEXT,
  actor_name   TEXT,
  actor_group  TEXT,
  address      TEXT,
  request_id   TEXT,
  action       TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id   TEXT,
  subject_name TEXT NOT NULL,
  before       TEXT,  -- JSON
  after        TEXT,  -- JSON
  mac          TEXT NOT NULL  -- hexadecimal; over all columns and the MAC of the entry before
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor_kind, actor_id, id);
CREATE INDEX audit_by_actor_name ON audit (actor_name, id);
CREATE INDEX audit_by_action ON audit (action, id);
CREATE INDEX audit_by_subject ON audit (subject_kind, subject_id, id);
CREATE INDEX audit_by_subject_name ON audit (subject_name, id);
CREATE INDEX audit_by_time ON audit (at);

CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'entries of the audit are never deleted'); END;
CREATE TRIGGER audit_keeps_fields BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'entries of the audit are never changed'); END;
-- INSERT OR REPLACE would not fire the trigger on deletes.
CREATE TRIGGER audit_grows_at_its_end BEFORE INSERT ON audit
WHEN NEW.id <= (SELECT ifnull(max(id), 0) FROM audit)
BEGIN SELECT RAISE(ABORT, 'the audit grows at its end alone'); END;
`;
