// Deletes a function's logs, for the API and for the pages.

import type { Actor } from "../actor.ts";
import type { FunctionId } from "../ids.ts";
import type { ApiDeps } from "./services.ts";

/** Deletes the log of a function and records that in the audit; returns its name. @throws AppError NotFound (404) */
export async function clearLogs({ logs, registry, audit }: ApiDeps, actor: Actor, id: FunctionId): Promise<string> {
  const { name } = registry.get(id);
  await logs.clear(id);
  audit.record(actor, { action: "logs.cleared", subject: { kind: "function", id, name } });
  return name;
}
