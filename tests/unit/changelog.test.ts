// CHANGELOG.md: what is released has a version and a date.

import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };

Deno.test("the changelog has a date for each release, the newest first, which is the program's version", async () => {
  const text = await Deno.readTextFile(new URL("../../CHANGELOG.md", import.meta.url));
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!);
  const released = headings[0] === "Unreleased" ? headings.slice(1) : headings;
  const releases = released.map((heading) => {
    const [, version, date] = /^(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$/.exec(heading) ?? assert.fail(heading);
    assert.equal(new Date(date!).toISOString().slice(0, 10), date);
    return { version, date };
  });
  assert.equal(releases[0]?.version, manifest.version);
  const dates = releases.map(({ date }) => date);
  assert.deepEqual(dates, dates.toSorted().reverse());
});
