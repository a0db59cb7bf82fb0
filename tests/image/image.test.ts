// The Dockerfile's steps in a Debian of debootstrap, and the image run with the restrictions of compose.yaml.
// It takes root, debootstrap and the network, and most of a minute: `deno task test:image`.

import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { ROOT } from "../http/server.ts";
import { buildImage, output } from "./build.ts";
import { startContainer } from "./container.ts";
import { parseDockerfile } from "./dockerfile.ts";

const KEY = "image-test-key-0123456789-0123456789-0123456789";
const HANDLER = `import { format } from "./format.ts";
export default async (c, ctx) => c.json({ length: format((await ctx.getSecret("TOKEN")).length) });`;

const dockerfile = parseDockerfile(await Deno.readTextFile(join(ROOT, "Dockerfile")));
const { server } = parse(await Deno.readTextFile(join(ROOT, "compose.yaml"))).services;

Deno.test("the image is built by its own steps and serves without rights, network and a writable root", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-image-" });
  // Other users have to enter it.
  await Deno.chmod(folder, 0o755);
  try {
    const root = await buildImage(dockerfile, folder);
    const [volumes, secrets] = [join(folder, "volumes"), join(root, "run/secrets")];
    for (const path of [volumes, secrets]) await Deno.mkdir(path);
    await Deno.writeTextFile(join(secrets, "keyring_passphrase"), "a passphrase for the image\n");
    const { KEYRING_PASSPHRASE_FILE, TRUSTED_PROXIES } = server.environment;
    const [, tmp] = /^\/tmp:(.+)$/.exec(server.tmpfs[0])!;
    const options = {
      env: { KEYRING_PASSPHRASE_FILE, TRUSTED_PROXIES, BOOTSTRAP_API_KEY: KEY },
      tmp: tmp!,
      volumes,
      key: KEY,
    };

    await t.step("a function imports a file, reads a secret and answers", async (t) => {
      await using container = await startContainer(dockerfile, root, options);
      const { request } = container;
      const format = "export const format = (n: number): string => `${n} characters`;";
      assert.equal((await request("PUT", "/api/files/format.ts", format)).status, 201);
      assert.equal((await request("PUT", "/api/files/hello.ts", HANDLER)).status, 201);
      const entry = { name: "hello", handler: "hello.ts", route: "/hello" };
      assert.equal((await request("POST", "/api/functions", entry)).status, 201);
      const secret = { name: "TOKEN", value: "of the image", scope: "global" };
      assert.equal((await request("POST", "/api/secrets", secret)).status, 201);
      assert.deepEqual(await request("GET", "/run/hello"), { status: 200, body: '{"length":"12 characters"}' });

      await t.step("the walls around functions are complete", async () => {
        const { body } = await request("GET", "/health");
        // What this kernel does not have, it has not outside of the image either.
        const lacking = await landlockAbi() >= 6 ? [] : [/Landlock/];
        const warnings = (container.logs().match(/^.* WARN .*$/gm) ?? []).filter((line) =>
          !lacking.some((pattern) => pattern.test(line))
        );
        assert.deepEqual(warnings, [], body);
      });

      await t.step("its process has no rights, cannot leave a core dump and cannot write to the program", async () => {
        const status = await Deno.readTextFile(`/proc/${container.pid}/status`);
        assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
        assert.match(status, /^CapEff:\t0{16}$/m);
        assert.match(status, /^CapBnd:\t0{16}$/m);
        assert.match(status, /^NoNewPrivs:\t1$/m);
        assert.match(await Deno.readTextFile(`/proc/${container.pid}/limits`), /^Max core file size +0 +0 /m);
        await assert.rejects(output(["touch", `/proc/${container.pid}/root/opt/crude-functions/x`]), /Read-only/);
        const arguments_ = (await Deno.readTextFile(`/proc/${container.pid}/cmdline`)).split("\0").slice(0, -1);
        assert.deepEqual(arguments_, dockerfile.list("ENTRYPOINT"));
      });

      await t.step("its health check succeeds, and its command line makes a backup", async () => {
        await container.exec(...dockerfile.list("HEALTHCHECK"));
        await assert.rejects(container.exec("env", "PORT=9", ...dockerfile.list("HEALTHCHECK")));
        const made = (await container.exec("sh", "deploy/backup.sh", "/backups")).trim();
        assert.match(await container.exec("deno", "task", "cli", "keyring", "verify"), /all can be read/);
        assert.match(await container.exec("ls", `${made}/data`), /database\.db\nencryption-keys\.json/);
      });

      assert.equal(await container.stop(), 0);
    });

    await t.step("a new container on the same volumes has everything", async () => {
      await using container = await startContainer(dockerfile, root, options);
      assert.equal((await container.request("GET", "/run/hello")).status, 200);
      assert.equal(await container.stop(), 0);
      assert.doesNotMatch(container.logs(), / ERROR /);
    });
  } finally {
    await output(["rm", "--recursive", "--force", "--one-file-system", folder]);
  }
});

/** The version of the kernel's Landlock; 0 if there is none. */
async function landlockAbi(): Promise<number> {
  return Number(await output(["perl", join(ROOT, "src/sandbox/process/landlock.pl")]));
}
