// Deletes a function's logs, for the API and for the pages.

import type { Actor } from "../actor.ts";
import { AppError } from "../errors.ts";
import type { FunctionId } from "../ids.ts";
import type { ApiDeps } from "./services.ts";

/**
 * Deletes the log of a function on all nodes and records that in the audit; returns its name.
 * @throws AppError NotFound (404), NodeSilent (503) if a node has not done so
 */
export async function clearLogs({ allLogs, registry, audit }: ApiDeps, actor: Actor, id: FunctionId): Promise<string> {
  const { name } = registry.get(id);
  const silent = await allLogs.clear(id);
  await audit.recordAlone(actor, { action: "logs.cleared", subject: { kind: "function", id, name } });
  if (silent.length > 0) {
    const why = silent.map(({ why }) => why).join(" ");
    throw new AppError(
      "NodeSilent",
      503,
      `The log of ${name} was deleted, except on nodes that did not answer. ${why}`,
    );
  }
  return name;
}
