// Where the egress process may connect to: each address of a name is checked, and a name is not looked up again between.

import assert from "node:assert/strict";
import { Addresses, Unreachable } from "../../src/egress/process/addresses.ts";
import { closedEntries, namesHost } from "../../src/sandbox/process/net_flags.ts";
import { type Origin, originOf } from "../../src/sealed.ts";

const origin = (url: string): Origin => originOf(new URL(url))!;
const CLOSED = closedEntries({
  net: true,
  ownAddresses: ["192.0.2.1:8000", "localhost:8000"],
  databaseAddresses: [],
  machineHosts: ["192.0.2.1"],
  machineNames: new Map(),
  denied: ["10.0.0.0/8", "203.0.113.7:25", "internal.example", "[2001:db8::1]"],
});

const named = (...addresses: string[]) =>
  new Addresses(() =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })))
  );

Deno.test("addresses that are closed to functions are refused, however they are written or named", async () => {
  const refused = [
    ...["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "10.1.2.3", "192.0.2.1", "::1", "::", "2001:db8::1"],
    ...["fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::FFFF:169.254.169.254"],
  ];
  for (const address of refused) {
    await assert.rejects(named(address).of(origin("https://api.example.com"), CLOSED), Unreachable, address);
    // One of several is enough: which of them is connected to is not for the name server to say.
    await assert.rejects(
      named("198.51.100.1", address).of(origin("https://api.example.com"), CLOSED),
      Unreachable,
      address,
    );
  }
  for (const host of ["127.0.0.1", "0x7f.1", "[::1]", "10.0.0.1", "internal.example", "INTERNAL.example."]) {
    await assert.rejects(named("198.51.100.1").of(origin(`https://${host}`), CLOSED), Unreachable, host);
  }
  await assert.rejects(named("203.0.113.7").of(origin("https://a.example:25"), CLOSED), Unreachable);
  await assert.rejects(named().of(origin("https://a.example"), CLOSED), /has no address/);
});

Deno.test("others are returned, those of IPv4 first, and with a port only that port is closed", async () => {
  const addresses = await named("2001:db8::2", "198.51.100.1").of(origin("https://api.example.com"), CLOSED);
  assert.deepEqual(addresses, ["198.51.100.1", "2001:db8::2"]);
  assert.deepEqual(await named("203.0.113.7").of(origin("https://a.example"), CLOSED), ["203.0.113.7"]);
  assert.deepEqual(await named("127.0.0.1").of(origin("http://db.example:8080"), []), ["127.0.0.1"]);
});

Deno.test("a name that changes its address meanwhile leads where it led when it was checked", async () => {
  let lookups = 0;
  const rebinding = new Addresses(() =>
    Promise.resolve([{ address: lookups++ === 0 ? "198.51.100.1" : "127.0.0.1", family: 4 }])
  );
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(await rebinding.of(origin("https://rebinding.example"), CLOSED), ["198.51.100.1"]);
  }
  assert.equal(lookups, 1);
});

Deno.test("a function's list of hosts names a host with its port or with any", () => {
  assert.ok(namesHost(true, "a.example", 443));
  assert.ok(!namesHost(false, "a.example", 443));
  assert.ok(namesHost(["A.example"], "a.example", 8443));
  assert.ok(namesHost(["a.example:443"], "a.example", 443));
  assert.ok(!namesHost(["a.example:443"], "a.example", 8443));
  assert.ok(!namesHost(["example"], "a.example", 443));
  assert.ok(namesHost(["[::1]:443"], "[::1]", 443));
});
