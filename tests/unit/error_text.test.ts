// Texts of errors within the sentences of the log.

import assert from "node:assert/strict";
import { AppError, messageOf, reasonOf } from "../../src/errors.ts";

Deno.test("a reason ends without a full stop, whatever was thrown", () => {
  for (
    const [thrown, reason] of [
      [new AppError("CutOff", 503, "This node is cut off. Try another one."), "This node is cut off. Try another one"],
      [new Error("no space left on device (os error 28)"), "no space left on device (os error 28)"],
      ["ended", "ended"],
      [undefined, "undefined"],
    ] as const
  ) {
    assert.equal(reasonOf(thrown), reason);
    assert.ok(messageOf(thrown).startsWith(reason));
  }
});
