// Dockerfile and compose.yaml against the rest of the project; tests/image builds and runs them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { parseDockerfile, variablesOf } from "../image/dockerfile.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(ROOT + path, "utf8");
const dockerfile = parseDockerfile(read("Dockerfile"));
const compose = parse(read("compose.yaml"));

Deno.test("the Dockerfile is read with its stages, lines that continue and lists", () => {
  const { stages, list, text } = parseDockerfile(
    'FROM a:1 AS build\nRUN one && \\\n  two\n\n# Comment.\nFROM b:2\nENV A=1 \\\n  B=2\nHEALTHCHECK --timeout=5s CMD ["x", \\\n "y"]\n',
  );
  assert.deepEqual(stages.map(({ from, name }) => [from, name]), [["a:1", "build"], ["b:2", undefined]]);
  assert.deepEqual(stages[0]!.instructions, [{ name: "RUN", text: "one &&   two", line: 3 }]);
  assert.deepEqual(variablesOf(text("ENV")), { A: "1", B: "2" });
  assert.deepEqual(list("HEALTHCHECK"), ["x", "y"]);
  assert.throws(() => text("USER"), /0 instructions USER/);
});

Deno.test("the image has the Deno that the checks run on, and starts the server as `deno task start` does", () => {
  const [, version] = /npx -y deno@([\d.]+) /.exec(read(".ci/run"))!;
  assert.ok(read("Dockerfile").includes(` deno@${version}\n`), version);
  const { start } = JSON.parse(read("deno.json")).tasks;
  const [deno, ...args] = dockerfile.list("ENTRYPOINT");
  assert.equal(deno, "/usr/local/bin/deno");
  assert.deepEqual(["deno", ...args.filter((one) => one !== "--cached-only")], start.split(" "));
});

Deno.test("the image runs as a user with a number that is not root's", () => {
  assert.match(dockerfile.text("USER"), /^[1-9]\d+:[1-9]\d+$/);
});

Deno.test("compose.yaml gives the image no rights, bounded memory, and a volume for each of its folders", () => {
  const { server } = compose.services;
  assert.equal(server.read_only, true);
  assert.deepEqual(server.cap_drop, ["ALL"]);
  assert.equal(server.cap_add, undefined);
  assert.equal(server.privileged, undefined);
  assert.deepEqual(server.security_opt, ["no-new-privileges:true"]);
  assert.equal(server.ulimits.core, 0);
  assert.equal(server.memswap_limit, server.mem_limit);
  assert.ok(server.pids_limit > 0 && server.logging.options["max-size"]);
  const volumes: string[][] = server.volumes.map((volume: string) => volume.split(":"));
  assert.deepEqual(volumes.map(([, path]) => path), dockerfile.list("VOLUME"));
  assert.deepEqual(volumes.map(([name]) => name), Object.keys(compose.volumes));
  assert.deepEqual(server.ports, [`127.0.0.1:8000:${variablesOf(dockerfile.text("ENV")).PORT}`]);
  assert.equal(server.environment.TRUSTED_PROXIES, compose.networks.front.ipam.config[0].gateway);
  assert.equal(server.environment.KEYRING_PASSPHRASE_FILE, `/run/secrets/${server.secrets[0]}`);
});
