// Which processes may give sandboxes users of their own.

import assert from "node:assert/strict";
import { mayAssignUsers } from "../../src/sandbox/process/uid_pool.ts";

const status = (effective: string): string =>
  `Name:\tdeno\nCapPrm:\t000001ffffffffff\nCapEff:\t${effective}\nCapBnd:\t0\n`;

Deno.test("users of sandboxes take five capabilities, and each of them is needed", () => {
  assert.equal(mayAssignUsers(status("000001ffffffffff")), true);
  assert.equal(mayAssignUsers(status("00000000000000e3")), true);
  for (const bit of [0, 1, 5, 6, 7]) {
    assert.equal(mayAssignUsers(status((0xe3 & ~(1 << bit)).toString(16).padStart(16, "0"))), false, String(bit));
  }
  assert.equal(mayAssignUsers(status("0000000000000000")), false);
  assert.equal(mayAssignUsers(""), false);
});
