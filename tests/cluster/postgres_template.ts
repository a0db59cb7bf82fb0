// Keeps a folder of a new PostgreSQL server, which takes a second to make, for all tests of this machine.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identity, runProgram } from "./daemon.ts";

/** Owns the database `crude` and is no superuser. The password has characters that a URL must escape. */
export const ROLE = { name: "crude", password: "a%20password%3A%40%2F%3F%23%25of%20tests" };
export const SUPERUSER = { user: "postgres", password: "superuser-of-tests" };

/** Copies the template to `data`, which does not exist. `programs` is the folder of PostgreSQL's programs. */
export async function copyTemplate(programs: string, data: string): Promise<void> {
  const template = await ensureTemplate(programs);
  await runProgram("/bin/cp", ["-a", "--reflink=auto", template, data], { asRoot: true });
}

async function ensureTemplate(programs: string): Promise<string> {
  const version = programs.split("/").at(-2)!;
  const template = join(tmpdir(), `crude-functions-postgres-template-${version}-${Deno.uid()}`);
  if (existsSync(template)) return template;
  const draft = `${template}-${randomUUID()}`;
  await Deno.mkdir(draft, { mode: 0o700 });
  const { uid, gid } = identity();
  if (uid !== undefined) await Deno.chown(draft, uid, gid!);
  const passwordFile = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(passwordFile, SUPERUSER.password);
    if (uid !== undefined) await Deno.chown(passwordFile, uid, gid!);
    await runProgram(join(programs, "initdb"), [
      ...["-D", draft, "-U", SUPERUSER.user, "-A", "scram-sha-256", `--pwfile=${passwordFile}`, "--no-sync"],
      ...["-E", "UTF8", "--no-locale"],
    ]);
  } finally {
    await Deno.remove(passwordFile);
  }
  await Deno.writeTextFile(
    join(draft, "pg_hba.conf"),
    "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n",
  );
  await runProgram(join(programs, "postgres"), ["--single", "-F", "-D", draft, "postgres"], {
    input: [
      `CREATE ROLE ${ROLE.name} LOGIN PASSWORD '${decodeURIComponent(ROLE.password)}'`,
      `CREATE DATABASE crude OWNER ${ROLE.name}`,
      "",
    ].join("\n"),
  });
  try {
    await Deno.rename(draft, template);
  } catch (error) {
    // Another test made it meanwhile.
    await Deno.remove(draft, { recursive: true });
    if (!existsSync(template)) throw error;
  }
  return template;
}
