// Splits query results into pages.

export interface Page<Row, Key> {
  readonly rows: Row[];
  /** The key of the last row of the page; undefined if no row follows. */
  readonly next: Key | undefined;
}

/**
 * Returns the first `limit` of `rows`, which the query was asked for with a limit of `limit + 1`: the additional row
 * shows that there is another page.
 */
export function pageOf<Row, Key>(rows: readonly Row[], limit: number, key: (row: Row) => Key): Page<Row, Key> {
  const page = rows.slice(0, limit);
  return { rows: page, next: rows.length > limit ? key(page.at(-1)!) : undefined };
}
