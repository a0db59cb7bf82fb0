// Calls of a soak: each is checked against what is right while it is under way. A complaint is what is wrong with it.

import { timingSafeEqual } from "node:crypto";
import type { Random } from "../fuzz/random.ts";
import { run } from "../http/handlers.ts";
import { winners } from "./history.ts";
import { cellName, type Key, NAMES, PRINTED_SECRET, type SecretsFunction, type World } from "./world.ts";

const BODY_MAX_CHUNKS = 20;
const CHUNK_MAX_BYTES = 16_384;
const LINES_MAX = 60;
/** A printed line must be in the log by then. */
const LOGGED_WITHIN_MS = 5_000;

/** A call of `target` with `key`, or without one, that asks for some of the secrets. */
export async function callForSecrets(
  world: World,
  target: SecretsFunction,
  key: Key | undefined,
  names: readonly string[],
): Promise<string | undefined> {
  const began = performance.now();
  const path = `/${target.name}?names=${names.join(",")}`;
  const { status, body } = await run(world.server, path, key?.value, {
    headers: { "X-Caller": key?.name ?? "" },
  });
  const ended = performance.now();
  const about = `${path} with ${key?.name ?? "no key"}: ${status} ${JSON.stringify(body)}`;

  const statuses = allowedStatuses(target, key, began, ended);
  if (!statuses.includes(status)) return `${about}, but should be ${statuses}`;
  if (status !== 200) return undefined;
  const versions = target.version.between(began, ended);
  if (!versions.includes(body.version)) {
    return `${about}, but the code is version ${versions}`;
  }
  // On a public function, groups and keys do not count.
  const holder = target.group && key;
  if (body.group !== (holder?.group.name ?? null)) {
    return `${about}, another group`;
  }
  if (target.isolated && body.first !== key!.name) {
    return `${about}, in the process of another key`;
  }
  for (const [index, name] of names.entries()) {
    const scopes = holder ? [["key", holder.id], ["group", holder.group.id]] as const : [];
    const possible = winners(
      [...scopes, ["function", target.id] as const, ["global", 0] as const]
        .map(([scope, id]) => world.cells.get(cellName(name, scope, id))?.value),
      began,
      ended,
    );
    const given = body.values[index] ?? undefined;
    if (!possible.has(given)) {
      return `${about}, but ${name} is ${[...possible].join(" or ")}`;
    }
  }
  return undefined;
}

function allowedStatuses(
  target: SecretsFunction,
  key: Key | undefined,
  began: number,
  ended: number,
): number[] {
  if (!target.group) return [200];
  if (!key) return [401];
  return key.valid.between(began, ended).map((valid) => !valid ? 401 : key.group === target.group ? 200 : 403);
}

/** Any of the functions, mostly with a key that may call it, sometimes with another one or none. */
export function anyCallForSecrets(
  world: World,
  random: Random,
): Promise<string | undefined> {
  const target = random.pick(world.functions);
  const fitting = world.keys.filter(({ group }) => group === target.group);
  const key = random.chance(0.05)
    ? random.chance(0.5) ? undefined : random.pick(world.keys)
    : target.group && random.pick(fitting);
  const names = NAMES.filter(() => random.chance(0.5));
  return callForSecrets(
    world,
    target,
    key,
    names.length > 0 ? names : [random.pick(NAMES)],
  );
}

/** Sends a body in pieces and wants it back. */
export async function callEcho(
  { server }: World,
  random: Random,
): Promise<string | undefined> {
  const chunks = Array.from(
    { length: random.int(1, BODY_MAX_CHUNKS) },
    () => random.bytes(random.int(1, CHUNK_MAX_BYTES)),
  );
  const sent = new Uint8Array(await new Blob(chunks).arrayBuffer());
  const response = await fetch(`${server.url}/run/echo`, {
    method: "POST",
    body: ReadableStream.from(chunks),
  });
  const given = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200) return `/echo: ${response.status}`;
  return given.length === sent.length && timingSafeEqual(given, sent)
    ? undefined
    : `/echo: ${given.length} other bytes`;
}

/** Reads a body that comes in pieces. */
export async function callCounter(
  { server }: World,
  random: Random,
): Promise<string | undefined> {
  const count = random.int(0, LINES_MAX);
  const { status, body } = await run(server, `/counter?count=${count}`);
  const expected = Array.from({ length: count }, (_, n) => `${n}\n`).join("");
  return status === 200 && body === expected ? undefined : `/counter?count=${count}: ${status} ${body}`;
}

/** What a handler prints is soon in its log, and no secret in it. */
export async function callPrinter(
  { server, printer }: World,
): Promise<string | undefined> {
  const mark = crypto.randomUUID();
  const { status, body: requestId } = await run(
    server,
    `/printer?mark=${mark}`,
  );
  if (status !== 200) return `/printer: ${status}`;
  const until = performance.now() + LOGGED_WITHIN_MS;
  do {
    const { body } = await server.api(
      "GET",
      `/api/logs?functionId=${printer}&requestId=${requestId}`,
    );
    const line = body.logs?.find(({ message }: { message: string }) => message.includes(mark));
    if (line) {
      return line.message.includes(PRINTED_SECRET) ? `a secret is in the log: ${line.message}` : undefined;
    }
  } while (performance.now() < until);
  return `what /printer printed for ${requestId} is not in the log`;
}
