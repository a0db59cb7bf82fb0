// Pieces of values in messages of errors, which quote the beginning of what they were given, or what is near a mistake.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createMasking } from "../../src/masking/masking.ts";

const VALUE = "sk_live_51HabcdefGHIJKLmnopqrstuvwxyz0123456789ABCDEFGHIJ";

function masked(text: string, value = VALUE): string {
  const masking = createMasking();
  const call = masking.begin(1);
  masking.recordDisclosure(call, "KEY", value);
  return masking.mask(1, text, call);
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it does not fail");
}

Deno.test("no message of the runtime shows a piece of a value that it was given by mistake", () => {
  const mistakes: Record<string, () => unknown> = {
    "no JSON": () => JSON.parse(VALUE),
    "JSON without quotes": () => JSON.parse(`{"key":${VALUE}}`),
    "JSON with a comma": () => JSON.parse(`["${VALUE}",,]`),
    "a size": () => Buffer.alloc(VALUE as unknown as number),
    "a buffer": () => Buffer.from("a").copy(VALUE as unknown as Buffer),
    "a function": () => setTimeout(VALUE as unknown as () => void),
    "a URL": () => new URL(VALUE),
    "a number": () => BigInt(VALUE),
  };
  for (const [what, work] of Object.entries(mistakes)) {
    const message = masked(messageOf(work));
    for (let at = 0; at + 6 <= VALUE.length; at++) {
      assert.ok(!message.includes(VALUE.slice(at, at + 6)), `${what}: ${message}`);
    }
  }
});

Deno.test("a piece of eight bytes next to an ellipsis is masked, whichever ellipsis and quotes it has", () => {
  const piece = VALUE.slice(12, 24);
  for (
    const [before, after] of [["", "..."], ["'", "'..."], ["`", "...`"], ["(", ")…"], ["...", ""], ['..."', '"'], [
      "…'",
      "",
    ]]
  ) {
    assert.equal(masked(`it was ${before}${piece}${after}`), `it was ${before}[secret KEY]${after}`);
  }
  assert.equal(
    masked(`it was ..."${piece}"... and "${piece}" is not`),
    `it was ..."[secret KEY]"... and "${piece}" is not`,
  );
  assert.equal(masked("Grüße-aus-Köln...", "die Grüße-aus-Köln von gestern"), "[secret KEY]...");
});

Deno.test("other texts with an ellipsis stay as they are", () => {
  for (
    const text of ["and so on...", "sk_live...", "...", "…", "........", "abcdefgh... and ...abcdefgh", "a.b..c...d"]
  ) {
    assert.equal(masked(text), text);
  }
});
