// Forgets nodes: those that are gone for a day, and those that an operator names.

import { AppError, notFound } from "../../errors.ts";
import { DAY_MS } from "../../time.ts";
import { GONE_MS } from "./lease.ts";
import type { NodeView } from "./membership.ts";
import type { NodeTable } from "./node_row.ts";

/** A node without a lease for as long is forgotten. */
export const FORGOTTEN_AFTER_MS = DAY_MS;

/**
 * Deletes the rows of those of `nodes` that have not renewed their lease for a day. Returns their ids. A node that is
 * live is never forgotten, whatever the clock of PostgreSQL shows.
 */
export async function forgetGone(table: Pick<NodeTable, "forget">, nodes: readonly NodeView[]): Promise<string[]> {
  const forgotten: string[] = [];
  for (const { id, counter, renewedMsAgo, isLive } of nodes) {
    if (isLive || renewedMsAgo < FORGOTTEN_AFTER_MS) continue;
    if (await table.forget(id, counter)) forgotten.push(id);
  }
  return forgotten;
}

/**
 * Deletes the row of a node, which it must have let lapse.
 * @throws AppError NotFound (404), Conflict (409) if the node renews its lease
 */
export async function forgetNode(
  table: Pick<NodeTable, "list" | "forget">,
  id: string,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const find = async () => (await table.list()).find((row) => row.id === id);
  const row = await find();
  if (!row) throw notFound("node", id);
  if (!row.left) await pause(GONE_MS);
  if (await table.forget(id, row.counter)) return;
  if (await find()) throw new AppError("Conflict", 409, `Node ${id} (${row.url}) is live: stop it first.`);
}
