// A database that something else writes to: what was altered is refused and named, and what was deleted or put back
// is found. The file is edited as an attacker would who has no key file.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createAccess } from "../../src/core/access/access.ts";
import { createAdmins } from "../../src/core/admins/admins.ts";
import { OPERATOR } from "../../src/actor.ts";
import { AppError } from "../../src/errors.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import type { FunctionId, GroupId, KeyId, MailRecipientsId, SecretId, SecretName, WebhookId } from "../../src/ids.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { createSettings } from "../../src/core/settings/settings.ts";
import { AUTHENTICATED_TABLES, describeTable, type Finding } from "../../src/store/authenticated_tables.ts";
import { DataFolderError } from "../../src/store/data_folder.ts";
import { mailServerAad, secretVersionAad } from "../../src/keyring/aad.ts";
import { setterOf } from "../../src/store/secrets.ts";
import { openStore } from "../../src/store/store.ts";
import { openVerification } from "../../src/store/verification.ts";
import { GENERATED_COLUMNS } from "./earlier_schema.ts";
import { secretReader } from "./secret_reader.ts";
import { type TemporaryFolder, temporaryFolder, temporaryStore, unrecorded } from "./temporary.ts";

const LIMITS = { idleMs: () => 1e12, longestMs: () => 1e12 };
const HOOK = { channel: "webhook", receiverId: 1 } as const;
const VISITOR = { kind: "visitor", address: "", requestId: "" } as const;

/** What the holders of the data know. */
interface Facts {
  readonly key: { readonly id: KeyId; readonly value: string };
  readonly other: { readonly id: KeyId; readonly value: string };
  readonly functionId: FunctionId;
  readonly staging: GroupId;
  readonly management: GroupId;
  readonly secretIds: Readonly<Record<"global" | "group" | "key", SecretId>>;
  readonly session: string;
  readonly link: string;
}

let filled: Promise<{ files: Map<string, Uint8Array>; facts: Facts }> | undefined;

/** Data with a row in each table, and what its holders know; made once, and a copy for each test. */
async function filledData() {
  const { files, facts } = await (filled ??= fill());
  const folder = temporaryFolder();
  for (const [name, content] of files) Deno.writeFileSync(join(folder.path, name), content, { mode: 0o600 });
  return { ...dataIn(folder), ...facts };
}

/** What opens and looks at the data in a folder. */
function dataIn(folder: TemporaryFolder) {
  const path = join(folder.path, "database.db");
  const keyFile = openKeyFile(join(folder.path, "encryption-keys.json"), false, new Date(0));
  const { keyring } = keyFile;
  const findings: string[] = [];
  const open = () => {
    const store = openStore(path, keyFile, {
      onFinding: ({ table, id, problem }: Finding) => findings.push(`${table} ${id ?? "-"} ${problem}`),
    });
    const access = createAccess({ store, keyring, now: Date.now, groupsInSettings: () => [], record: unrecorded });
    const registry = createRegistry({ store, now: Date.now, onChange: () => {}, record: unrecorded });
    const secrets = createSecrets({ store, keyring, now: Date.now, record: unrecorded });
    const admins = createAdmins({ store, keyring, limits: LIMITS, now: Date.now, record: unrecorded });
    const settings = createSettings({ store, check: () => undefined, record: unrecorded });
    const reader = secretReader(store, keyring);
    return { store, access, registry, secrets, admins, settings, reader, [Symbol.dispose]: () => store.close() };
  };
  const sql = (text: string, ...values: (string | number | null | Uint8Array)[]) => {
    using db = new DatabaseSync(path, { timeout: 5_000 });
    db.exec("PRAGMA foreign_keys = OFF");
    db.prepare(text).run(...values);
  };
  const rowsOf = (table: string) => {
    using db = new DatabaseSync(path, { readOnly: true });
    return db.prepare(`SELECT * FROM ${table}`).all() as Record<string, string | number | null | Uint8Array>[];
  };
  return {
    folder,
    path,
    keyFile,
    keyring,
    open,
    findings,
    sql,
    rowsOf,
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

async function fill(): Promise<{ files: Map<string, Uint8Array>; facts: Facts }> {
  using data = dataIn(temporaryFolder());
  const { keyring, folder } = data;
  const opened = data.open();
  const { access, registry, secrets, admins, settings, store } = opened;
  const [staging, management] = ["staging", "management"].map((name) => access.createGroup(OPERATOR, name, "")) as [
    GroupId,
    GroupId,
  ];
  const key = access.createKey(OPERATOR, { groupId: staging, name: "mine", description: "" });
  const other = access.createKey(OPERATOR, { groupId: management, name: "theirs", description: "" });
  const made = registry.create(OPERATOR, {
    name: "orders",
    description: "",
    handler: "orders.ts",
    route: "/orders",
    methods: ["GET"],
    keys: [staging],
    enabled: true,
  });
  const secret = (value: string, owner: Parameters<typeof secrets.create>[1]["owner"], name = "DB") =>
    secrets.create(OPERATOR, { name: name as SecretName, value, owner, comment: "" });
  const ids = {
    global: secret("global", { scope: "global" }),
    group: secret("group", { scope: "group", groupId: staging }),
    key: secret("key", { scope: "key", keyId: key.id }),
  };
  const setup = admins.accounts.openSetup()!;
  const ada = { email: "ada@example.com", name: "Ada", password: "correct horse battery" };
  const signedIn = await admins.accounts.setUp(VISITOR, setup, ada, { address: "", userAgent: "" });
  const link = admins.accounts.invite(OPERATOR, { email: "bob@example.com", name: "Bob" });
  store.transaction(() => store.admins.replaceCodes(signedIn.id, [new Uint8Array(32).fill(1)]));
  settings.change(OPERATOR, { "sandbox.timeout-ms": 12_000 });
  store.packageLocks.put("orders.ts", "{}");
  const version = { sealed: true, hosts: ["api.example.com"], places: ["header"], previousUntil: null } as const;
  const ciphertext = keyring.seal("before", secretVersionAad(ids.global, 1));
  store.secretVersions.insert({
    ...version,
    secretId: ids.global,
    number: 1,
    ciphertext,
    setAt: 1,
    setBy: null,
    until: 2,
  });
  const deleted = secret("deleted", { scope: "global" }, "DELETED");
  const bin = { ...store.secrets.find(deleted)!, ownerGroup: null, deletedAt: 1, deletedBy: setterOf(OPERATOR) };
  store.transaction(() => {
    store.secrets.delete(deleted);
    store.deletedSecrets.insert(bin);
  });
  const times = { createdAt: 1, updatedAt: 1 };
  store.webhooks.insert({ url: "https://hooks.example.com", events: ["secret.due"], ...times });
  store.mail.insert({ addresses: ["ops@example.com"], events: ["secret.due"], ...times });
  store.mail.putServer({
    host: "smtp.example.com",
    port: 587,
    tls: "starttls",
    ca: null,
    user: "crude",
    sender: "crude@example.com",
    ciphertext: keyring.seal("password", mailServerAad({ host: "smtp.example.com", port: 587 })),
    updatedAt: 1,
  });
  store.deliveries.enqueue({
    ...HOOK,
    recipient: "",
    messageId: "msg_1",
    type: "secret.due",
    body: "{}",
    createdAt: 1,
    attempts: 0,
    nextAt: 1,
    triedAt: null,
    status: null,
    problem: null,
  });
  opened[Symbol.dispose]();
  const facts: Facts = {
    key,
    other,
    functionId: made.id as FunctionId,
    staging,
    management,
    secretIds: ids,
    session: signedIn.token,
    link,
  };
  const names = [...Deno.readDirSync(folder.path)].filter(({ isFile }) => isFile).map(({ name }) => name);
  return { files: new Map(names.map((name) => [name, Deno.readFileSync(join(folder.path, name))])), facts };
}

type Data = Awaited<ReturnType<typeof filledData>>;

/** What each table's rows are used for; undefined, null or an empty list if that is refused. */
const USES: Record<string, (opened: ReturnType<Data["open"]>, data: Data) => unknown> = {
  sessions: ({ admins }, { session }) => admins.sessions.find(session),
  admins: ({ admins }, { session }) => admins.sessions.find(session),
  password_links: ({ admins }, { link }) => {
    try {
      return admins.accounts.ofLink(link);
    } catch (error) {
      assert.ok(error instanceof AppError && error.status === 404);
      return undefined;
    }
  },
  recovery_codes: ({ store }) => store.admins.useCode(1 as never, new Uint8Array(32).fill(1)) || undefined,
  api_keys: ({ access }, { key }) => access.find(key.value),
  key_groups: ({ access }, { key }) => access.find(key.value),
  functions: ({ registry }) => registry.match("GET", "/orders").found,
  settings: ({ settings }) => settings.get("sandbox.timeout-ms") === 12_000 || undefined,
  package_locks: ({ store }) => store.packageLocks.find("orders.ts"),
  secret_versions: ({ store }, { secretIds }) => store.secretVersions.find(secretIds.global, 1),
  deleted_secrets: ({ store }) => store.deletedSecrets.find(4 as SecretId),
  webhooks: ({ store }) => store.webhooks.find(1 as WebhookId),
  deliveries: ({ store }) => store.deliveries.due("webhook", 2, 1)[0],
  mail_server: ({ store }) => store.mail.server(),
  mail_recipients: ({ store }) => store.mail.find(1 as MailRecipientsId),
  // That there is no value of the other key is proven by the row of the first one's.
  secret_order: ({ reader }, { functionId, other, management }) => {
    const holder = { keyId: other.id, keyName: "theirs", groupId: management, groupName: "management" };
    const found = reader.getComplete({ functionId, holder, mayAsk: () => true }, "DB")!;
    assert.equal(found.values.global, "global");
    return found.decryptionErrors.key === undefined ? "proven" : undefined;
  },
  secrets: ({ reader }, { functionId, key, staging }) =>
    reader.get({
      functionId,
      holder: { keyId: key.id, keyName: "mine", groupId: staging, groupName: "staging" },
      mayAsk: () => true,
    }, "DB"),
};

/** An edit of a column of each table that means something. */
const EDITS: Record<string, string> = {
  sessions: "UPDATE sessions SET created_at = created_at + 1",
  admins: "UPDATE admins SET totp_last_step = 5 WHERE id = 1",
  password_links: "UPDATE password_links SET expires_at = expires_at + 1000000",
  recovery_codes: "UPDATE recovery_codes SET mac = x'00'",
  api_keys: "UPDATE api_keys SET group_id = 2 WHERE id = 1",
  key_groups: "UPDATE key_groups SET name = 'renamed' WHERE id = 1",
  functions: "UPDATE functions SET group_list = '[]'",
  settings: "UPDATE settings SET value = '13000'",
  package_locks: "UPDATE package_locks SET lock = '[]'",
  secrets: "UPDATE secrets SET comment = 'x' WHERE scope = 'key'",
  secret_order: "UPDATE secret_order SET secret_id = 7",
  secret_versions: `UPDATE secret_versions SET hosts = '["evil.example"]'`,
  deleted_secrets: "UPDATE deleted_secrets SET owner_id = 7",
  webhooks: "UPDATE webhooks SET url = 'https://evil.example'",
  deliveries: `UPDATE deliveries SET body = '{"type":"secret.leaked"}'`,
  mail_server: "UPDATE mail_server SET host = 'evil.example'",
  mail_recipients: `UPDATE mail_recipients SET addresses = '["eve@evil.example"]'`,
};

Deno.test("every table whose rows decide access or meaning is authenticated, with all of its columns", () => {
  using there = temporaryStore();
  using db = new DatabaseSync(there.path, { readOnly: true });
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'").all()
    .map(({ name }) => String(name));
  // The audit has a chain of its own, versions and deployments are never changed and have MACs of their own, the head is
  // in `meta`, and the others follow from the rows of functions and versions.
  // What was announced decides nothing.
  const others = [
    "announced",
    "audit",
    "deployments",
    "function_groups",
    "function_lists",
    "function_methods",
    "meta",
    "version_files",
    "versions",
  ];
  assert.deepEqual(tables.sort(), [...AUTHENTICATED_TABLES, ...others].sort());
  const uncovered = AUTHENTICATED_TABLES.flatMap((name) => {
    const { columns, covered } = describeTable(db, name);
    return columns.filter((_, index) => !covered.includes(index)).map((column) => `${name}.${column}`);
  });
  assert.deepEqual(
    uncovered.filter((column) => !column.endsWith(".mac")).sort(),
    ["admins.last_sign_in_at", "api_keys.last_used_at"],
  );
  assert.deepEqual(Object.keys(USES).sort(), [...AUTHENTICATED_TABLES].sort());
  assert.deepEqual(Object.keys(EDITS).sort(), [...AUTHENTICATED_TABLES].sort());
});

for (const table of AUTHENTICATED_TABLES) {
  Deno.test(`a row of ${table} that was altered is refused and named, beside a running server and before a start`, async () => {
    for (const when of ["before a start", "while it runs"]) {
      using data = await filledData();
      if (when === "before a start") {
        data.sql(EDITS[table]!);
        using opened = data.open();
        assert.equal(USES[table]!(opened, data), undefined, when);
      } else {
        using opened = data.open();
        // What a running server remembers, it has read before.
        data.sql(EDITS[table]!);
        if (table === "settings") opened.store.settings.list();
        else assert.equal(USES[table]!(opened, data), undefined, when);
      }
      assert.match(data.findings.join("\n"), new RegExp(`^${table} \\S.* was altered`, "m"), when);
    }
  });

  Deno.test(`a row of ${table} that was put in counts for nothing and is found`, async () => {
    using data = await filledData();
    const [row] = data.rowsOf(table);
    const forged = { ...row! };
    const keyColumn = Object.keys(forged)[0]!;
    for (const column of Object.keys(forged)) {
      const value = forged[column];
      if (column === keyColumn || /^(name|email|lookup|token_hash|code)$/.test(column)) {
        forged[column] = typeof value === "number"
          ? 77
          : typeof value === "string"
          ? `${value}-forged`
          : new Uint8Array(32);
      }
    }
    for (const column of GENERATED_COLUMNS) delete forged[column];
    if (table === "secrets") forged.name = "FORGED";
    if (table === "secret_versions") forged.number = 7;
    const names = Object.keys(forged);
    data.sql(
      `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
      ...names.map((name) => forged[name]!),
    );
    using opened = data.open();
    assert.ok(USES[table]!(opened, data), "the genuine row is still used");
    assert.match(data.findings.join("\n"), new RegExp(`^${table} \\S.* was altered or inserted`, "m"));
  });

  Deno.test(`a row of ${table} that was deleted stops the start`, async () => {
    using data = await filledData();
    data.sql(`DELETE FROM ${table}`);
    assert.throws(
      () => data.open(),
      new RegExp(`${data.path}.*table ${table} lacks \\d rows? that this program wrote.*cli restore`),
    );
  });

  Deno.test(`a row of ${table} that was put back after this program had deleted it stops the start`, async () => {
    using data = await filledData();
    // The program never deletes the first row of the order.
    const row = data.rowsOf(table)[table === "secret_order" ? 1 : 0];
    {
      using opened = data.open();
      REMOVALS[table]!(opened, data);
    }
    const names = Object.keys(row!).filter((name) => !GENERATED_COLUMNS.includes(name));
    data.sql(
      `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
      ...names.map((name) => row![name]!),
    );
    assert.throws(() => data.open(), (error: Error) => {
      assert.ok(error instanceof DataFolderError);
      assert.match(
        error.message,
        new RegExp(`table ${table} contains 1 row that this program had deleted.*cli restore`),
      );
      return true;
    });
  });
}

/** Changes of the program's own that delete the first row of a table. */
const REMOVALS: Record<string, (opened: ReturnType<Data["open"]>, data: Data) => void> = {
  sessions: ({ admins }) => admins.sessions.endAll(OPERATOR, admins.accounts.get(1 as never)),
  admins: ({ store }) => store.admins.deleteAdmin(1 as never),
  password_links: ({ store }) => store.admins.deleteLink(2 as never),
  recovery_codes: ({ store }) => store.transaction(() => store.admins.replaceCodes(1 as never, [])),
  api_keys: ({ access }, { key }) => access.deleteKey(OPERATOR, key.id as KeyId),
  key_groups: ({ access, registry, store }, { key, functionId, staging }) => {
    access.deleteKey(OPERATOR, key.id as KeyId);
    registry.delete(OPERATOR, functionId);
    access.deleteGroup(OPERATOR, staging);
    assert.ok(store.changes.count > 0);
  },
  functions: ({ registry }, { functionId }) => registry.delete(OPERATOR, functionId),
  package_locks: ({ store }) => store.packageLocks.remove("orders.ts"),
  settings: ({ settings }) => settings.reset(OPERATOR, "sandbox.timeout-ms"),
  secrets: ({ secrets }, { secretIds }) => secrets.delete(OPERATOR, secretIds.global as SecretId),
  secret_order: ({ secrets }, { secretIds }) => secrets.delete(OPERATOR, secretIds.global as SecretId),
  secret_versions: ({ store }, { secretIds }) => store.secretVersions.deleteAll(secretIds.global),
  deleted_secrets: ({ store }) => store.deletedSecrets.delete(4 as SecretId),
  webhooks: ({ store }) => store.webhooks.delete(1 as WebhookId),
  deliveries: ({ store }) => store.deliveries.deleteOf(HOOK),
  mail_server: ({ store }) => store.mail.deleteServer(),
  mail_recipients: ({ store }) => store.mail.delete(1 as MailRecipientsId),
};

/** The same for what the first row's edit concerns, of the tables whose rows can be deleted one by one. */
const REMOVALS_OF_ALTERED: typeof REMOVALS = {
  functions: REMOVALS.functions!,
  package_locks: ({ store }) => store.packageLocks.discardAltered("orders.ts"),
  settings: ({ settings }) => settings.reset(OPERATOR, "sandbox.timeout-ms"),
  api_keys: REMOVALS.api_keys!,
  password_links: ({ store }) => store.admins.discardAlteredLink(2 as never),
  secrets: ({ secrets }, { secretIds }) => secrets.delete(OPERATOR, secretIds.key),
  secret_versions: REMOVALS.secret_versions!,
  deleted_secrets: REMOVALS.deleted_secrets!,
  webhooks: REMOVALS.webhooks!,
  deliveries: REMOVALS.deliveries!,
  mail_server: REMOVALS.mail_server!,
  mail_recipients: REMOVALS.mail_recipients!,
};

Deno.test("a function does not become public by its groups being deleted", async () => {
  using data = await filledData();
  data.sql("DELETE FROM function_groups");
  data.sql("DELETE FROM function_methods");
  {
    using opened = data.open();
    assert.deepEqual(opened.registry.match("GET", "/orders").found?.keys, [data.staging]);
  }
  using verification = openVerification(data.path, data.keyring);
  assert.match(JSON.stringify(findingsOf(verification)), /functions","id":"1","problem":"does not match/);
});

Deno.test("an altered row can be deleted, but not changed, and a change elsewhere does not make it genuine", async () => {
  using data = await filledData();
  using opened = data.open();
  const { access, secrets, registry } = opened;
  data.sql("UPDATE api_keys SET group_id = 2 WHERE id = 1");
  assert.throws(
    () => access.updateKey(OPERATOR, data.key.id as KeyId, { description: "renamed" }),
    (error: Error) => error instanceof AppError && error.code === "TamperedRow" && /api_keys/.test(error.message),
  );
  assert.equal(data.rowsOf("api_keys")[0]!.description, "", "nothing was changed");
  data.sql("UPDATE secrets SET comment = 'x' WHERE scope = 'key'");
  assert.throws(() => secrets.update(OPERATOR, data.secretIds.key, { value: "new" }), /was altered/);
  data.sql("UPDATE functions SET group_list = '[]'");
  assert.throws(() => registry.update(OPERATOR, data.functionId, { description: "x" }), /was altered/);
  // What belongs to it is deleted with it.
  access.deleteKey(OPERATOR, data.key.id as KeyId);
  registry.delete(OPERATOR, data.functionId);
  assert.equal(access.find(data.key.value), undefined);
  assert.equal(access.find(data.other.value)?.groupName, "management");
});

for (const [table, remove] of Object.entries(REMOVALS_OF_ALTERED)) {
  Deno.test(`a row of ${table} that was altered and is deleted does not stop the next start, nor hide anything else`, async () => {
    {
      using data = await filledData();
      {
        using opened = data.open();
        data.sql(EDITS[table]!);
        remove(opened, data);
      }
      data.open()[Symbol.dispose]();
      using verification = openVerification(data.path, data.keyring);
      assert.deepEqual(findingsOf(verification), []);
    }
    // What else was done to the table is still found: its MAC is gone, or another row is.
    const more: Record<string, string[]> = {
      secrets: ["DELETE FROM secrets WHERE scope = 'global'"],
      api_keys: ["DELETE FROM api_keys WHERE id = 2"],
    };
    for (
      const also of [`UPDATE ${table} SET mac = x''`, `UPDATE ${table} SET mac = zeroblob(32)`, ...more[table] ?? []]
    ) {
      using data = await filledData();
      {
        using opened = data.open();
        data.sql(EDITS[table]!);
        data.sql(also);
        remove(opened, data);
      }
      assert.throws(() => data.open(), new RegExp(`table ${table} (lacks|holds)`), also);
    }
  });
}

Deno.test("rows that were altered, their MACs or both do not stop the start; a missing one among them does", async () => {
  const edits = {
    "their contents": "UPDATE secrets SET comment = 'x'",
    "their MACs": "UPDATE secrets SET mac = x'00'",
    "one's contents, another's MAC":
      "UPDATE secrets SET comment = iif(id = 1, 'x', comment), mac = iif(id = 2, zeroblob(32), mac)",
    "each other's MACs": "UPDATE secrets SET mac = (SELECT mac FROM secrets s WHERE s.id = 1 + secrets.id % 3)",
  };
  for (const [what, edit] of Object.entries(edits)) {
    for (const isOneMissing of [false, true]) {
      using data = await filledData();
      data.sql(edit);
      if (!isOneMissing) {
        using opened = data.open();
        assert.equal(USES.secrets!(opened, data) !== undefined, what === "one's contents, another's MAC", what);
        continue;
      }
      data.sql("DELETE FROM secrets WHERE id = 3");
      assert.throws(
        () => data.open(),
        /row 1 of secrets was altered or inserted; .*table secrets lacks \d rows? that this program wrote, unless they are.*cli restore/,
        what,
      );
    }
  }
});

Deno.test("a statement that empties a table is recorded like any other", async () => {
  using data = await filledData();
  {
    using opened = data.open();
    opened.store.admins.deleteAllSessionsAndLinks();
  }
  data.open()[Symbol.dispose]();
  assert.deepEqual([data.rowsOf("sessions"), data.rowsOf("password_links"), data.findings], [[], [], []]);
});

Deno.test("a forged row that is deleted leaves the others genuine", async () => {
  using data = await filledData();
  data.sql(
    "INSERT INTO sessions (token_hash, admin_id, created_at, last_seen_at, address, user_agent) VALUES (x'01', 1, 1, 1, '', '')",
  );
  {
    using opened = data.open();
    opened.admins.sessions.endAll(OPERATOR, opened.admins.accounts.get(1 as never));
  }
  data.open()[Symbol.dispose]();
  assert.deepEqual(data.rowsOf("sessions"), []);
  using verification = openVerification(data.path, data.keyring);
  assert.deepEqual(findingsOf(verification), []);
});

Deno.test("an earlier copy of the database, or one without its record, is refused and left as it is", async () => {
  using data = await filledData();
  const record = join(dirname(data.path), "database-record.json");
  const earlier = join(data.folder.path, "earlier.db");
  copyFileSync(data.path, earlier);
  {
    using opened = data.open();
    opened.secrets.delete(OPERATOR, data.secretIds.key);
    opened.store.recordGeneration();
  }
  const refused = (pattern: RegExp) =>
    assert.throws(() => data.open(), (error: Error) => {
      assert.ok(error instanceof DataFolderError, String(error));
      assert.match(error.message, pattern);
      assert.match(error.message, /cli restore/);
      return true;
    });
  const [present, text] = [readFileSync(data.path), readFileSync(record, "utf8")];
  copyFileSync(earlier, data.path);
  refused(/database\.db is older than \S+database-record\.json says: it is at generation/);
  assert.deepEqual(readFileSync(data.path), readFileSync(earlier));
  writeFileSync(data.path, present);
  rmSync(record);
  refused(/database-record\.json is missing, but there is a database next to it/);
  for (const wrong of [text.replace(/"generation": \d+/, '"generation": 1'), "{}", "", text.slice(0, -10)]) {
    writeFileSync(record, wrong);
    refused(/database-record\.json (was altered|cannot be read)/);
  }
  writeFileSync(record, text);
  rmSync(data.path);
  refused(/database\.db is missing, but \S+database-record\.json refers to it/);
  writeFileSync(data.path, present);
  data.open()[Symbol.dispose]();
});

Deno.test("rows are authenticated once: a database that is made to look unauthenticated is refused", async () => {
  using data = await filledData();
  data.sql("PRAGMA user_version = 8");
  assert.throws(() => data.open(), /its rows are not authenticated.*cli restore/);
});

Deno.test("a head that was removed, altered or replaced by an earlier one is found", async () => {
  const stored = (data: Data) => String(data.rowsOf("meta").find(({ name }) => name === "rows-head")!.value);
  for (const wrong of [null, "AAAA", "earlier"]) {
    using data = await filledData();
    const earlier = stored(data);
    data.open()[Symbol.dispose]();
    {
      using opened = data.open();
      opened.secrets.delete(OPERATOR, data.secretIds.global);
      opened.store.recordGeneration();
    }
    if (wrong === null) data.sql("DELETE FROM meta WHERE name = 'rows-head'");
    else data.sql("UPDATE meta SET value = ? WHERE name = 'rows-head'", wrong === "earlier" ? earlier : wrong);
    assert.throws(() => data.open(), /cli restore/, String(wrong));
  }
  // A running server goes on from the head in its memory.
  using data = await filledData();
  using opened = data.open();
  opened.secrets.delete(OPERATOR, data.secretIds.global);
  const present = opened.store.head();
  data.sql("UPDATE meta SET value = 'AAAA' WHERE name = 'rows-head'");
  opened.secrets.delete(OPERATOR, data.secretIds.group);
  assert.match(data.findings.join("\n"), /^meta rows-head was removed or altered/m);
  assert.equal(opened.store.head().generation, present.generation + 1);
  using verification = openVerification(data.path, data.keyring);
  assert.deepEqual(findingsOf(verification), []);
});

Deno.test("a trigger that was put in cannot make this program write and authenticate what it wants", async () => {
  const trigger =
    "CREATE TRIGGER forged AFTER INSERT ON audit BEGIN UPDATE api_keys SET group_id = 2 WHERE id = 1; END";
  const refusal = "SELECT RAISE(ABORT, 'x')";
  const others = [
    `CREATE TRIGGER more BEFORE INSERT ON audit BEGIN UPDATE api_keys SET group_id = 2; ${refusal}; END`,
    `CREATE TRIGGER more BEFORE INSERT ON audit WHEN 1 BEGIN UPDATE api_keys SET group_id = 2; ${refusal}; END`,
    `CREATE TRIGGER more BEFORE INSERT ON audit BEGIN ${refusal}; UPDATE api_keys SET group_id = 2; END`,
    "CREATE VIEW more AS SELECT 1",
    "ALTER TABLE api_keys ADD COLUMN more TEXT",
  ];
  for (const text of [trigger, ...others]) {
    using data = await filledData();
    data.sql(text);
    assert.throws(() => data.open(), /its schema was changed.*cli restore/, text);
  }
  using data = await filledData();
  using opened = data.open();
  data.sql(trigger);
  assert.throws(
    () => opened.secrets.delete(OPERATOR, data.secretIds.global),
    (error: Error) => error instanceof AppError && error.code === "TamperedSchema",
  );
  assert.equal(data.rowsOf("secrets").length, 3);
  assert.match(data.findings.join("\n"), /^sqlite_schema - was changed/m);
});

Deno.test("beside a running server another process may write, and each takes over the other's head", async () => {
  using data = await filledData();
  using server = data.open();
  for (let n = 0; n < 3; n++) {
    {
      using command = data.open();
      command.access.createKey(OPERATOR, { groupId: data.staging, name: `made ${n}`, description: "" });
    }
    server.access.createKey(OPERATOR, { groupId: data.staging, name: `by the server ${n}`, description: "" });
  }
  assert.deepEqual(data.findings, []);
  using verification = openVerification(data.path, data.keyring);
  assert.deepEqual(findingsOf(verification), []);
  assert.equal(verification.head.generation, server.store.head().generation);
});

Deno.test("a transaction that is undone leaves the head as it was", async () => {
  using data = await filledData();
  using opened = data.open();
  const before = opened.store.head();
  assert.throws(() =>
    opened.store.transaction(() => {
      opened.secrets.delete(OPERATOR, data.secretIds.global);
      throw new Error("in the middle");
    })
  );
  assert.deepEqual(opened.store.head(), before);
  opened.store.transaction(() => opened.store.meta.put("x", "y"));
  assert.deepEqual(opened.store.head(), before, "what is not authenticated does not count");
  using verification = openVerification(data.path, data.keyring);
  assert.deepEqual(findingsOf(verification), []);
  assert.ok(existsSync(data.path));
});

function findingsOf(verification: ReturnType<typeof openVerification>): readonly Finding[] {
  const steps = verification.run();
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}
