// The bar of the command line.

import assert from "node:assert/strict";
import { progressLine, withProgress } from "../../src/cli/terminal.ts";

Deno.test("the bar shows the part that is done, the numbers and the time left", () => {
  const cells = (line: string) => [line.split("█").length - 1, line.split("░").length - 1];
  const cases: [done: number, total: number, filled: number, end: string][] = [
    [0, 8, 0, " 0% | 0/8"],
    [2, 8, 10, " 25% | 2/8 | 12 s left"],
    [7, 8, 35, " 87% | 7/8 | 1 s left"],
    [8, 8, 40, " 100% | 8/8 | 0 s left"],
    // Rows may be added while they are counted.
    [9, 8, 40, " 100% | 9/8 | 0 s left"],
    [0, 0, 40, " 100% | 0/0"],
  ];
  for (const [done, total, filled, end] of cases) {
    const line = progressLine("Reading", done, total, 4_000);
    assert.ok(line.startsWith("Reading ") && line.endsWith(end), line);
    assert.deepEqual(cells(line), [filled, 40 - filled], line);
  }
});

Deno.test("the bar is drawn on one line, seldom, and leaves nothing, also where the work fails", async () => {
  const drawn: string[] = [];
  const screen = { columns: () => 120, write: (text: string) => void drawn.push(text) };
  const many = (report: (done: number, total: number) => void) => {
    for (let done = 1; done <= 100_000; done++) report(done, 100_000);
    return "done";
  };
  assert.equal(await withProgress(true, "Reading", many, screen), "done");
  assert.ok(drawn.length >= 3 && drawn.length < 100, `${drawn.length} times`);
  assert.ok(drawn[0]!.startsWith("\r\x1b[KReading "), drawn[0]);
  assert.match(drawn.at(-2)!, / 100% \| 100000\/100000 /);
  assert.equal(drawn.at(-1), "\r\x1b[K");
  assert.ok(drawn.every((text) => !text.includes("\n")));

  drawn.length = 0;
  await withProgress(true, "Reading", many, { ...screen, columns: () => 20 });
  assert.ok(drawn.every((text) => text.length <= "\r\x1b[K".length + 19), "a narrow terminal wraps nothing");

  drawn.length = 0;
  const failing = (report: (done: number, total: number) => void) => {
    report(1, 2);
    throw new Error("no more");
  };
  await assert.rejects(withProgress(true, "Reading", failing, screen), /no more/);
  assert.equal(drawn.at(-1), "\r\x1b[K");
});

Deno.test("nothing is drawn where nobody looks, or nothing is reported", async () => {
  const drawn: string[] = [];
  const screen = { columns: () => 120, write: (text: string) => void drawn.push(text) };
  assert.equal(await withProgress(false, "Reading", (report) => (report(1, 2), 7), screen), 7);
  assert.equal(await withProgress(true, "Reading", () => 8, screen), 8);
  assert.deepEqual(drawn, []);
});
