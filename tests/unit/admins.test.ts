// The parts of signing in: hashes, codes, waiting, and what of a request is believed.

import assert from "node:assert/strict";
import { parseRange } from "../../src/addresses.ts";
import { createAdmins } from "../../src/core/admins/admins.ts";
import { Throttle } from "../../src/core/admins/throttle.ts";
import { clientOf } from "../../src/http/client_address.ts";
import { setsOwnCookie, withoutOwnCookies } from "../../src/http/cookies.ts";
import { Passwords } from "../../src/keyring/passwords.ts";
import { base32, matchingStep, totpCode, totpStep } from "../../src/keyring/totp.ts";
import { SlowDown } from "../../src/errors.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

Deno.test("codes are those of RFC 6238, appendix B", () => {
  const secret = new TextEncoder().encode("12345678901234567890");
  const vectors: [number, string][] = [
    [59, "94287082"],
    [1111111109, "07081804"],
    [1111111111, "14050471"],
    [1234567890, "89005924"],
    [2000000000, "69279037"],
    [20000000000, "65353130"],
  ];
  for (const [seconds, code] of vectors) assert.equal(totpCode(secret, totpStep(seconds * 1_000), 8), code);
});

Deno.test("a code counts during its own step and the ones beside it", () => {
  const secret = new TextEncoder().encode("12345678901234567890");
  const step = 1_000_000;
  const code = totpCode(secret, step);
  const at = (n: number) => matchingStep(secret, code, n * 30_000);
  assert.deepEqual([step - 2, step - 1, step, step + 1, step + 2].map(at), [undefined, step, step, step, undefined]);
  for (const wrong of ["", code.slice(1), `${code}0`, ` ${code}`]) {
    assert.equal(matchingStep(secret, wrong, step * 30_000), undefined, wrong);
  }
});

Deno.test("base32 is that of RFC 4648, 10, without padding", () => {
  const vectors = {
    "": "",
    f: "MY",
    fo: "MZXQ",
    foo: "MZXW6",
    foob: "MZXW6YQ",
    fooba: "MZXW6YTB",
    foobar: "MZXW6YTBOI",
  };
  for (const [text, encoded] of Object.entries(vectors)) assert.equal(base32(new TextEncoder().encode(text)), encoded);
});

Deno.test("a password matches its hash, under the same key file alone", async () => {
  using mine = temporaryStore();
  using other = temporaryStore();
  const passwords = new Passwords(mine.keyring.derive("admin passwords"));
  const hash = await passwords.hash("correct horse battery");
  assert.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
  assert.equal(await passwords.matches(hash, "correct horse battery"), true);
  assert.equal(await passwords.matches(hash, "correct horse batterY"), false);
  assert.equal(await passwords.matches(null, "correct horse battery"), false);
  assert.notEqual(await passwords.hash("correct horse battery"), hash);
  const elsewhere = new Passwords(other.keyring.derive("admin passwords"));
  assert.equal(await elsewhere.matches(hash, "correct horse battery"), false);
});

Deno.test("what is derived for one purpose is of no use for another, and survives a rotation", () => {
  using there = temporaryStore();
  const mac = () => there.keyring.derive("sessions").mac("text");
  const before = mac();
  assert.notDeepEqual(before, there.keyring.derive("password links").mac("text"));
  assert.notDeepEqual(before, there.keyring.lookup("text"));
  there.keyFile.addKey(new Date(1));
  assert.deepEqual(mac(), before);
});

Deno.test("more hashes than fit into the queue are refused, the others are computed", async () => {
  using there = temporaryStore();
  const passwords = new Passwords(there.keyring.derive("admin passwords"));
  const hash = await passwords.hash("a long enough password");
  const answers = await Promise.allSettled(Array.from({ length: 70 }, () => passwords.matches(hash, "wrong")));
  assert.equal(answers.filter(({ status }) => status === "fulfilled").length, 66);
  assert.equal(await passwords.matches(hash, "a long enough password"), true);
});

Deno.test("after the free attempts the wait doubles up to its limit, and waiting attempts do not lengthen it", () => {
  let now = 0;
  const throttle = new Throttle(() => now);
  const counted = [{ bucket: "a", limit: { free: 3, firstWaitMs: 1_000, longestWaitMs: 5_000 } }];
  const waits: number[] = [];
  for (let n = 0; n < 8; n++) {
    throttle.begin(counted);
    let wait = 0;
    for (; throttle.isBlocked("a"); now += 1_000, wait++) {
      assert.throws(() => throttle.begin(counted), SlowDown);
    }
    waits.push(wait);
  }
  assert.deepEqual(waits, [0, 0, 1, 2, 4, 5, 5, 5]);
  now += 24 * 3_600_000;
  throttle.begin(counted);
  assert.equal(throttle.isBlocked("a"), false, "forgotten after a day");
});

Deno.test("an attempt that was none is taken back, and the limit of buckets holds", () => {
  const throttle = new Throttle(() => 0);
  const limit = { free: 2, firstWaitMs: 1_000, longestWaitMs: 1_000 };
  const counted = { bucket: "a", limit };
  for (let n = 0; n < 10; n++) {
    throttle.begin([counted]);
    throttle.takeBack(counted);
  }
  throttle.begin([counted]);
  throttle.begin([counted]);
  assert.throws(() => throttle.begin([counted]), SlowDown);
  for (let n = 0; n < 20_000; n++) throttle.begin([{ bucket: String(n), limit }]);
  assert.equal(throttle.isBlocked("a"), false, "the oldest made room");
});

Deno.test("a session ends when it is not used, and however much it is used", () => {
  using there = temporaryStore();
  let now = 0;
  const { sessions } = createAdmins({
    store: there.store,
    keyring: there.keyring,
    limits: { idleMs: () => 1_000_000, longestMs: () => 5_000_000 },
    now: () => now,
    record: unrecorded,
  });
  const id = there.store.admins.insertAdmin({ email: "a@b", name: "A", password: "x", now });
  const begin = () => there.store.transaction(() => sessions.begin(id, { address: "", userAgent: "" }));
  const idle = begin();
  now = 999_999;
  assert.equal(sessions.find(idle)?.admin.id, id);
  now += 1_000_000;
  assert.equal(sessions.find(idle), undefined);
  const used = begin();
  const start = now;
  for (; now < start + 5_000_000; now += 500_000) assert.ok(sessions.find(used), String(now - start));
  assert.equal(sessions.find(used), undefined);
  for (const wrong of ["", used.slice(1), `${used}x`, "\0"]) assert.equal(sessions.find(wrong), undefined);
});

Deno.test("a client's address and transport are taken from a proxy that is trusted, and from no other", () => {
  const trusted = ["10.0.0.1", "10.0.0.2", "::1"].map((text) => parseRange(text)!);
  const client = (peer: string, xff?: string, proto?: string) => {
    const headers = new Headers();
    if (xff !== undefined) headers.set("X-Forwarded-For", xff);
    if (proto !== undefined) headers.set("X-Forwarded-Proto", proto);
    const { address, secure } = clientOf(headers, peer, trusted);
    return `${address} ${secure}`;
  };
  assert.equal(client("203.0.113.9", "1.1.1.1", "https"), "203.0.113.9 false");
  assert.equal(client("10.0.0.1"), "10.0.0.1 false");
  assert.equal(client("10.0.0.1", "1.1.1.1", "https"), "1.1.1.1 true");
  assert.equal(client("::ffff:10.0.0.1", "1.1.1.1", "http"), "1.1.1.1 false");
  assert.equal(client("10.0.0.1", "6.6.6.6, 1.1.1.1"), "1.1.1.1 false", "what the client wrote itself does not count");
  assert.equal(client("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1 false");
  assert.equal(client("::1", "[2001:db8::1]:443"), "2001:db8::1 false");
  assert.equal(client("10.0.0.1", "1.1.1.1:5555"), "1.1.1.1 false");
  assert.equal(client("10.0.0.1", "unknown", "httpsx"), "10.0.0.1 false");
});

Deno.test("the server's cookies are told from all others", () => {
  for (const own of ["crude_session=1", "__Host-crude_x=", "__secure-CRUDE_x", "\t= =crude_session=1"]) {
    assert.equal(setsOwnCookie(own), true, own);
    assert.equal(withoutOwnCookies(own), undefined, own);
  }
  for (const other of ["session=crude_session", "my_crude_session=1", "crude-session=1", "="]) {
    assert.equal(setsOwnCookie(other), false, other);
    assert.equal(withoutOwnCookies(other), other, other);
  }
  assert.equal(withoutOwnCookies("a=1;  crude_x=2;b=3; =crude_y"), "a=1;b=3");
});
