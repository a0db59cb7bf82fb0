// The functions, keys and secrets of a soak, and what is right about each of them at any moment.

import { createGroup, createKey, createSecret, deploy, save, set } from "../http/handlers.ts";
import type { Answer, Server } from "../http/server.ts";
import { History } from "./history.ts";

/** Each name may be set in any scope. */
export const NAMES = ["DB_URL", "TOKEN", "REGION", "FLAG"];
/** Functions of each kind; with the two that stream and the one that prints, there are 20. */
const PUBLIC = 5;
const GUARDED = 9;
const ISOLATED = 3;
const KEYS_EACH = 2;
/** More than the functions and the lasting keys need, so that processes of revoked keys make room in turn. */
const MAX_PROCESSES = 40;
/** A secret takes so many values in turn: the server remembers for its logs what it gave to functions (16 MiB in all). */
const VALUES_EACH = 5;

export interface SecretsFunction {
  readonly name: string;
  readonly id: number;
  /** The group whose keys may call it; undefined: public. */
  readonly group: Group | undefined;
  readonly isolated: boolean;
  /** Of its code. */
  readonly version: History<number>;
}

export interface Group {
  readonly name: string;
  readonly id: number;
}

export interface Key {
  readonly name: string;
  readonly id: number;
  readonly value: string;
  readonly group: Group;
  readonly valid: History<boolean>;
}

/** One owner's secret of one name, set or not. */
export interface Cell {
  readonly name: string;
  /** Fields of the API that name the owner. */
  readonly owner: Record<string, unknown>;
  readonly value: History<string | undefined>;
  /** While it is set. */
  id: number | undefined;
  /** How often it was set. */
  times: number;
}

export interface World {
  readonly server: Server;
  readonly functions: readonly SecretsFunction[];
  readonly groups: readonly Group[];
  /** The lasting ones first; others come and go. */
  readonly keys: Key[];
  /** By `cellName`. */
  readonly cells: Map<string, Cell>;
  /** Id of the function that prints. */
  readonly printer: number;
}

export function cellName(name: string, scope: string, id: number): string {
  return `${name} ${scope} ${id}`;
}

/** Tells its version, the secrets asked for and, in a process, who was the first to call. */
function secretsHandler(version: number): string {
  return `let first;
export default async (c, ctx) => {
  const caller = c.req.header("X-Caller") ?? "";
  first ??= caller;
  const names = c.req.query("names").split(",");
  const values = await Promise.all(names.map((name) => ctx.getSecret(name)));
  return c.json({ version: ${version}, first, group: ctx.authenticatedKeyGroup ?? null, values: values.map((v) => v ?? null) });
};
`;
}

const ECHO =
  `export default (c) => new Response(c.req.raw.body, { headers: { "Content-Type": "application/octet-stream" } });
`;
const COUNTER = `export default (c) => {
  const count = Number(c.req.query("count"));
  let n = 0;
  return new Response(new ReadableStream({
    async pull(controller) {
      if (n === count) return controller.close();
      controller.enqueue(new TextEncoder().encode(n++ + "\\n"));
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  }));
};
`;
const PRINTER = `export default async (c, ctx) => {
  console.log("printed", c.req.query("mark"), await ctx.getSecret("PRINTED"));
  return c.text(ctx.requestId);
};
`;
export const PRINTED_SECRET = "never-to-be-seen-in-a-log-4711";

/** Fills a new server. */
export async function makeWorld(server: Server): Promise<World> {
  await set(server, { "sandbox.max-processes": MAX_PROCESSES });
  const groups: Group[] = [];
  for (const name of ["red", "blue"]) {
    groups.push({ name, id: await createGroup(server, name) });
  }
  const keys: Key[] = [];
  const cells = new Map<string, Cell>();
  const world = { server, groups, keys, cells };
  for (const group of groups) {
    for (let n = 0; n < KEYS_EACH; n++) {
      await addKey(world, group, `${group.name}-${n}`);
    }
  }

  const functions: SecretsFunction[] = [];
  for (let n = 0; n < PUBLIC + GUARDED + ISOLATED; n++) {
    const group = n < PUBLIC ? undefined : groups[n % groups.length]!;
    const isolated = n >= PUBLIC + GUARDED;
    const name = `soak-${n}`;
    // They answer with secrets on purpose.
    const id = await deploy(server, name, secretsHandler(0), {
      responseGuard: "off",
      isolation: isolated ? "per-key" : "shared",
      keys: group ? [group.id] : [],
    });
    functions.push({ name, id, group, isolated, version: new History(0) });
  }
  await deploy(server, "echo", ECHO);
  await deploy(server, "counter", COUNTER);
  const printer = await deploy(server, "printer", PRINTER);
  await createSecret(server, "PRINTED", PRINTED_SECRET, {
    scope: "function",
    functionId: printer,
  });

  addCells(cells, "global", 0, {});
  for (const { id } of functions) {
    addCells(cells, "function", id, { functionId: id });
  }
  for (const { id } of groups) addCells(cells, "group", id, { groupId: id });
  return { ...world, functions, printer };
}

function addCells(
  cells: World["cells"],
  scope: string,
  id: number,
  owner: Record<string, unknown>,
): void {
  for (const name of NAMES) {
    const cell = {
      name,
      owner: { scope, ...owner },
      value: new History<string | undefined>(undefined),
      id: undefined,
      times: 0,
    };
    cells.set(cellName(name, scope, id), cell);
  }
}

export async function addKey(
  { server, keys, cells }: Pick<World, "server" | "keys" | "cells">,
  group: Group,
  name: string,
): Promise<Key> {
  const key = {
    group,
    valid: new History(true),
    ...await createKey(server, group.id, name),
    name,
  };
  addCells(cells, "key", key.id, { keyId: key.id });
  keys.push(key);
  return key;
}

/** Until it is answered, calls may find the key or not, with its secrets or without; afterwards they must not. */
export async function revokeKey(
  { server, keys, cells }: World,
  key: Key,
): Promise<void> {
  keys.splice(keys.indexOf(key), 1);
  const own = NAMES.map((name) => cellName(name, "key", key.id));
  const revoked = Promise.withResolvers<void>();
  const goneWithIt = own.map((name) => cells.get(name)!.value.change(undefined, () => revoked.promise));
  await key.valid.change(
    false,
    async () => expect(await server.api("DELETE", `/api/keys/${key.id}`), 200, 204),
  );
  revoked.resolve();
  await Promise.all(goneWithIt);
}

/** Sets or unsets a secret, or gives it another value; at most one change of it at a time. */
export async function changeCell(
  { server }: World,
  cell: Cell,
  set: boolean,
): Promise<void> {
  const value = set ? `${cell.name} of ${JSON.stringify(cell.owner)}: ${cell.times++ % VALUES_EACH}` : undefined;
  await cell.value.change(value, async () => {
    if (cell.id === undefined) {
      const body = { name: cell.name, value, ...cell.owner };
      cell.id = expect(await server.api("POST", "/api/secrets", body), 201).body.id;
    } else if (value === undefined) {
      expect(await server.api("DELETE", `/api/secrets/${cell.id}`), 200, 204);
      cell.id = undefined;
    } else {
      expect(
        await server.api("PUT", `/api/secrets/${cell.id}`, { value }),
        200,
      );
    }
  });
}

/** Saves the next version of a function's code. */
export async function editCode(
  { server }: World,
  { name, version }: SecretsFunction,
): Promise<void> {
  const next = version.current + 1;
  await version.change(
    next,
    () => save(server, `${name}.ts`, secretsHandler(next)),
  );
}

/** @throws Error with the whole answer, if it has another status */
export function expect(answer: Answer, ...statuses: number[]): Answer {
  if (statuses.includes(answer.status)) return answer;
  throw new Error(
    `status ${answer.status} instead of ${statuses.join(" or ")}: ${JSON.stringify(answer.body)}`,
  );
}
