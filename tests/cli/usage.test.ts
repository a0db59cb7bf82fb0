// The words of the command line: what is asked for wrongly is said in one line, and changes nothing.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import manifest from "../../deno.json" with { type: "json" };
import { makeHome } from "./cli.ts";

const COMMANDS = [
  "keyring status",
  "keyring rotate",
  "keyring passphrase",
  "keyring verify",
  "backup",
  "restore",
  "keys create",
  "cluster status",
  "cluster forget",
  "cluster verify",
  "migrate-to-cluster",
  "leave-cluster",
];

Deno.test("--help lists every command, and each has a help of its own", async () => {
  await using home = makeHome();
  const overview = await home.cli(["--help"]);
  assert.equal(overview.code, 0);
  for (const command of COMMANDS) {
    assert.match(overview.stdout, new RegExp(`^  ${command} .*[a-z].*\\.$`, "m"));
    const help = await home.cli([...command.split(" "), "--help"]);
    assert.equal(help.code, 0);
    assert.ok(help.stdout.startsWith(`deno task cli ${command} `), help.stdout);
    assert.match(help.stdout, /^ {2}--json {2,}\S/m);
  }
  const nothing = await home.cli([]);
  assert.equal(nothing.code, 2);
  assert.equal(nothing.stdout, overview.stdout);
  assert.ok(!existsSync(home.dataDir), "help touches nothing");
});

Deno.test("--version prints the program's version, and is no option of a command", async () => {
  await using home = makeHome();
  const plain = await home.cli(["--version"]);
  assert.deepEqual([plain.code, plain.stdout, plain.stderr], [0, `${manifest.version}\n`, ""]);
  const asJson = await home.cli(["--version", "--json"]);
  assert.deepEqual([asJson.code, asJson.json], [0, { version: manifest.version }]);
  const { code, stdout } = await home.cli(["--version", "--help"]);
  assert.deepEqual([code, /^deno task cli <command>$/m.test(stdout)], [0, true]);
  for (const args of [["keyring", "status", "--version"], ["--version", "keyring", "status"]]) {
    const wrong = await home.cli(args);
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
    assert.match(wrong.stderr, /--version/);
  }
  assert.ok(!existsSync(home.dataDir));
});

Deno.test("wrong words, options and variables are refused in one line with exit code 2, and leave nothing", async () => {
  await using home = makeHome();
  const wrong: [args: string[], message: RegExp, env?: Record<string, string>][] = [
    [["keyrings"], /no command "keyrings"/],
    [["keyring"], /no command "keyring"/],
    [["keyring", "status", "now"], /"now" is an unexpected argument/],
    [["keyring", "status", "--loud"], /--loud/],
    [["backup"], /<dir> is missing/],
    [["backup", "a", "b"], /"b" is an unexpected argument/],
    [["backup", "--json=1", "a"], /--json/],
    [["restore", "nowhere"], /nowhere is not a backup: database\.db is missing/],
    [["keys", "create", "--group", "management"], /--name is missing/],
    [["keys", "create", "--name", "x"], /--group is missing/],
    [["keys", "create", "--group", "management", "--name", ""], /--name must not be empty/],
    [["keys", "create", "--group", "management", "--name"], /--name/],
    [["keyring", "passphrase"], /--new-passphrase-file or NEW_KEYRING_PASSPHRASE/],
    [["keyring", "passphrase", "--remove", "--new-passphrase-file", "new"], /Give only one of/],
    [["keyring", "passphrase", "--new-passphrase-file", "missing"], /--new-passphrase-file names missing.*ENOENT/],
    [["keyring", "passphrase", "--new-passphrase-file", "short"], /--new-passphrase-file must hold .*it has 5/],
    [["keyring", "passphrase"], /NEW_KEYRING_PASSPHRASE must hold/, { NEW_KEYRING_PASSPHRASE: "shorty" }],
    [["keyring", "status"], /^KEYRING_PASSPHRASE /, { KEYRING_PASSPHRASE: "shorty" }],
    [["keyring", "status"], /^DATA_DIR is empty/, { DATA_DIR: "" }],
  ];
  home.write("new", "a passphrase for tests\n");
  home.write("short", "short\n");
  await Promise.all(wrong.map(async ([args, message, env]) => {
    const plain = await home.cli(args, env);
    assert.equal(plain.code, 2, `${args.join(" ")}: ${plain.stderr}`);
    assert.match(plain.stderr, message);
    assert.match(plain.stderr, /^[^\n]+\n$/);
    assert.doesNotMatch(plain.stderr, /shorty/);
    assert.equal(plain.stdout, "");
    const asJson = await home.cli(["--json", ...args], env);
    assert.equal(asJson.code, 2);
    assert.deepEqual(asJson.json, { error: plain.stderr.trim(), exitCode: 2 });
    assert.equal(asJson.stderr, "");
  }));
  assert.ok(!existsSync(home.dataDir));
});

Deno.test("commands on a data folder that is not there say so and do not make it", async () => {
  await using home = makeHome();
  home.write("new", "a passphrase for tests\n");
  const commands: [string, number][] = [
    ["keyring status", 1],
    ["keyring verify", 1],
    ["backup copy", 1],
    ["keys create --group management --name x", 1],
    ["keyring rotate", 4],
    ["keyring passphrase --new-passphrase-file new", 4],
  ];
  for (const [command, code] of commands) {
    const run = await home.cli(command.split(" "));
    assert.equal(run.code, code, `${command}: ${run.stderr}`);
    assert.match(run.stderr, /^There is no (database|key file) at \S+\.\n$/);
  }
  assert.ok(!existsSync(home.dataDir));
  assert.ok(!existsSync(`${home.path}/copy`), "half a backup is no backup");
});
