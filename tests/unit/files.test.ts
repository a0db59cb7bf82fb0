// The handler files: no path leads out of the code folder, and nobody ever sees half a file.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import { AppError } from "../../src/errors.ts";
import { checkFilePath, checkHandlerPath } from "../../src/core/functions/file_paths.ts";
import { createFiles } from "../../src/code/files/files.ts";
import { sha256Of } from "../../src/sha256.ts";
import { temporaryFolder, unrecorded } from "./temporary.ts";
import { WITHOUT_HISTORY } from "./without_history.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

/** A code folder with a file beside it that nobody may reach. */
function codeFolder() {
  const folder = temporaryFolder();
  const code = join(folder.path, "code");
  mkdirSync(code);
  writeFileSync(join(folder.path, "outside.ts"), "outside");
  mkdirSync(join(folder.path, "elsewhere"));
  writeFileSync(join(folder.path, "elsewhere", "a.ts"), "outside");
  return {
    code,
    outside: folder.path,
    files: createFiles({ codeDir: code, record: unrecorded, ...WITHOUT_HISTORY }),
    [Symbol.dispose]: () => {
      const unharmed = ["outside.ts", "elsewhere/a.ts"].map((path) => readFileSync(join(folder.path, path), "utf8"));
      const beside = readdirSync(folder.path).sort();
      folder[Symbol.dispose]();
      assert.deepEqual(unharmed, ["outside", "outside"]);
      assert.deepEqual(beside, ["code", "elsewhere", "outside.ts"]);
    },
  };
}

async function assertRefused(status: number, work: () => Promise<unknown>, what?: string): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof AppError && error.status === status, `${status} expected, not ${error}`);
    return true;
  }, what);
}

const BAD_PATHS = [
  "",
  ".",
  "..",
  "/",
  "../outside.ts",
  "a/../../outside.ts",
  "a/..",
  "a/../b.ts",
  "./a.ts",
  "a/./b.ts",
  "a//b.ts",
  "a/",
  "/a.ts",
  "//a.ts",
  "/etc/passwd",
  "C:/a.ts",
  "c:a.ts",
  "..\\outside.ts",
  "a\\b.ts",
  "a\0.ts",
  "a\nb.ts",
  "\x7f.ts",
  "\ud800.ts",
  "a,b.ts",
  ".crude-draft-x",
  "a/.crude-draft-x/b.ts",
  "x".repeat(256),
  "é".repeat(128),
  "a/".repeat(500) + "b.ts",
];

Deno.test("a path that is none inside the code folder is refused by every operation", async () => {
  using there = codeFolder();
  for (const path of BAD_PATHS) {
    assert.throws(() => checkFilePath(path, "path"), AppError, JSON.stringify(path));
    await assertRefused(400, () => there.files.read(path), path);
    await assertRefused(400, () => there.files.write(OPERATOR, path, bytes("x"), false), path);
    await assertRefused(400, () => there.files.write(OPERATOR, path, bytes("x"), true), path);
    await assertRefused(400, () => there.files.delete(OPERATOR, path), path);
  }
  assert.deepEqual(readdirSync(there.code), []);
});

Deno.test("names that look like trouble but are plain names work", async () => {
  using there = codeFolder();
  const paths = [
    "..a.ts",
    "a..ts",
    "...",
    "%2e%2e",
    "%2e%2e%2foutside.ts",
    "a b.ts",
    "ü/🔑.ts",
    "x".repeat(255),
    "~",
    "-rf",
    "é".repeat(127),
  ];
  for (const path of paths) {
    await there.files.write(OPERATOR, path, bytes(path), true);
    assert.equal(text((await there.files.read(path)).content), path);
  }
  assert.deepEqual((await there.files.list()).map(({ path }) => path), [...paths].sort());
});

Deno.test("whatever path is given, nothing is written outside the code folder", async () => {
  using there = codeFolder();
  const segment = fc.constantFrom(
    "..",
    ".",
    "",
    "a",
    "b.ts",
    "\\",
    "..\\..",
    "%2e%2e",
    "\0",
    "elsewhere",
    "outside.ts",
  );
  await fc.assert(fc.asyncProperty(fc.array(segment, { maxLength: 6 }), async (segments) => {
    const path = segments.join("/");
    try {
      await there.files.write(OPERATOR, path, bytes("inside"), false);
      assert.equal(readFileSync(join(there.code, ...segments), "utf8"), "inside");
    } catch (error) {
      assert.ok(error instanceof AppError && error.status === 400, String(error));
    }
  }));
});

Deno.test("a link to a file or a folder, inside or outside, is neither listed nor followed", async () => {
  using there = codeFolder();
  mkdirSync(join(there.code, "real"));
  writeFileSync(join(there.code, "real", "a.ts"), "inside");
  symlinkSync(join(there.outside, "outside.ts"), join(there.code, "file-link.ts"));
  symlinkSync(join(there.outside, "elsewhere"), join(there.code, "folder-link"));
  symlinkSync("real/a.ts", join(there.code, "inner-link.ts"));
  symlinkSync("real", join(there.code, "inner-folder"));
  symlinkSync("nowhere", join(there.code, "broken.ts"));
  symlinkSync("../../elsewhere", join(there.code, "real", "deep"));
  const before = readdirSync(there.code, { recursive: true }).sort();
  const paths = [
    "file-link.ts",
    "folder-link",
    "folder-link/a.ts",
    "folder-link/new.ts",
    "folder-link/new/b.ts",
    "inner-link.ts",
    "inner-folder/a.ts",
    "inner-folder/new.ts",
    "broken.ts",
    "real/deep/a.ts",
    "real/deep/new.ts",
  ];
  for (const path of paths) {
    await assertRefused(400, () => there.files.read(path), path);
    await assertRefused(400, () => there.files.write(OPERATOR, path, bytes("x"), false), path);
    await assertRefused(400, () => there.files.write(OPERATOR, path, bytes("x"), true), path);
    await assertRefused(400, () => there.files.delete(OPERATOR, path), path);
  }
  assert.deepEqual((await there.files.list()).map(({ path }) => path), ["real/a.ts"]);
  assert.deepEqual(readdirSync(there.code, { recursive: true }).sort(), before);
});

Deno.test("a folder is no file, and a file is no folder", async () => {
  using there = codeFolder();
  await there.files.write(OPERATOR, "folder/a.ts", bytes("a"), true);
  for (const path of ["folder", "folder/a.ts/b.ts", "folder/a.ts/b/c.ts"]) {
    await assertRefused(400, () => there.files.read(path), path);
    await assertRefused(400, () => there.files.write(OPERATOR, path, bytes("x"), false), path);
    await assertRefused(400, () => there.files.write(OPERATOR, path, bytes("x"), true), path);
    await assertRefused(400, () => there.files.delete(OPERATOR, path), path);
  }
  assert.deepEqual((await there.files.list()).map(({ path }) => path), ["folder/a.ts"]);
});

Deno.test("what is written comes back byte for byte, with its size, and is created or replaced", async () => {
  using there = codeFolder();
  for (const content of [new Uint8Array(), bytes("text"), Uint8Array.from({ length: 70_000 }, (_, n) => n * 31)]) {
    const { info, created } = await there.files.write(OPERATOR, "deep/down/file.bin", content, false);
    assert.equal(created, content.length === 0);
    assert.deepEqual([info.path, info.sizeBytes], ["deep/down/file.bin", content.length]);
    assert.ok(Math.abs(info.modifiedAt.getTime() - Date.now()) < 60_000);
    assert.deepEqual(new Uint8Array((await there.files.read("deep/down/file.bin")).content), content);
  }
  await assertRefused(409, () => there.files.write(OPERATOR, "deep/down/file.bin", bytes("x"), true));
  assert.equal((await there.files.read("deep/down/file.bin")).content.length, 70_000);
});

Deno.test("a file that is not there is 404, and deleting takes the folders that it leaves empty", async () => {
  using there = codeFolder();
  for (const path of ["a.ts", "no/such/a.ts"]) {
    await assertRefused(404, () => there.files.read(path));
    await assertRefused(404, () => there.files.delete(OPERATOR, path));
  }
  await there.files.write(OPERATOR, "a/b/c.ts", bytes("c"), true);
  await there.files.write(OPERATOR, "a/d.ts", bytes("d"), true);
  await there.files.delete(OPERATOR, "a/b/c.ts");
  assert.deepEqual(readdirSync(there.code, { recursive: true }).sort(), ["a", "a/d.ts"]);
  await there.files.delete(OPERATOR, "a/d.ts");
  assert.deepEqual(readdirSync(there.code), [], "the code folder itself stays");
  await assertRefused(404, () => there.files.delete(OPERATOR, "a/d.ts"));
});

Deno.test("of many writers that create one file at once, exactly one wins", async () => {
  using there = codeFolder();
  for (const path of ["a.ts", "new/folder/a.ts"]) {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => there.files.write(OPERATOR, path, bytes(`writer ${n}`), true)),
    );
    const winners = results.flatMap(({ status }, n) => status === "fulfilled" ? [n] : []);
    assert.equal(winners.length, 1);
    assert.equal(text((await there.files.read(path)).content), `writer ${winners[0]}`);
    for (const result of results) {
      if (result.status === "rejected") assert.equal((result.reason as AppError).status, 409, String(result.reason));
    }
  }
  assert.deepEqual((await there.files.list()).map(({ path }) => path), ["a.ts", "new/folder/a.ts"]);
  const names = readdirSync(there.code, { recursive: true }).map(String);
  assert.deepEqual(names.filter((name) => name.includes("draft")), [], "the losers leave no draft");
});

Deno.test("a draft left by a crash is not listed, and cannot be read or written", async () => {
  using there = codeFolder();
  await there.files.write(OPERATOR, "folder/a.ts", bytes("a"), true);
  for (const folder of ["", "folder"]) writeFileSync(join(there.code, folder, ".crude-draft-1"), "half");
  assert.deepEqual((await there.files.list()).map(({ path }) => path), ["folder/a.ts"]);
  await assertRefused(400, () => there.files.read("folder/.crude-draft-1"));
});

Deno.test("a reader sees the old content or the new while it is replaced, never a part", async () => {
  using there = codeFolder();
  const contents = ["a", "b", "c"].map((letter) => letter.repeat(300_000));
  await there.files.write(OPERATOR, "big.ts", bytes(contents[0]!), true);
  let writing = true;
  const writer = (async () => {
    for (let n = 1; n <= 60; n++) await there.files.write(OPERATOR, "big.ts", bytes(contents[n % 3]!), false);
    writing = false;
  })();
  let reads = 0;
  for (; writing; reads++) {
    const { content } = await there.files.read("big.ts");
    assert.ok(
      contents.includes(text(content)),
      `${content.length} bytes beginning with ${text(content.subarray(0, 1))}`,
    );
    assert.ok(contents.includes(readFileSync(join(there.code, "big.ts"), "utf8")));
  }
  await writer;
  assert.ok(reads > 5, `${reads} reads`);
});

Deno.test("a file deleted under a reader's hands is 404, and a list leaves it out", async () => {
  using there = codeFolder();
  for (let round = 0; round < 100; round++) {
    await there.files.write(OPERATOR, "f/g/a.ts", bytes("a"), false);
    await there.files.write(OPERATOR, "b.ts", bytes("b"), false);
    const [read, list] = await Promise.allSettled([
      there.files.read("f/g/a.ts"),
      there.files.list(),
      there.files.delete(OPERATOR, "f/g/a.ts"),
    ]);
    if (read.status === "rejected") assert.equal((read.reason as AppError).status, 404, String(read.reason));
    if (list.status === "rejected") assert.fail(String(list.reason));
    else assert.ok(list.value.some(({ path }) => path === "b.ts"));
  }
});

Deno.test("a file can be created in a folder that a delete is just emptying", async () => {
  using there = codeFolder();
  for (let round = 0; round < 100; round++) {
    await there.files.write(OPERATOR, "f/g/a.ts", bytes("a"), false);
    await Promise.all([
      there.files.delete(OPERATOR, "f/g/a.ts"),
      there.files.write(OPERATOR, "f/g/b.ts", bytes("b"), round % 2 === 0),
    ]);
    assert.equal(text((await there.files.read("f/g/b.ts")).content), "b");
    await there.files.delete(OPERATOR, "f/g/b.ts");
    assert.ok(!existsSync(join(there.code, "f")));
  }
});

Deno.test("a move that fails half-way leaves the file where it was, and one that succeeds leaves it once", async () => {
  using there = codeFolder();
  const { files } = there;
  const listed = async () => (await files.list()).map(({ path }) => path);
  await files.write(OPERATOR, "a/old.ts", bytes("content"), false);
  const seen: boolean[] = [];
  const see = () => void seen.push(["a/old.ts", "b/c/new.ts"].every((path) => existsSync(join(there.code, path))));
  const failures: [when: string, follow: (recordMove: () => void) => void][] = [
    ["before the move is recorded", () => {
      see();
      throw new Error("no luck");
    }],
    ["after it was recorded, as the commit can", (recordMove) => {
      recordMove();
      see();
      throw new Error("no luck");
    }],
  ];
  for (const [when, follow] of failures) {
    await assert.rejects(files.move(OPERATOR, { from: "a/old.ts", to: "b/c/new.ts" }, follow), when);
    assert.deepEqual(await listed(), ["a/old.ts"], when);
    assert.equal(text((await files.read("a/old.ts")).content), "content", when);
    assert.deepEqual(readdirSync(there.code), ["a"], when);
  }

  const { info, followed } = await files.move(OPERATOR, { from: "a/old.ts", to: "b/c/new.ts" }, (recordMove) => {
    recordMove();
    see();
    return "followed";
  });
  assert.deepEqual([info.path, info.sizeBytes, followed], ["b/c/new.ts", 7, "followed"]);
  assert.deepEqual(await listed(), ["b/c/new.ts"]);
  assert.deepEqual(readdirSync(there.code), ["b"]);
  assert.deepEqual(
    seen,
    Array(4).fill(true),
    "no function ever names a file that is not there, however often it is tried",
  );
});

Deno.test("a change of a file that another node changed before its turn in the log is refused", async () => {
  using there = codeFolder();
  const file = join(there.code, "a.ts");
  let between = () => {};
  const files = createFiles({
    ...{ codeDir: there.code, record: unrecorded },
    ...WITHOUT_HISTORY,
    store: {
      change: (_actor, work) => work(),
      async commit<T, R = T>(work: () => T, applied = (result: T) => result as unknown as R) {
        between();
        return await WITHOUT_HISTORY.store.commit(work, applied);
      },
    },
  });
  const changes: [status: number, change: (version: string) => Promise<unknown>][] = [
    [412, (version) => files.write(OPERATOR, "a.ts", bytes("mine"), false, [version])],
    [412, (version) => files.delete(OPERATOR, "a.ts", [version])],
    [409, () => files.move(OPERATOR, { from: "a.ts", to: "b.ts" }, (recordMove) => recordMove())],
  ];
  for (const [status, change] of changes) {
    writeFileSync(file, "old");
    const version = sha256Of("old");
    between = () => writeFileSync(file, "theirs");
    await assertRefused(status, () => change(version));
    assert.equal(readFileSync(file, "utf8"), "theirs");
    assert.deepEqual(readdirSync(there.code), ["a.ts"]);
  }
  rmSync(file);
  await assertRefused(409, () => files.write(OPERATOR, "a.ts", bytes("mine"), true));
  assert.equal(readFileSync(file, "utf8"), "theirs");
  between = () => rmSync(file);
  await assertRefused(404, () => files.delete(OPERATOR, "a.ts"));
});

Deno.test("a file that cannot be put in place after the commit fails, except on a node of a cluster, where it follows", async () => {
  for (const isNode of [false, true]) {
    using there = codeFolder();
    const target = join(there.code, "a.ts");
    const [failures, recorded]: [unknown[], string[]] = [[], []];
    const files = createFiles({
      ...{ codeDir: there.code, record: unrecorded },
      ...WITHOUT_HISTORY,
      recordAlone: (_actor, { action }) => Promise.resolve(void recorded.push(action)),
      history: {
        ...WITHOUT_HISTORY.history,
        commit() {
          mkdirSync(join(target, "in the way"), { recursive: true });
          return 7;
        },
        putsInPlaceLater: (error) => failures.push(error) > 0 && isNode,
      },
    });
    const written = files.write(OPERATOR, "a.ts", bytes("new"), false);
    if (isNode) {
      const { info, version } = await written;
      assert.deepEqual([info.path, info.sizeBytes, version], ["a.ts", 3, 7]);
    } else {
      await assert.rejects(written, Deno.errors.IsADirectory);
    }
    assert.deepEqual([failures.length, recorded], [1, isNode ? [] : ["file.failed"]]);
    assert.deepEqual(readdirSync(there.code), ["a.ts"], "no draft is left");
  }
});

Deno.test("no path leads a file out of the code folder when it is moved, nor one into it", async () => {
  using there = codeFolder();
  symlinkSync(join(there.outside, "elsewhere"), join(there.code, "link"));
  await there.files.write(OPERATOR, "a.ts", bytes("a"), false);
  for (const path of [...BAD_PATHS, "link/b.ts", "link"]) {
    await assertRefused(
      400,
      () => there.files.move(OPERATOR, { from: "a.ts", to: path }, (recordMove) => recordMove()),
      path,
    );
    await assertRefused(
      400,
      () => there.files.move(OPERATOR, { from: path, to: "b.ts" }, (recordMove) => recordMove()),
      path,
    );
  }
  assert.deepEqual((await there.files.list()).map(({ path }) => path), ["a.ts"]);
});

Deno.test("a handler is a file with an extension that Deno runs", () => {
  for (const path of ["a.ts", "a/b.tsx", "a.mts", "a.js", "a.jsx", "a.mjs", "a.test.ts"]) checkHandlerPath(path);
  for (const path of ["a", "a.json", "a.ts.txt", "a.TS", "a.py", "../a.ts", "/a.ts", ""]) {
    assert.throws(() => checkHandlerPath(path), (error: Error) => {
      assert.ok(error instanceof AppError && error.status === 400 && error.details?.handler, path);
      return true;
    });
  }
});
