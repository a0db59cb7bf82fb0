// How well a text fits what was typed.

import assert from "node:assert/strict";
import fc from "fast-check";
import { fitOf } from "../../src/control/web/pages/search/ranking.ts";

Deno.test("the whole text fits best, then its beginning, the beginning of a word, any part, all words, letters in order", () => {
  const search = "key";
  const order = ["key", "keys", "api key", "api keys", "monkey", "k-e-y", "knowledge entry"];
  const fits = order.map((text) => fitOf(search, text));
  assert.deepEqual([...fits].sort((a, b) => b - a), fits, fits.join());
  assert.ok(fits.every((fit) => fit > 0));
  assert.equal(fitOf("add secret", "secret, to add one") > 0, true);
  assert.equal(fitOf("add secret", "add one"), 0);
  assert.equal(fitOf("yek", "key"), 0);
  assert.ok(fitOf("dburl", "database_url") > fitOf("dburl", "dashboard_users_role_list"));
});

Deno.test("a text fits exactly if it has the words of the search, or its letters in order", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", " ", "_", "é", "😀"), minLength: 1, maxLength: 12 });
  fc.assert(fc.property(text, text, (search, within) => {
    const words = search.split(/\s+/);
    const pattern = [...search].map((letter) => letter.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*");
    const expected = within.includes(search) ||
      (words.length > 1 ? words.every((word) => within.includes(word)) : new RegExp(pattern, "su").test(within));
    assert.equal(fitOf(search, within) > 0, expected);
  }));
});
