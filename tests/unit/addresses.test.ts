import assert from "node:assert/strict";
import { canonicalAddress, networkOf, parseRange } from "../../src/addresses.ts";

Deno.test("each address has one form", () => {
  const cases: Record<string, string | undefined> = {
    "127.0.0.1": "127.0.0.1",
    "::ffff:127.0.0.1": "127.0.0.1",
    "::FFFF:7f00:1": "127.0.0.1",
    "0:0:0:0:0:ffff:7f00:0001": "127.0.0.1",
    "::1": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "2001:DB8::0001": "2001:db8::1",
    "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "fe80::1%eth0": "fe80::1",
    "": undefined,
    "localhost": undefined,
    "256.1.1.1": undefined,
    "127.1": undefined,
    "0x7f.0.0.1": undefined,
    "2130706433": undefined,
    "1:2": undefined,
    "1::2::3": undefined,
  };
  for (const [text, canonical] of Object.entries(cases)) assert.equal(canonicalAddress(text), canonical, text);
});

Deno.test("a range contains its addresses, in whichever form it is written, and no others", () => {
  const cases: [range: string, within: string[], outside: string[]][] = [
    ["10.0.0.1", ["10.0.0.1"], ["10.0.0.2", "::1"]],
    ["::ffff:10.0.0.1", ["10.0.0.1"], ["10.0.0.2"]],
    ["0:0:0:0:0:0:0:1", ["::1"], ["::2", "127.0.0.1"]],
    ["10.0.0.0/8", ["10.0.0.1", "10.255.255.255"], ["11.0.0.0", "::1"]],
    ["10.1.2.3/8", ["10.0.0.1"], ["11.0.0.0"]],
    ["::ffff:10.0.0.0/104", ["10.9.9.9"], ["11.0.0.0"]],
    ["172.16.0.0/12", ["172.31.0.1"], ["172.32.0.1"]],
    ["2001:db8::/32", ["2001:db8:1::1"], ["2001:db9::1", "10.0.0.1"]],
    ["0.0.0.0/0", ["1.2.3.4"], ["::1"]],
    ["::/0", ["::1"], ["1.2.3.4"]],
  ];
  for (const [text, within, outside] of cases) {
    const range = parseRange(text)!;
    for (const address of within) assert.ok(range.contains(address), `${text} contains ${address}`);
    for (const address of outside) assert.ok(!range.contains(address), `${text} does not contain ${address}`);
  }
  for (
    const wrong of [
      "",
      "a",
      "10.0.0.0/33",
      "10.0.0.0/-1",
      "10.0.0.0/8/8",
      "10.0.0.0/",
      "10/8",
      "::/129",
      "::ffff:1.2.3.4/8",
    ]
  ) {
    assert.equal(parseRange(wrong), undefined, wrong);
  }
});

Deno.test("addresses of one IPv6 network have one name, and IPv4 addresses one each", () => {
  assert.equal(networkOf("2001:db8:1:2:3::4", 64), networkOf("2001:db8:1:2::", 64));
  assert.notEqual(networkOf("2001:db8:1:2::", 64), networkOf("2001:db8:1:3::", 64));
  assert.equal(networkOf("10.0.0.1", 64), "10.0.0.1");
  assert.equal(networkOf("", 64), "");
});
