// What calls may hold of the server's memory: one function's calls, and those of all.

import assert from "node:assert/strict";
import fc from "fast-check";
import { Budget, Queues } from "../../src/sandbox/host/budget.ts";

Deno.test("what is taken from a part is taken from the whole, and neither gives more than it has", () => {
  const actions = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 0, max: 60 }), fc.boolean()));
  fc.assert(fc.property(actions, (steps) => {
    const whole = new Budget(() => 100);
    const parts = [0, 1, 2].map(() => new Budget(() => 50, whole));
    const taken: number[][] = [[], [], []];
    for (const [part, bytes, gives] of steps) {
      const of = taken[part]!;
      const before = sum(taken.flat());
      if (gives && of.length > 0) parts[part]!.give(of.pop()!);
      else if (parts[part]!.take(bytes)) of.push(bytes);
      else assert.ok(sum(of) + bytes > 50 || before + bytes > 100, "there was room");
      assert.equal(parts[part]!.usedBytes, sum(of));
      assert.equal(whole.usedBytes, sum(taken.flat()));
      assert.ok(sum(of) <= 50 && whole.usedBytes <= 100);
    }
  }));
});

Deno.test("a limit that is lowered counts at once, and takes nothing back", () => {
  let max = 100;
  const budget = new Budget(() => max);
  assert.ok(budget.take(80));
  max = 50;
  assert.ok(!budget.take(1));
  budget.give(80);
  assert.ok(budget.take(50));
});

Deno.test("what waits for all processes narrows what may wait for one that has much waiting already", () => {
  const queues = new Queues();
  const some = 2 << 20;
  assert.ok(!queues.isFull(some));
  assert.ok(queues.isFull(9 << 20));
  queues.add(65 << 20);
  assert.ok(queues.isFull(some));
  assert.ok(!queues.isFull(1000), "a process that reads goes on");
  queues.add(-(2 << 20));
  assert.ok(!queues.isFull(some));
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
