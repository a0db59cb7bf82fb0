// Implements `crude rollback`: makes the files and functions that an earlier deployment left live again.

import { type Client, sinceVersion } from "../base/client.ts";
import type { Command } from "../base/command.ts";
import { CrudeError, wrongUsage } from "../base/errors.ts";
import { DEPLOY_TIMEOUT_MS, dryRunResult, warningLines, withProblems } from "../project/deployment.ts";
import { planLines } from "../project/plan.ts";

const PAGE_SIZE = 100;

interface Deployment {
  readonly id: number;
  readonly version: number | null;
  readonly at: string;
  readonly message: string;
  readonly rollbackOf: number | null;
  /** Equal for equal files and functions. */
  readonly state: string;
}

const rollback: Command = {
  name: "rollback",
  positionals: [{ name: "ID", optional: true }],
  options: {
    "dry-run": { type: "boolean", help: "show what would change, and change nothing" },
    message: { type: "string", short: "m", value: "TEXT", help: "why, for the history" },
    force: { type: "boolean", help: "in spite of problems that the server finds" },
  },
  help: [
    "Make the files and functions of an earlier deployment live again: of ID, or of the one before.",
    "Repeated without ID, it goes further back each time. Secrets, groups and keys stay as they are.",
  ],
  async run(context, given) {
    const [text] = given.positionals;
    if (text !== undefined && !/^[1-9][0-9]{0,14}$/.test(text)) throw wrongUsage("ID must be the id of a deployment.");
    const client = await context.connect();
    const id = text === undefined ? (await before(client)).id : Number(text);
    const message = given.text("message");
    const body = {
      ...(message !== undefined && { message }),
      ...(given.flag("force") && { force: true }),
      ...(given.flag("dry-run") && { dryRun: true }),
    };
    const options = { timeoutMs: DEPLOY_TIMEOUT_MS };
    const answer = await sinceVersion(
      "deployments",
      () => client.post(`/api/deployments/${id}/rollback`, body, options),
    ).catch((error) => {
      throw withProblems(error);
    });
    if (given.flag("dry-run")) return dryRunResult(answer);
    const { deployment, warnings } = answer;
    return {
      json: { deployment, warnings },
      lines: [
        ...planLines(deployment.plan),
        ...warningLines(warnings),
        `The state of deployment ${id} is live again, as deployment ${deployment.id}.`,
      ],
    };
  },
};

/** Returns the newest deployment before the one that is live, that is no rollback and left something else. */
async function before(client: Client): Promise<Deployment> {
  const { deployments, live } = await allDeployments(client);
  const current = deployments.find(({ state }) => state === live);
  // After a rollback, what is live is what the deployment that it went to had left.
  const base = current?.rollbackOf ?? current?.id ?? Infinity;
  const found = deployments.find(({ id, state, rollbackOf }) => rollbackOf === null && state !== live && id < base);
  if (!found) throw new CrudeError("There is no earlier deployment.", { code: "NotFound" });
  return found;
}

async function allDeployments(client: Client): Promise<{ deployments: Deployment[]; live: string }> {
  const deployments: Deployment[] = [];
  let cursor: string | undefined;
  while (true) {
    const page = await sinceVersion("deployments", () => client.get("/api/deployments", { limit: PAGE_SIZE, cursor }));
    deployments.push(...page.deployments);
    if (page.next === null) return { deployments, live: page.live };
    cursor = page.next;
  }
}

export const rollbackCommands: readonly Command[] = [rollback];
