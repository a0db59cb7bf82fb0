// Commands read keys and passphrases, so that none of them may leave its memory in a core dump.

import assert from "node:assert/strict";
import { join } from "node:path";
import { WITHOUT_PRLIMIT } from "../http/lacking_programs.ts";
import { makeHome } from "./cli.ts";

const NO_LIMIT = 'ulimit -c $(ulimit -H -c) && exec "$@"';

Deno.test({
  name: "no command can dump its memory once it reads a passphrase, also where the limit was lifted",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using home = makeHome();
    const commands = [
      ["keyring", "status"],
      ["keyring", "verify"],
      ["keys", "create", "--group", "management", "--name", "x"],
      ["backup", "copy"],
      ["--json", "verify"],
    ];
    await Promise.all(commands.map(async (args, index) => {
      // A passphrase that takes its time: the command waits for it.
      const fifo = join(home.path, `passphrase-${index}`);
      assert.ok((await new Deno.Command("mkfifo", { args: [fifo] }).output()).success);
      const child = new Deno.Command("/bin/sh", {
        args: ["-c", NO_LIMIT, "sh", ...home.words(args)],
        cwd: home.path,
        env: { DATA_DIR: home.dataDir, CODE_DIR: join(home.path, "code"), KEYRING_PASSPHRASE_FILE: fifo },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      // Opens when the command reads.
      using passphrase = await Deno.open(fifo, { write: true });
      const about = args.join(" ");
      assert.match(Deno.readTextFileSync(`/proc/${child.pid}/limits`), /^Max core file size +0 +0 /m, about);
      assert.match(Deno.readTextFileSync(`/proc/${child.pid}/coredump_filter`), /^0+$/m, about);
      await passphrase.write(new TextEncoder().encode("a passphrase for tests\n"));
      passphrase.close();
      const { stdout, stderr } = await child.output();
      const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      assert.match(printed, /There is no database/, about);
      assert.doesNotMatch(printed, /Core dumps/, about);
    }));
  },
});

Deno.test({
  name: "a command that cannot prevent core dumps says so, not in the midst of JSON, and does its work",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using home = makeHome();
    const withoutPrlimit = home.write("shell.ts", WITHOUT_PRLIMIT);
    const run = async (args: readonly string[]) => {
      const [deno, ...words] = home.words(args);
      const { code, stdout, stderr } = await new Deno.Command(deno!, {
        args: [words[0]!, `--preload=${withoutPrlimit}`, ...words.slice(1)],
        cwd: home.path,
        env: { DATA_DIR: home.dataDir, CODE_DIR: join(home.path, "code"), NO_COLOR: "1" },
        stdin: "null",
      }).output();
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    };
    const plain = await run(["keyring", "status"]);
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /^Core dumps cannot be turned off here [^\n]+\nThere is no database/);
    const asJson = await run(["--json", "keyring", "status"]);
    assert.deepEqual([asJson.code, asJson.stderr], [1, ""]);
    assert.match(JSON.parse(asJson.stdout).error, /^There is no database/);
  },
});
