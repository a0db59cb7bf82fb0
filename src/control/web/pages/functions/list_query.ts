// What a list of functions shows, and in which order, as its address says it.

import { z } from "zod";

/** Which functions are shown, with the words for them. */
export const STATES = {
  all: "All",
  failing: "Failing",
  broken: "Broken or suspended",
  disabled: "Disabled",
} as const;

export type Sort = "name" | "calls" | "errors" | "changed";

/** Orders by their names in the address: a minus is the opposite of what a column is sorted by at first. */
export const SORTS = {
  name: { by: "name", isDescending: false },
  "-name": { by: "name", isDescending: true },
  calls: { by: "calls", isDescending: true },
  "-calls": { by: "calls", isDescending: false },
  errors: { by: "errors", isDescending: true },
  "-errors": { by: "errors", isDescending: false },
  changed: { by: "changed", isDescending: true },
  "-changed": { by: "changed", isDescending: false },
} as const satisfies Record<string, { by: Sort; isDescending: boolean }>;

const SEARCH_MAX_LENGTH = 100;
const keysOf = <Key extends string>(values: Record<Key, unknown>) => Object.keys(values) as [Key, ...Key[]];

const schema = z.object({
  search: z.string().catch("").transform((text) => text.slice(0, SEARCH_MAX_LENGTH)),
  state: z.enum(keysOf(STATES)).catch("all"),
  sort: z.enum(keysOf(SORTS)).catch("name"),
  /** How many functions the pages before have shown. */
  skip: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).catch(0),
});

export type ListQuery = z.output<typeof schema>;

/** Reads the query of an address; what is no value of a field counts as absent. */
export function listQuery(query: Readonly<Record<string, string>>): ListQuery {
  return schema.parse(query);
}

/** Returns the address of a list. */
export function listPath({ search, state, sort, skip }: ListQuery): string {
  const query = new URLSearchParams();
  if (search !== "") query.set("search", search);
  if (state !== "all") query.set("state", state);
  if (sort !== "name") query.set("sort", sort);
  if (skip > 0) query.set("skip", String(skip));
  return query.size === 0 ? "/web/functions" : `/web/functions?${query}`;
}
