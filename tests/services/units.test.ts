// The units of systemd in deploy/: systemd itself reads them and rates how far they restrict the server.

import assert from "node:assert/strict";
import { join } from "node:path";
import { ROOT } from "../http/server.ts";

const SERVER = "crude-functions.service";
const BACKUP = "crude-functions-backup.service";
const UNITS = [SERVER, BACKUP, "crude-functions-backup.timer"];
/** Tenths of systemd's points of exposure: 100 is no restriction at all, below 20 it calls a service OK. */
const MAX_EXPOSURE = 14;
const MAX_EXPOSURE_BACKUP = 6;
const MAX_EXPOSURE_OWN_USERS = 28;

const read = (name: string): string => Deno.readTextFileSync(join(ROOT, "deploy", name));

/** Runs systemd-analyze; its exit code, and what it printed on standard error. */
async function analyze(...args: string[]): Promise<{ code: number; stderr: string; stdout: string }> {
  const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
    args,
    env: { SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "cat" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: out!, stderr: err! };
}

/** The values of a setting of a unit, in their order. */
function valuesOf(unit: string, name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value!);
}

async function inFolder(files: Record<string, string>, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-units-" });
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("systemd finds no fault in the units", async () => {
  // The program has to exist.
  const files = Object.fromEntries(
    UNITS.map((name) => [name, read(name).replaceAll("/usr/local/bin/deno", Deno.execPath())]),
  );
  await inFolder(files, async (folder) => {
    const { code, stderr } = await analyze("verify", "--man=no", ...UNITS.map((name) => join(folder, name)));
    // Other units of the machine are read, too.
    assert.equal(stderr.split("\n").filter((line) => line.includes("crude-functions")).join("\n"), "");
    assert.equal(code, 0, stderr);
  });
});

Deno.test("systemd rates the restrictions of the units as strict, with users of their own for functions, too", async () => {
  const drop = read("own-users.conf").replace(/^\[Service\]$/m, "");
  const files = {
    [SERVER]: read(SERVER),
    [BACKUP]: read(BACKUP),
    "own-users.service": read(SERVER).replace("\n[Install]", `${drop}\n[Install]`),
  };
  const ceilings: Record<string, number> = {
    [SERVER]: MAX_EXPOSURE,
    [BACKUP]: MAX_EXPOSURE_BACKUP,
    "own-users.service": MAX_EXPOSURE_OWN_USERS,
  };
  await inFolder(files, async (folder) => {
    for (const [name, ceiling] of Object.entries(ceilings)) {
      const { code, stdout } = await analyze(
        ...["security", "--offline=true", `--threshold=${ceiling}`, "--no-pager", join(folder, name)],
      );
      assert.equal(code, 0, stdout);
    }
  });
});

Deno.test("the unit starts the server as `deno task start` does, and both units use the same folders", () => {
  const [server, backup] = [read(SERVER), read(BACKUP)];
  const [program, ...args] = valuesOf(server, "ExecStart")[0]!.split(" ");
  const { start } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json"))).tasks;
  assert.equal(program, "/usr/local/bin/deno");
  assert.deepEqual(["deno", ...args.filter((one) => one !== "--cached-only")], start.split(" "));

  const variable = (unit: string, name: string) =>
    valuesOf(unit, "Environment").flatMap((line) => line.split(" ")).find((pair) => pair.startsWith(`${name}=`));
  for (const name of ["DATA_DIR", "CODE_DIR", "DENO_DIR", "KEYRING_PASSPHRASE_FILE"]) {
    assert.equal(variable(backup, name), variable(server, name), name);
    assert.ok(variable(server, name), name);
  }
  for (const name of ["User", "WorkingDirectory", "StateDirectory", "StateDirectoryMode", "LoadCredential"]) {
    assert.deepEqual(valuesOf(backup, name), valuesOf(server, name), name);
  }
  const cli = read("cli.sh");
  const fixed = (pair: string) => pair.replace("%S", "/var/lib");
  for (const name of ["DATA_DIR", "CODE_DIR", "DENO_DIR"]) {
    assert.ok(cli.includes(fixed(variable(server, name)!)), name);
  }
  assert.ok(cli.includes(`LoadCredential=${valuesOf(server, "LoadCredential")[0]}`));
});

Deno.test("no core dumps, no swap, and time for running requests to finish", () => {
  const server = read(SERVER);
  for (const unit of [server, read(BACKUP)]) {
    assert.deepEqual(valuesOf(unit, "LimitCORE"), ["0"]);
    assert.deepEqual(valuesOf(unit, "MemorySwapMax"), ["0"]);
  }
  assert.ok(Number(valuesOf(server, "TimeoutStopSec")[0]) > 10);
  // To the server alone: the processes of functions have to outlive the signal.
  assert.deepEqual(valuesOf(server, "KillMode"), ["mixed"]);
});
