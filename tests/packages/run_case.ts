// Runs one package's handler as a user would: saves its file, registers it, calls it.

import assert from "node:assert/strict";
import { run, save } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { cannotWork, handlerCode, handlerName, type PackageCase, type WorkingPackage } from "./package_case.ts";
import type { Services } from "./services/services.ts";

/** How long a first call may take on a machine that does other work, too. */
const TIMEOUT_MS = 180_000;
const LOG_TIMEOUT_MS = 5_000;
const LOG_INTERVAL_MS = 50;

/** Throws with everything that the author of the handler is told if the outcome is not the expected one. */
export async function runCase(one: PackageCase, server: Server, services: Services): Promise<void> {
  const name = handlerName(one);
  const hosts = [...(one.services ?? []).flatMap((service) => services.get(service).hosts), ...(one.net ?? [])];
  let problems = await save(server, `${name}.ts`, handlerCode(one));
  const created = await server.api("POST", "/api/functions", {
    name,
    handler: `${name}.ts`,
    route: `/${name}`,
    permissions: { net: hosts.length > 0 ? hosts : false },
    timeoutMs: TIMEOUT_MS,
    memoryMb: one.memoryMb ?? null,
  });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  // A file is checked within the limits of the functions that run it, and before there is one, within the default ones.
  if (one.memoryMb !== undefined) problems = await save(server, `${name}.ts`, handlerCode(one));
  const { status, headers, body } = await run(server, `/${name}`);
  const told = async () => [...problems, ...await logOf(server, headers.get("X-Request-Id")!, status)].join("\n");
  if (cannotWork(one)) {
    assert.notEqual(status, 200, "It works.");
    assert.match(await told(), one.problem);
    return;
  }
  if (status >= 400) throw new Error(`${status} ${JSON.stringify(body)}\n${await told()}`);
  checkAnswer(one, body);
  if (one.problemAnyway) assert.match(problems.join("\n"), one.problemAnyway);
  else assert.deepEqual(problems, [], "problems although it works");
  const messages = one.services?.flatMap((service) => services.get(service).received?.() ?? []) ?? [];
  if (one.received) {
    assert.ok(messages.some((message) => one.received!.test(message)), "The service received nothing.");
  }
}

function checkAnswer({ answer }: WorkingPackage, body: unknown): void {
  if (answer instanceof RegExp) {
    assert.match(typeof body === "string" ? body : JSON.stringify(body), answer);
  } else {
    assert.deepEqual(body, answer);
  }
}

/** What the log has of one call; of a failed one, waits until it is there. */
async function logOf(server: Server, requestId: string, status: number): Promise<string[]> {
  const deadline = performance.now() + (status >= 500 ? LOG_TIMEOUT_MS : 0);
  for (;;) {
    const { body } = await server.api("GET", `/api/logs?requestId=${requestId}`);
    if (body.logs?.length > 0 || performance.now() > deadline) {
      return (body.logs ?? []).map(({ message }: { message: string }) => message);
    }
    await new Promise((resolve) => setTimeout(resolve, LOG_INTERVAL_MS));
  }
}
