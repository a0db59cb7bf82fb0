// The environment: what is taken when nothing is set, and that a bad value is named.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, readConfig } from "../../src/config.ts";
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
