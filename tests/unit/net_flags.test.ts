// The flags that say where a sandbox process may connect.

import assert from "node:assert/strict";
import { netFlags, type NetRules } from "../../src/sandbox/process/net_flags.ts";

const RULES: NetRules = {
  net: true,
  ownAddresses: ["localhost:8000", "127.0.0.0/8:8000"],
  databaseAddresses: ["192.0.2.7:5432", "db.example:5432"],
  machineHosts: ["127.0.0.1", "192.0.2.2", "[fd00::2]"],
  machineNames: new Map([["localhost", ["127.0.0.1", "[::1]"]], ["db-host", ["127.0.1.1", "192.0.2.2"]]]),
  denied: [],
};

function flags(rules: Partial<NetRules>): { allow: string; deny: string[] } {
  const [allow, deny] = netFlags({ ...RULES, ...rules }, "/run/s");
  return { allow: allow!, deny: deny!.replace("--deny-net=", "").split(",") };
}

Deno.test("any host but this machine, link-local addresses and the server itself by default", () => {
  const { allow, deny } = flags({});
  assert.equal(allow, "--allow-net");
  for (const host of ["127.0.0.0/8", "169.254.0.0/16", "[::1]", "192.0.2.2", "[fd00::2]", "localhost:8000"]) {
    assert.ok(deny.includes(host), host);
  }
});

Deno.test("the cluster's PostgreSQL is closed, unless a list names it", () => {
  for (const host of RULES.databaseAddresses) assert.ok(flags({}).deny.includes(host), host);
  const { allow, deny } = flags({ net: ["db.example:5432"] });
  assert.equal(allow, "--allow-net=unix:/run/s,db.example:5432");
  for (const host of RULES.databaseAddresses) assert.ok(!deny.includes(host), host);
});

Deno.test("nothing but the host's socket if net is false", () => {
  assert.equal(flags({ net: false }).allow, "--allow-net=unix:/run/s");
});

Deno.test("a named address opens its own range and no other, and never the server's port", () => {
  const { allow, deny } = flags({ net: ["127.0.0.1:9000", "192.0.2.2:5432"] });
  assert.equal(allow, "--allow-net=unix:/run/s,127.0.0.1:9000,192.0.2.2:5432");
  for (const host of ["127.0.0.0/8", "127.0.0.1", "192.0.2.2"]) assert.ok(!deny.includes(host), host);
  for (const host of ["169.254.0.0/16", "[::1]", "[fd00::2]", "127.0.0.0/8:8000"]) assert.ok(deny.includes(host), host);
});

Deno.test("a name of this machine opens its addresses, with the port that the entry has", () => {
  const { allow, deny } = flags({ net: ["localhost:5432", "api.example.com"] });
  assert.equal(allow, "--allow-net=unix:/run/s,localhost:5432,127.0.0.1:5432,[::1]:5432,api.example.com");
  for (const host of ["127.0.0.0/8", "127.0.0.1", "[::1]"]) assert.ok(!deny.includes(host), host);
  for (const host of ["192.0.2.2", "[fd00::2]", "localhost:8000", "127.0.0.0/8:8000"]) {
    assert.ok(deny.includes(host), host);
  }
  const own = flags({ net: ["DB-Host:80"] });
  assert.equal(own.allow, "--allow-net=unix:/run/s,DB-Host:80,127.0.1.1:80,192.0.2.2:80");
  for (const host of ["127.0.0.0/8", "192.0.2.2"]) assert.ok(!own.deny.includes(host), host);
  for (const host of ["[::1]", "[fd00::2]", "127.0.0.1", "localhost:8000"]) assert.ok(own.deny.includes(host), host);
});

Deno.test("only a whole address opens the range that it is in, however a name begins", () => {
  const names = [
    "0.pool.ntp.org:123",
    "127.example.com",
    "169.254.evil.org:80",
    "127.1",
    "0x7f.1",
    "127.0.0.1.nip.io",
    "127.0.0.01",
  ];
  for (const name of names) {
    const { deny } = flags({ net: [name] });
    for (const range of ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "127.0.0.1", "[::1]"]) {
      assert.ok(deny.includes(range), `${name} ${range}`);
    }
  }
  const opened = {
    "0.0.0.0:1": "0.0.0.0/8",
    "127.9.9.9": "127.0.0.0/8",
    "169.254.1.2:80": "169.254.0.0/16",
    "[0:0::1]:9": "[::1]",
    "[FD00:0::2]": "[fd00::2]",
  };
  for (const [entry, range] of Object.entries(opened)) assert.ok(!flags({ net: [entry] }).deny.includes(range), entry);
});

Deno.test("what the operator closes is not even allowed, so that no other spelling of it opens", () => {
  const net = ["10.1.2.3", "10.1.2.3:80", "api.example.com:443", "192.0.2.9"];
  const { allow, deny } = flags({ net, denied: ["10.0.0.0/8", "api.example.com", "192.0.2.9"] });
  assert.equal(allow, "--allow-net=unix:/run/s");
  for (const host of ["10.0.0.0/8", "api.example.com", "192.0.2.9"]) assert.ok(deny.includes(host), host);
  assert.equal(flags({ net: ["11.0.0.1"], denied: ["10.0.0.0/8"] }).allow, "--allow-net=unix:/run/s,11.0.0.1");
  assert.equal(flags({ net: ["[2001:DB8:0::1]:80"], denied: ["[2001:db8::1]"] }).allow, "--allow-net=unix:/run/s");
  assert.equal(flags({ net: ["192.0.2.9"], denied: ["0.0.0.0/0"] }).allow, "--allow-net=unix:/run/s");
});
