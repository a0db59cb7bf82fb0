// The scripts and styles as they are sent.

import assert from "node:assert/strict";
import { ASSETS, withoutComments } from "../../src/control/web/assets/table.ts";

Deno.test("comments of a whole line are left out, and nothing else", () => {
  const text =
    '// A\nlet a = "//b"; // c\n  /** D. */\n/* e */\nconst f = 1; /* g */\n/* x */ y(); /* z */\nfetch(`\nhttp://h\n`);\n/**\n * i\n */\n';
  assert.equal(
    withoutComments(text),
    '\nlet a = "//b"; // c\n\n\nconst f = 1; /* g */\n/* x */ y(); /* z */\nfetch(`\nhttp://h\n`);\n/**\n * i\n */\n',
  );
});

Deno.test("what is sent of a file has its lines, and packages keep their licenses", async () => {
  const { default: file } = await import("../../static/frame.js", { with: { type: "text" } });
  const sent = await ASSETS["frame.js"]!.load();
  assert.equal(sent.split("\n").length, file.split("\n").length);
  assert.ok(sent.length < file.length);
  const { default: editor } = await import("../../static/editor.js", { with: { type: "text" } });
  assert.equal(await ASSETS["editor.js"]!.load(), editor);
});
