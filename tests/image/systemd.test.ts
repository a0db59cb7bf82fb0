// What docs/deployment.md says about systemd, in a Debian that systemd runs: its commands, one after the other, and the
// units that they install. It takes root, debootstrap, systemd-nspawn and the network: `deno task test:image`.

import assert from "node:assert/strict";
import { blocksOf, readPage } from "../http/docs_pages.ts";
import { call } from "../http/server.ts";
import { output } from "./build.ts";
import { bootMachine, type Machine } from "./machine.ts";

const HANDLER = `export default async (c, ctx) => c.json({ length: (await ctx.getSecret("TOKEN")).length });`;
const CLI = "/opt/crude-functions/current/deploy/cli.sh";

const page = readPage("docs/deployment.md");

/** The command blocks of a section. */
function blocks(heading: string): string[] {
  const [, section] = new RegExp(`^#+ ${heading}\\n(.*?)(?=^## |^### |(?![\\s\\S]))`, "ms").exec(page)!;
  return blocksOf(section!).filter(({ language }) => language === "sh").map(({ code }) => code);
}

Deno.test("the commands for systemd install, upgrade and roll back a server that has all its walls", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-systemd-" });
  await Deno.chmod(folder, 0o755);
  try {
    await using machine = await bootMachine(folder, ["systemd", "systemd-sysv", "dbus", "openssl", "procps"]);
    const port = freePort();
    const url = `http://127.0.0.1:${port}`;
    // The machine shares this one's network, where the usual port may be taken.
    await machine.run(`mkdir -p /etc/crude-functions && echo PORT=${port} > /etc/crude-functions/environment`);

    let headers: Record<string, string> = {};
    const answers = async () => {
      const { status, body } = await call("GET", `${url}/run/hello`, undefined, headers);
      assert.deepEqual([status, body], [200, { length: 14 }], await journal(machine));
    };

    await t.step("install: a function reads a secret, and no wall is missing", async () => {
      for (const block of blocks("systemd")) await machine.run(block);
      await listening(url, machine);
      const key = (await machine.run(`${CLI} keys create --group management --name first 2>/dev/null`)).trim();
      headers = { "X-API-Key": key };
      const entry = { name: "hello", handler: "hello.ts", route: "/hello" };
      const secret = { name: "TOKEN", value: "of the machine", scope: "global" };
      assert.equal((await call("PUT", `${url}/api/files/hello.ts`, HANDLER, headers)).status, 201);
      assert.equal((await call("POST", `${url}/api/functions`, entry, headers)).status, 201);
      assert.equal((await call("POST", `${url}/api/secrets`, secret, headers)).status, 201);
      await answers();
      assert.doesNotMatch(await journal(machine), / WARN /);
      assert.match(await machine.run(`${CLI} keyring status`), /is encrypted with a passphrase/);
    });

    await t.step("a server that is killed is started again, and one that is stopped ends with 0", async () => {
      await machine.run("systemctl kill --signal=KILL --kill-who=main crude-functions");
      await listening(url, machine, "systemctl show --property=NRestarts --value crude-functions | grep -x 1");
      await answers();
      await machine.run("systemctl restart crude-functions");
      await listening(url, machine);
      assert.match(await journal(machine), /SIGTERM: letting running requests finish/);
      assert.doesNotMatch(await journal(machine), /Failed with result 'timeout'/);
    });

    await t.step("upgrade, and back to the data from before", async () => {
      const [, folders] = blocks("systemd");
      await machine.run(folders!.replace("version=0.1.0", "version=0.2.0").replace(/^ln .*\n/m, ""));
      const [upgrade, rollback] = blocks("Upgrade and rollback");
      await machine.run(upgrade!);
      await listening(url, machine);
      assert.match(await machine.run("readlink /proc/$(systemctl show -P MainPID crude-functions)/cwd"), /0\.2\.0/);
      const { status } = await call("DELETE", `${url}/api/functions/1`, undefined, headers);
      assert.ok(status < 300, String(status));
      await machine.run(rollback!);
      await listening(url, machine);
      assert.match(await machine.run("readlink /proc/$(systemctl show -P MainPID crude-functions)/cwd"), /0\.1\.0/);
      await answers();
    });

    await t.step("with users of their own, functions run as neither root nor the service's user", async () => {
      for (const block of blocks("Users of their own")) await machine.run(block);
      await listening(url, machine);
      await answers();
      assert.doesNotMatch(await journal(machine), / WARN /);
      const users = await machine.run("ps -e -o uid= -o args= | grep '[s]upervisor.ts' | awk '{print $1}'");
      for (const uid of users.trim().split("\n")) assert.ok(Number(uid) >= 61_184 && Number(uid) < 65_280, users);
      await machine.run("systemctl start crude-functions-backup.service");
    });
  } finally {
    await output(["rm", "--recursive", "--force", "--one-file-system", folder]);
  }
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

function journal(machine: Machine): Promise<string> {
  return machine.run("journalctl --no-pager --unit crude-functions");
}

/** Waits until the server answers, and until `condition` holds in the machine. */
async function listening(url: string, machine: Machine, condition = "true"): Promise<void> {
  const end = performance.now() + 60_000;
  for (;;) {
    const up = await fetch(`${url}/health`).then(async (response) => {
      await response.body?.cancel();
      return response.ok;
    }, () => false);
    if (up && await machine.run(condition).then(() => true, () => false)) return;
    if (performance.now() > end) throw new Error(await journal(machine));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
