// The environment: what is taken when nothing is set, and that a bad value is named.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, nodeUrlOf, readConfig } from "../../src/config.ts";
import { temporaryFolder } from "./temporary.ts";

const read = (variables: Record<string, string>) => readConfig((name) => variables[name], "/srv/app");

function assertRefused(name: string, value: string): void {
  assert.throws(() => read({ [name]: value }), (error: Error) => {
    assert.ok(error instanceof ConfigError, `${name}=${value} gave ${error}`);
    assert.ok(error.message.startsWith(name), error.message);
    return true;
  }, `${name}=${JSON.stringify(value)}`);
}

Deno.test("with an empty environment the server listens on 127.0.0.1:8000 and keeps its files here", () => {
  const { port, host, dataDir, codeDir, bootstrapApiKey } = read({});
  assert.deepEqual({ port, host, dataDir, codeDir, bootstrapApiKey }, {
    port: 8000,
    host: "127.0.0.1",
    dataDir: "/srv/app/data",
    codeDir: "/srv/app/code",
    bootstrapApiKey: undefined,
  });
});

Deno.test("the configuration cannot be changed after it was read", () => {
  assert.ok(Object.isFrozen(read({})));
});

Deno.test("PORT is a number from 0 to 65535", () => {
  for (const port of ["0", "1", "80", "65535", "08080"]) assert.equal(read({ PORT: port }).port, Number(port));
  for (const port of ["", " ", "-1", "65536", "99999", "1e3", "80.0", "0x50", "80 ", "http", "８０", "1\n"]) {
    assertRefused("PORT", port);
  }
});

Deno.test("HOST is an address or a host name", () => {
  for (const host of ["0.0.0.0", "::", "::1", "localhost", "my-host.example"]) {
    assert.equal(read({ HOST: host }).host, host);
  }
  for (const host of ["", " ", "a b", "http://localhost", "localhost/", "[::1]", "a,b", "host\n"]) {
    assertRefused("HOST", host);
  }
});

Deno.test("DATA_DIR and CODE_DIR are folders, relative ones taken from the working directory", () => {
  for (const [name, field] of [["DATA_DIR", "dataDir"], ["CODE_DIR", "codeDir"]] as const) {
    const folders = {
      "here": "/srv/app/here",
      "./a/../b": "/srv/app/b",
      "../up": "/srv/up",
      "/abs": "/abs",
      "/abs/": "/abs",
      "/a/./b/../c": "/a/c",
      ".": "/srv/app",
      "with space": "/srv/app/with space",
    };
    for (const [given, taken] of Object.entries(folders)) assert.equal(read({ [name]: given })[field], taken);
    for (const folder of ["", "  ", "\t", "a\0b", "a,b"]) assertRefused(name, folder);
  }
});

Deno.test("BOOTSTRAP_API_KEY is 32 to 256 visible ASCII characters, and a refusal does not print it", () => {
  for (const key of ["x".repeat(32), "~!".repeat(128)]) {
    assert.equal(read({ BOOTSTRAP_API_KEY: key }).bootstrapApiKey, key);
  }
  const padded = (text: string) => text + "s3cr3t-".repeat(6);
  const wrong = [
    "",
    "x",
    "x".repeat(31),
    "x".repeat(257),
    padded(" "),
    padded("\n"),
    padded("é"),
    padded("\x7f"),
    padded("🔑"),
  ];
  for (const key of wrong) {
    assertRefused("BOOTSTRAP_API_KEY", key);
    assert.throws(() => read({ BOOTSTRAP_API_KEY: key }), (error: Error) => !error.message.includes("s3cr3t"));
  }
});

Deno.test("KEYRING_PASSPHRASE is 12 to 1,024 characters of one line, itself or in a file, and a refusal does not print it", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "passphrase");
  const taken = (variables: Record<string, string>) =>
    new TextDecoder().decode(read(variables).keyringPassphrase!.bytes());
  const inFile = (content: string | Uint8Array) => {
    writeFileSync(path, content);
    return { KEYRING_PASSPHRASE_FILE: path };
  };
  assert.equal(read({}).keyringPassphrase, undefined);
  for (const text of ["12 characters", "Paßwörter mit 🔑🔑", "x".repeat(1_024), "🔑".repeat(1_024), " spaces stay  "]) {
    assert.equal(taken({ KEYRING_PASSPHRASE: text }), text);
    for (const end of ["", "\n", "\r\n"]) assert.equal(taken(inFile(text + end)), text);
  }
  const wrong = [
    "",
    "s3cr3t-",
    "🔑".repeat(11),
    "s3cr3t-".repeat(147),
    "s3cr3t-\ns3cr3t-",
    "s3cr3t-s3cr3t-\n\n",
    "s3cr3t-s3cr3t-\0",
  ];
  for (const text of wrong) {
    for (const variables of [{ KEYRING_PASSPHRASE: text }, inFile(`${text}\n`)]) {
      const [[name, value]] = Object.entries(variables) as [[string, string]];
      assertRefused(name, value);
      assert.throws(() => read(variables), (error: Error) => !/s3cr3t|\n/.test(error.message));
    }
  }
  inFile(new Uint8Array([...new TextEncoder().encode("s3cr3t-s3cr3t-"), 0xff]));
  for (const file of [path, folder.path, join(folder.path, "missing"), "", "/dev/zero"]) {
    assertRefused("KEYRING_PASSPHRASE_FILE", file);
  }
  assert.throws(
    () => read({ KEYRING_PASSPHRASE: "s3cr3t-s3cr3t-", ...inFile("s3cr3t-s3cr3t-") }),
    /^(Config)?Error: KEYRING_PASSPHRASE and KEYRING_PASSPHRASE_FILE are both set/,
  );
});

Deno.test("of all other variables, only those go to the builder that say how to reach registries", () => {
  const variables = {
    HTTPS_PROXY: "http://proxy:3128",
    no_proxy: "localhost",
    PATH: "/bin",
    AWS_SECRET_ACCESS_KEY: "s",
  };
  const { fetchEnv } = read({ ...variables, BOOTSTRAP_API_KEY: "b".repeat(32) });
  assert.deepEqual(fetchEnv, { HTTPS_PROXY: "http://proxy:3128", no_proxy: "localhost" });
  assert.ok(Object.isFrozen(fetchEnv));
  assert.deepEqual(read({}).fetchEnv, {});
});

Deno.test("traces are made where Deno exports them, and never what is printed", () => {
  const console = { OTEL_DENO_CONSOLE: "ignore" };
  assert.equal(read({}).traces, false);
  for (const on of ["true", "TRUE"]) assert.equal(read({ OTEL_DENO: on, ...console }).traces, true);
  for (const off of ["false", "1", ""]) assert.equal(read({ OTEL_DENO: off }).traces, false);
  assert.equal(read({ OTEL_DENO: "true", OTEL_SDK_DISABLED: "true" }).traces, false);
  assert.equal(read({ OTEL_DENO: "true", OTEL_DENO_TRACING: "false", ...console }).traces, false);
  for (const console of ["capture", "replace", "", "Ignore"]) {
    assert.throws(() => read({ OTEL_DENO: "true", OTEL_DENO_CONSOLE: console }), /^Error: OTEL_DENO_CONSOLE must be/);
  }
});

const PASSPHRASE = { KEYRING_PASSPHRASE: "a passphrase of tests" };
const DATABASE = "postgres://crude:s3cret@db.example/crude";

Deno.test("without DATABASE_URL there is no cluster, and nothing for one may be set", () => {
  assert.equal(read({}).cluster, undefined);
  assertRefused("DATABASE_SCHEMA", "x");
  assertRefused("NODE_URL", "http://10.0.0.5:8000");
});

Deno.test("DATABASE_URL needs a passphrase, and DATABASE_SCHEMA and NODE_URL have defaults", () => {
  assertRefused("DATABASE_URL", DATABASE);
  const config = read({ DATABASE_URL: DATABASE, ...PASSPHRASE });
  assert.equal(config.cluster?.schema, "crude_functions");
  assert.equal(nodeUrlOf(config, 8000, "machine"), "http://127.0.0.1:8000");
  const urls = { "0.0.0.0": "http://machine:8000", "::": "http://machine:8000", "::1": "http://[::1]:8000" };
  for (const [host, url] of Object.entries(urls)) {
    assert.equal(nodeUrlOf(read({ HOST: host, DATABASE_URL: DATABASE, ...PASSPHRASE }), 8000, "machine"), url);
  }
});

Deno.test("DATABASE_SCHEMA is a plain name, NODE_URL an origin", () => {
  const cluster = (variables: Record<string, string>) =>
    read({ DATABASE_URL: DATABASE, ...PASSPHRASE, ...variables }).cluster!;
  assert.equal(cluster({ DATABASE_SCHEMA: "functions_2" }).schema, "functions_2");
  for (const schema of ["", "A", "2a", "a b", 'a"b', "a-b", "pg_x", "a".repeat(64), "ä"]) {
    assert.throws(() => cluster({ DATABASE_SCHEMA: schema }), { message: /^DATABASE_SCHEMA / });
  }
  assert.equal(cluster({ NODE_URL: "https://node-1.example/" }).nodeUrl, "https://node-1.example");
  for (const url of ["", "node-1:8000", "ftp://a", "http://a/b", "http://u:p@a", "http://a?b", "http://a/#b"]) {
    assert.throws(() => cluster({ NODE_URL: url }), { message: /^NODE_URL / });
  }
});

Deno.test("a DATABASE_URL that cannot be used is refused by name, without its password", () => {
  const url = (more: string) => `postgres://crude:s3cret@db.example/crude${more}`;
  const bad = {
    "https://crude:s3cret@db.example/crude": /must have the form postgres:/,
    "postgres://db.example/crude": /names no user/,
    "postgres://:s3cret@db.example/crude": /names no user/,
    "postgres://crude:s3cret@/crude": /names a host/,
    "postgres://crude:s3cret@a,,b/crude": /names a host/,
    "postgres://crude:s3cret@a:70000/crude": /names a host/,
    "postgres://crude:s3cret@a:x/crude": /names a host/,
    "postgres://crude:s3cret%zz@a/crude": /"%" in the password/,
    "postgres://crude:s3cret/x@a/crude": /has an "@" or "\/"/,
    "postgres://crude:a@s3cret/x@a/crude": /has an "@" or "\/"/,
    "postgres://crude:a@s3cret?x@a/crude": /has an "@" or "\/"/,
    "postgres://crude:a@b?s3cret&x@a/crude": /has an "@" or "\/"/,
    "postgres://crude@s3cret:x/crude": /names a host/,
    [url("#x")]: /must have the form/,
    [url("?sslmode=allow")]: /sslmode=allow; supported are/,
    [url("?passfile=s3cret")]: /has the parameter "passfile", which is not supported; these are: sslmode, /,
    [url("?channel_binding=require")]: /has the parameter "channel_binding"/,
    [url("?sslmode=require&sslmode=disable")]: /sslmode twice/,
    [url("?sslmode=verify-ca")]: /without sslrootcert/,
    [url("?sslmode=require&sslrootcert=system")]: /use verify-full/,
    [url("?target_session_attrs=standby")]: /accepts writes/,
    [url("?connect_timeout=0")]: /1 to 60 seconds/,
    [url("?application_name=")]: /no valid value for application_name/,
  };
  for (const [text, message] of Object.entries(bad)) {
    assert.throws(() => read({ DATABASE_URL: text, ...PASSPHRASE }), (error: Error) => {
      assert.ok(error instanceof ConfigError, text);
      assert.match(error.message, /^DATABASE_URL /);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  }
});

Deno.test("a DATABASE_URL has hosts, a user, a password that does not print, and parameters", () => {
  const of = (text: string) => read({ DATABASE_URL: text, ...PASSPHRASE }).cluster!.database;
  const plain = of("postgres://crude@db.example");
  assert.deepEqual(plain.hosts, [{ host: "db.example", port: 5432 }]);
  assert.deepEqual([plain.user, plain.password, plain.database, plain.sslMode], [
    "crude",
    undefined,
    "crude",
    "prefer",
  ]);
  const full = of(
    "postgresql://us%40er:p%3A@%2Fß@[::1]:6000,db-2.example/d%62?sslmode=verify-full&sslrootcert=/ca.crt" +
      "&target_session_attrs=read-write&connect_timeout=7&application_name=a%20b&options=-c%20work_mem%3D8MB",
  );
  assert.deepEqual(full.hosts, [{ host: "::1", port: 6000 }, { host: "db-2.example", port: 5432 }]);
  assert.deepEqual([full.user, full.password?.reveal(), full.database], ["us@er", "p:@/ß", "db"]);
  assert.deepEqual([full.sslMode, full.sslRootCert, full.connectTimeoutMs], ["verify-full", "/ca.crt", 7_000]);
  assert.deepEqual([full.applicationName, full.options], ["a b", "-c work_mem=8MB"]);
  assert.equal(of("postgres://a@b/c?sslmode=require&sslrootcert=/ca.crt").sslMode, "verify-ca");
  assert.equal(of("postgres://a@b/c?sslrootcert=system").sslMode, "verify-full");
  assert.doesNotMatch(`${full.password} ${JSON.stringify(full)} ${Deno.inspect(full)}`, /p:@/);
});
