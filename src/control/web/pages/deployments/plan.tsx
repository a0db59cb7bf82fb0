// Shows what a deployment changed or would change.

import type { DeploymentPlan } from "../../../../code/deployments/deployments.ts";
import { Changes, fileAtPath, versionPath } from "../history/parts.tsx";
import { ButtonLink, Card } from "../../ui/components.tsx";
import { count, plural } from "../../ui/format.ts";

type Part = DeploymentPlan["files"] | DeploymentPlan["functions"];

function isEmptyPart({ created, changed, deleted }: Part): boolean {
  return created.length + changed.length + deleted.length === 0;
}

/** Reports whether a plan changes nothing. */
export function isEmptyPlan({ files, functions }: DeploymentPlan): boolean {
  return isEmptyPart(files) && isEmptyPart(functions);
}

/** Describes a plan by its numbers, such as "2 files created, 1 changed; 1 function created". */
export function planText({ files, functions }: DeploymentPlan): string {
  const parts = [partText(files, "file"), partText(functions, "function")].filter((text) => text !== "");
  return parts.join("; ") || "no changes";
}

function partText({ created, changed, deleted }: Part, noun: string): string {
  return ([["created", created], ["changed", changed], ["deleted", deleted]] as const)
    .filter(([, names]) => names.length > 0)
    .map(([change, { length }], index) => `${index === 0 ? plural(length, noun) : count(length)} ${change}`)
    .join(", ");
}

/** The names of files and functions in a plan; files link to their contents in the version, if there is one yet. */
export function Plan({ plan: { files, functions }, version }: {
  plan: DeploymentPlan;
  version?: number | undefined;
}) {
  const link = version === undefined
    ? undefined
    : (path: string, change: string) => change === "deleted" ? undefined : fileAtPath(version, path);
  return (
    <div class="card-columns">
      <Card
        title="Files"
        id="plan-files"
        actions={version !== undefined && !isEmptyPart(files) && (
          <ButtonLink href={versionPath(version)} kind="secondary" isSmall>Show the differences</ButtonLink>
        )}
      >
        <PlanPart part={files} noun="file" link={link} />
      </Card>
      <Card title="Functions" id="plan-functions">
        <PlanPart part={functions} noun="function" />
      </Card>
    </div>
  );
}

function PlanPart({ part, noun, link }: {
  part: Part;
  noun: string;
  link?: ((name: string, change: string) => string | undefined) | undefined;
}) {
  return (
    <>
      {!isEmptyPart(part) && <Changes {...part} link={link} />}
      <p class="quiet">{plural(part.unchanged, noun)} unchanged</p>
    </>
  );
}
