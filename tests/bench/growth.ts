// A server that has grown: a million secrets, 100,000 keys and 10,000 functions, against one that has few of each.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createAccess } from "../../src/core/access/access.ts";
import { OPERATOR } from "../../src/actor.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import { routeKey } from "../../src/core/functions/router.ts";
import type { FunctionId, GroupId, KeyId, SecretName } from "../../src/ids.ts";
import { apiKeyAad, secretAad } from "../../src/keyring/aad.ts";
import type { KeyFile } from "../../src/keyring/key_file.ts";
import { type Caller, entitledOwners, rank } from "../../src/core/secrets/resolution.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { withFolder } from "../http/filled.ts";
import { run } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { authenticateFile } from "../../src/store/authentication.ts";
import { openStoreAt, unrecorded } from "../unit/temporary.ts";
import { compare, report, timeOf } from "./ratios.ts";

interface Size {
  readonly secrets: number;
  readonly keys: number;
  readonly functions: number;
}

const FULL: Size = { secrets: 1_000_000, keys: 100_000, functions: 10_000 };
const SMALL: Size = { secrets: 1_000, keys: 1_000, functions: 1_000 };
const EMPTY: Size = { secrets: 0, keys: 0, functions: 0 };

const GROUPS = 100;
/** Names that are looked up: one secret of each scope by turns. */
const NAMES = 100;
const LOOKUPS = 2_000;
const LOOKUP_ROUNDS = 51;
const LOOKUP_CEILING = 1.2;
const LIST_ROUNDS = 31;
const LIST_CEILING = 2;
const START_ROUNDS = 5;
/** How much longer the start may take than on an empty folder. */
const START_MORE_MS = 1_000;

/** What is listed, with the same number of rows on either server. */
const LISTS = [
  "/api/secrets?limit=100",
  "/api/secrets?limit=1000",
  "/api/secrets?limit=100&scope=function",
  "/api/secrets?limit=1&keyId=2",
  "/api/secrets?limit=1&groupId=3",
  "/api/secrets/by-name/SECRET_6",
  "/api/secrets/by-name/SECRET_7?scope=global",
  "/api/secrets/5",
  "/api/keys?limit=100",
  "/api/keys?limit=1000",
  "/api/keys/5",
  "/api/functions?limit=100",
  "/api/functions?limit=1000",
  "/api/functions/5",
];

/** Whole lists, which nobody else should have to wait for. */
const WHOLE_LISTS = ["/api/keys", "/api/functions"];
/** Nine of ten other requests may take so much of the time that the list takes. One go would keep all of them waiting. */
const STALL_CEILING = 0.1;

/** Prints ratios; returns what is above its ceiling. */
export async function benchGrowth(): Promise<string[]> {
  const missed: string[] = [];
  await withFolder((empty) =>
    withFolder((small) =>
      withFolder(async (full) => {
        for (const [folder, size] of [[empty, EMPTY], [small, SMALL], [full, FULL]] as const) fill(folder, size);
        const counts = Object.entries(FULL).map(([what, count]) => `${count.toLocaleString("en")} ${what}`);
        console.log(`\n${counts.join(", ")}`);
        missed.push(...await benchLookups(empty, full));
        missed.push(...await benchStart(empty, full));
        missed.push(...await benchLists(small, full));
      })
    )
  );
  return missed;
}

/** The statement over four scopes and the decryption of the winner; whom a key belongs to. Nothing is remembered. */
async function benchLookups(empty: string, full: string): Promise<string[]> {
  using none = lookups(empty);
  using many = lookups(full);
  console.log("look-ups, against an almost empty database");
  return [
    ...report("a secret", await compare(LOOKUP_ROUNDS, many.secrets, none.secrets), LOOKUP_CEILING),
    ...report("an API key", await compare(LOOKUP_ROUNDS, many.keys, none.keys), LOOKUP_CEILING),
  ];
}

async function benchStart(empty: string, full: string): Promise<string[]> {
  const start = (folder: string) => async () => {
    let server: Server | undefined;
    const ms = await timeOf(async () => server = await startServer({ folder }));
    await server!.stop();
    return ms;
  };
  console.log("from the start of the process until it listens, against an empty data folder");
  const times = await compare(START_ROUNDS, start(full), start(empty));
  report("start", times);
  const more = times.ms - times.baseMs;
  return more > START_MORE_MS ? [`start: ${more.toFixed(0)} ms more than without data`] : [];
}

async function benchLists(small: string, full: string): Promise<string[]> {
  await using few = await startServer({ folder: small });
  await using many = await startServer({ folder: full });
  const missed: string[] = [];
  console.log(`answers, against a server with ${SMALL.secrets} of each`);
  const first = (server: Server) => timeOf(() => run(server, "/nobody-is-here"));
  const [fewMs, manyMs] = [await first(few), await first(many)];
  console.log(`  the first call, which reads all routes: ${manyMs.toFixed(0)} against ${fewMs.toFixed(0)} ms`);
  for (const path of LISTS) {
    const get = (server: Server) => () =>
      timeOf(async () => {
        const { status, body } = await server.api("GET", path);
        if (status !== 200) throw new Error(`${path} answers ${status}: ${JSON.stringify(body)}`);
      });
    missed.push(...report(path, await compare(LIST_ROUNDS, get(many), get(few)), LIST_CEILING));
  }
  for (const path of WHOLE_LISTS) missed.push(...await benchWholeList(many, path));
  return missed;
}

/** How long another client waits while one takes a whole list. */
async function benchWholeList(server: Server, path: string): Promise<string[]> {
  let taken = false;
  // Looked at afterwards, as that would hold up this client's own requests.
  const pieces: Uint8Array[] = [];
  const whole = fetch(server.url + path, { headers: { "X-API-Key": server.key } }).then(async ({ body }) => {
    for await (const piece of body!) pieces.push(piece);
  }).finally(() => taken = true);
  const waits: number[] = [];
  const total = await timeOf(async () => {
    while (!taken) waits.push(await timeOf(() => server.api("GET", "/health")));
  });
  await whole;
  const [rows] = Object.values(JSON.parse(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).text())) as unknown[][];
  const wait = waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.9)]!;
  console.log(
    `  ${path}, whole: ${rows!.length} rows in ${total.toFixed(0)} ms; meanwhile /health took ${
      wait.toFixed(1)
    } ms (p90)` +
      ` and ${waits.at(-1)!.toFixed(1)} at most: ${(wait / total).toFixed(3)} of the time, ceiling ${STALL_CEILING}`,
  );
  return wait / total > STALL_CEILING ? [`${path}: /health took ${(wait / total).toFixed(2)} of its time`] : [];
}

/** What is looked up again and again, in the folder that `fill` made. */
function lookups(home: string) {
  const { dataDir, store, keyring } = open(home);
  const db = new DatabaseSync(join(dataDir, "database.db"), { readOnly: true });
  const id = (table: string) => Number(db.prepare(`SELECT id FROM ${table} WHERE name = 'looked-up'`).get()!.id);
  const [functionId, groupId, keyId] = [id("functions"), id("key_groups"), id("api_keys")];
  db.close();
  const key = keyring.open(store.access.key(keyId as KeyId)!.ciphertext, apiKeyAad(groupId as GroupId, "looked-up"));
  const holder = store.access.holder(keyring.lookup(key.reveal()));
  const caller: Caller = { functionId: functionId as FunctionId, holder, mayAsk: () => true };
  const names = Array.from({ length: NAMES }, (_, n) => `SECRET_${n}` as SecretName);

  const times = (work: (n: number) => void) => () =>
    timeOf(() => {
      for (let n = 0; n < LOOKUPS; n++) work(n);
    });
  return {
    secrets: times((n) => {
      const owners = entitledOwners(caller);
      const name = names[n * 31 % NAMES]!;
      const [winner] = rank(store.secrets.candidates(name, functionId, groupId, keyId), owners);
      if (winner?.id === undefined) throw new Error("The secret is missing.");
      keyring.open(winner.ciphertext, secretAad(owners.find(({ scope }) => scope === winner.scope)!, name));
    }),
    keys: times(() => {
      if (!store.access.holder(keyring.lookup(key.reveal()))) throw new Error("The key is not known.");
    }),
    [Symbol.dispose]: () => store.close(),
  };
}

function open(home: string) {
  const dataDir = join(home, "data");
  Deno.mkdirSync(dataDir, { recursive: true });
  const { store, keyFile: { keyring } } = openStoreAt(join(dataDir, "database.db"));
  return { dataDir, keyring, store };
}

/** A data folder of that size, with a function, a group, a key and secrets to look up among the others. */
function fill(home: string, size: Size): void {
  const path = join(home, "data", "database.db");
  {
    const { store, keyring } = open(home);
    const { epoch, generation } = store.head();
    store.close();
    fillRows(path, size, keyring);
    authenticateFile(path, keyring, epoch, generation);
  }
  const { store, keyring } = open(home);
  const access = createAccess({ store, keyring, now: Date.now, groupsInSettings: () => [], record: unrecorded });
  const registry = createRegistry({ store, now: Date.now, onChange: () => {}, record: unrecorded });
  const secrets = createSecrets({ store, keyring, now: Date.now, record: unrecorded });
  const name = "looked-up";
  const groupId = access.createGroup(OPERATOR, name, "");
  const key = access.createKey(OPERATOR, { groupId, name, description: "" });
  const [handler, route, methods] = ["looked_up.ts", "/looked-up", ["GET"]];
  const made = registry.create(OPERATOR, {
    name,
    description: "",
    handler,
    route,
    methods,
    keys: [groupId],
    enabled: true,
  });
  const owners = entitledOwners({ functionId: made.id, holder: access.find(key.value), mayAsk: () => true });
  for (let n = 0; n < NAMES; n++) {
    secrets.create(OPERATOR, {
      name: `SECRET_${n}` as SecretName,
      value: `value ${n}`,
      owner: owners[n % 4]!,
      comment: "",
    });
  }
  store.close();
}

/** Rows as the server would have written them, by SQL; secrets' ciphertexts are no real ones. */
function fillRows(path: string, { secrets, keys, functions }: Size, keyring: KeyFile["keyring"]): void {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  db.exec("PRAGMA foreign_keys = ON; PRAGMA cache_size = -200000; BEGIN");
  const group = db.prepare("INSERT INTO key_groups (name, description, created_at) VALUES (?, '', 0)");
  for (let n = 0; n < GROUPS; n++) group.run(`group-${n}`);
  const key = db.prepare(
    "INSERT INTO api_keys (group_id, name, description, lookup, ciphertext, created_at) VALUES (?, ?, '', ?, ?, 0)",
  );
  for (let n = 0; n < keys; n++) {
    const [groupId, name, value] = [1 + n % GROUPS, `key-${n}`, `cf_${crypto.randomUUID()}${n}`];
    key.run(groupId, name, keyring.lookup(value), keyring.seal(value, apiKeyAad(groupId as GroupId, name)));
  }
  const row = db.prepare(
    "INSERT INTO functions (name, description, handler, route, confinement, enabled, method_list, group_list, created_at," +
      " updated_at) VALUES (?, '', ?, ?, '{}', 1, '[\"GET\"]', ?, 0, 0)",
  );
  const method = db.prepare("INSERT INTO function_methods (route_key, method, function_id) VALUES (?, 'GET', ?)");
  const required = db.prepare("INSERT INTO function_groups (function_id, group_id) VALUES (?, ?)");
  for (let n = 0; n < functions; n++) {
    const route = n % 2 === 0 ? `/function-${n}` : `/function-${n}/:id`;
    const id = row.run(`function-${n}`, `function_${n}.ts`, route, `[${1 + n % GROUPS}]`).lastInsertRowid;
    method.run(routeKey(route), id);
    required.run(id, 1 + n % GROUPS);
  }
  // A tenth each of functions, groups and keys, the rest global. 2,654,435,761 scatters the names.
  db.exec(`
    WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${secrets}),
    rows AS (
      SELECT n, 'FILLER_' || (n * 2654435761 % 4294967296) || '_' || n AS name,
        CASE n % 10 WHEN 0 THEN 'function' WHEN 1 THEN 'group' WHEN 2 THEN 'key' ELSE 'global' END AS scope,
        CASE n % 10 WHEN 0 THEN 1 + n / 10 % ${functions} WHEN 1 THEN 1 + n / 10 % ${GROUPS}
          WHEN 2 THEN 1 + n / 10 % ${keys} ELSE 0 END AS owner
      FROM numbers WHERE n < ${secrets}
    )
    INSERT INTO secrets (name, scope, owner_id, function_id, group_id, key_id, ciphertext, comment, created_at, updated_at)
    SELECT name, scope, owner, iif(scope = 'function', owner, NULL), iif(scope = 'group', owner, NULL),
      iif(scope = 'key', owner, NULL), 'v1.${"A".repeat(92)}', '', 0, 0
    FROM rows`);
  db.exec("COMMIT");
  db.close();
}
