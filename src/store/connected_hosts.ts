// Stores which hosts functions connected to, by day. What is read includes other nodes of a cluster.

import type { FunctionId } from "../ids.ts";
import { DAY_MS } from "../time.ts";
import { all, type Database, first } from "./database.ts";

/** What stands for hosts that cannot be listed, and for those beyond the limit of a day. */
export const OTHER_HOSTS = "*";

export interface ConnectedHost {
  /** In lower case and with its port, such as `api.example.com:443`; or OTHER_HOSTS. */
  readonly host: string;
  /** How often the permission for it was checked, which is more than once for most connections. */
  readonly checks: number;
  /** When the last day with a check begins, in milliseconds since 1970 UTC. */
  readonly lastDay: number;
}

export interface ConnectedHostStore {
  /** Adds checks on the day that contains the time `at`. */
  add(functionId: FunctionId, at: number, host: string, checks: number): void;

  /** Returns the hosts of this node on the day that contains the time `at`. */
  ofDay(functionId: FunctionId, at: number): string[];

  /** Returns the hosts on the day of `since` and later, in order. */
  since(functionId: FunctionId, since: number): ConnectedHost[];

  /** Returns since when hosts are known on all nodes; undefined if there is a node that does not know them. */
  begin(): number | undefined;

  /** Returns the same of this node alone. */
  ownBegin(): number | undefined;
  setBegin(at: number | undefined): void;

  /** Deletes days before `at`. */
  trim(at: number): void;

  /** Returns the functions that have hosts. */
  functionIds(): FunctionId[];
  forget(functionId: FunctionId): void;
}

export function createConnectedHostStore(db: Database): ConnectedHostStore {
  const add = db.prepare(
    `INSERT INTO connected_hosts (function_id, at, host, checks) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET checks = checks + excluded.checks`,
  );
  const ofDay = db.prepare("SELECT host FROM connected_hosts WHERE function_id = ? AND at = ?");
  const since = db.prepare(
    `SELECT host, sum(checks) AS checks, max(at) AS lastDay FROM (
       SELECT host, checks, at FROM connected_hosts WHERE function_id = ?1 AND at >= ?2
       UNION ALL SELECT host, checks, at FROM node_connected_hosts WHERE function_id = ?1 AND at >= ?2
     ) GROUP BY host ORDER BY host`,
  );
  const begin = db.prepare(
    `SELECT min(at) AS earliest, max(at) AS at FROM (
       SELECT at FROM connected_hosts_begin UNION ALL SELECT at FROM node_connected_hosts_begin
     )`,
  );
  const ownBegin = db.prepare("SELECT at FROM connected_hosts_begin");
  const setBegin = db.prepare("UPDATE connected_hosts_begin SET at = ?");
  const ids = db.prepare(
    "SELECT function_id AS id FROM connected_hosts UNION SELECT function_id FROM node_connected_hosts ORDER BY id",
  );
  const tables = ["connected_hosts", "node_connected_hosts"];
  const trims = tables.map((table) => db.prepare(`DELETE FROM ${table} WHERE at < ?`));
  const forgets = tables.map((table) => db.prepare(`DELETE FROM ${table} WHERE function_id = ?`));
  const dayOf = (at: number): number => at - at % DAY_MS;

  return {
    add: (functionId, at, host, checks) => void add.run(functionId, dayOf(at), host, checks),
    ofDay: (functionId, at) => all<{ host: string }>(ofDay, functionId, dayOf(at)).map(({ host }) => host),
    since: (functionId, at) => all<{ host: string; checks: number; lastDay: number }>(since, functionId, dayOf(at)),
    begin() {
      const { earliest, at } = first<{ earliest: number; at: number }>(begin)!;
      return earliest === 0 ? undefined : at;
    },
    ownBegin: () => first<{ at: number }>(ownBegin)!.at || undefined,
    setBegin: (at) => void setBegin.run(at ?? 0),
    trim: (at) => trims.forEach((statement) => statement.run(dayOf(at))),
    functionIds: () => all<{ id: FunctionId }>(ids).map(({ id }) => id),
    forget: (functionId) => forgets.forEach((statement) => statement.run(functionId)),
  };
}
