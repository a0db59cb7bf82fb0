// This server's own cookies among those that a browser, or anybody, sends.

import assert from "node:assert/strict";
import fc from "fast-check";
import { readCookie } from "../../src/http/cookies.ts";

const PLAIN = { secure: false };
const read = (cookie: string) => readCookie(new Headers({ host: "x:8000", cookie }), "session", PLAIN);

Deno.test("a cookie of ours is read among others, and two of its name are as good as none", () => {
  const piece = fc.constantFrom("crude_session_8000", "crude_session", "_8000", "=", " ", "a", "b", ";");
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
    const header = pieces.join("").trim();
    const values = header.split(";").map((pair) => {
      const [name = "", ...rest] = pair.includes("=") ? pair.split("=") : ["", pair];
      return { name: name.trim(), value: rest.join("=").trim() };
    }).filter(({ name }) => name === "crude_session_8000");
    assert.equal(read(header), values.length === 1 ? values[0]!.value : undefined, header);
  }));
  assert.equal(read("a=b; crude_session_8000=value; c=d"), "value");
  assert.equal(read("crude_session_8000=one; crude_session_8000=two"), undefined);
  assert.equal(read(`${"a=b; ".repeat(50_000)}crude_session_8000=value`), "value");
});
