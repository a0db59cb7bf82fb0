// In which order a list of keys is shown, as its address says it.

import { z } from "zod";
import type { KeyOrder } from "../../../../core/access/listing.ts";
import type { Column } from "../../ui/data_table.tsx";

/** By their names in the address: a minus is the opposite of what a column is sorted by at first. */
const SORTS = {
  name: { by: "name", isDescending: false },
  "-name": { by: "name", isDescending: true },
  used: { by: "used", isDescending: true },
  "-used": { by: "used", isDescending: false },
  expires: { by: "expires", isDescending: false },
  "-expires": { by: "expires", isDescending: true },
  created: { by: "created", isDescending: true },
  "-created": { by: "created", isDescending: false },
} as const satisfies Record<string, KeyOrder>;

type Sort = keyof typeof SORTS;

const sortSchema = z.enum(Object.keys(SORTS) as [Sort, ...Sort[]]).catch("created");
/** How many keys the pages before have shown. */
const skipSchema = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).catch(0);

export interface ListedOrder {
  readonly order: KeyOrder;
  readonly skip: number;
  /** Returns the address of the next page, which skips as many keys; undefined if there is none. */
  next(skip: number | undefined): string | undefined;
  /** Returns where the heading of a column leads. */
  heading(by: KeyOrder["by"]): NonNullable<Column<unknown>["sort"]>;
}

/**
 * Reads the order of a list from its address; what is no order counts as absent. `parameters` are the others of the
 * address.
 */
export function orderOf(
  query: (name: string) => string | undefined,
  path: string,
  parameters: Readonly<Record<string, string>>,
): ListedOrder {
  const sort = sortSchema.parse(query("sort"));
  const skip = skipSchema.parse(query("skip"));
  const order = SORTS[sort];
  const address = (wanted: Sort, more: Readonly<Record<string, string>> = {}): string => {
    const all = new URLSearchParams({ ...parameters, ...(wanted !== "created" && { sort: wanted }), ...more });
    return all.size === 0 ? path : `${path}?${all}`;
  };
  return {
    order,
    skip,
    next: (skip) => skip === undefined ? undefined : address(sort, { skip: String(skip) }),
    heading(by) {
      const isCurrent = order.by === by;
      return {
        href: address(isCurrent && !sort.startsWith("-") ? `-${by}` : by),
        direction: isCurrent ? (order.isDescending ? "descending" : "ascending") : undefined,
      };
    },
  };
}
