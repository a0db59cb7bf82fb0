// Implements going back to a deployment: what that would change and what is in the way, before it is confirmed.

import type { Context } from "hono";
import type { Rehearsal } from "../../../../code/deployments/deployments.ts";
import { newRollback } from "../../../inputs/version_schemas.ts";
import { FormActions, Notice } from "../../ui/components.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { deploymentPath, DEPLOYMENTS_PATH, idOf, orSentence, withStale } from "../history/parts.tsx";
import { Findings } from "./findings.tsx";
import { isEmptyPlan, Plan } from "./plan.tsx";

/** Warnings that the notice names. */
const WARNINGS_SHOWN = 3;

interface Values {
  readonly message: string;
  readonly force: boolean;
  /** The newest version when the page was shown; "0" if there was none. */
  readonly ifVersion: string;
}

export function addRollback(web: Web, deps: WebDeps): void {
  const { deployments } = deps;
  formRoute(web, {
    path: `${DEPLOYMENTS_PATH}/:id/rollback`,
    subject: idOf,
    initial: (id): Values => ({ message: `Rolled back to deployment ${id}`, force: false, ifVersion: "" }),
    read: (typed): Values => ({
      message: fieldText(typed, "message"),
      force: fieldText(typed, "force") !== "",
      ifVersion: fieldText(typed, "ifVersion"),
    }),
    schema: ({ message, force, ifVersion }) => {
      const { dryRun: _, ...request } = newRollback.parse({
        message: message.trim() || undefined,
        force,
        ifVersion: ifVersion === "" ? undefined : Number(ifVersion),
      });
      return request;
    },
    act: ({ actor, subject: id, input }) => deployments.rollBack(actor, id, input),
    page: (c, form) => showRollback(c, deps, form),
    then: ({ deployment, warnings }, { subject: id }) => ({
      to: deploymentPath(deployment.id),
      notice: [
        `Rolled back to deployment ${id}, by deployment ${deployment.id}.`,
        ...warnings.slice(0, WARNINGS_SHOWN).map(({ message }) => message),
      ].join(" "),
    }),
  });
}

function showRollback(
  c: Context<WebEnv>,
  { versions, deployments }: WebDeps,
  { subject: id, values, problems, status }: FormState<number, Values>,
) {
  const title = `Roll back to deployment ${id}?`;
  return orSentence(c, title, async () => {
    const version = await versions.current() ?? 0;
    const rehearsal = await deployments.rehearseRollback(id, {});
    return page(c, {
      title,
      trail: [[deploymentPath(id), `Deployment ${id}`]],
      styles: ["history.css"],
      children: (
        <>
          <ProblemSummary problems={withStale(problems, status)} labels={{ message: "Message" }} />
          {isEmptyPlan(rehearsal.plan)
            ? (
              <p>
                Files and functions are already as <a href={deploymentPath(id)}>deployment {id}</a> left them.
              </p>
            )
            : <Question id={id} rehearsal={rehearsal} values={values} version={version} problems={problems} />}
        </>
      ),
    }, status);
  });
}

function Question({ id, rehearsal: { plan, problems: found, warnings }, values, version, problems }: {
  id: number;
  rehearsal: Rehearsal;
  values: Values;
  version: number;
  problems: Problems | undefined;
}) {
  const isBlocked = found.some(({ kind }) => kind === "group" || kind === "route");
  return (
    <>
      <p>
        Files and functions become what <a href={deploymentPath(id)}>deployment {id}</a>{" "}
        left, by a new deployment. Secrets, groups and keys stay as they are. Calls under way finish on the code that
        they began with.
      </p>
      {found.length > 0 && (
        <Notice kind="bad" title="Problems">
          <Findings findings={found} />
        </Notice>
      )}
      {warnings.length > 0 && (
        <Notice kind="warn" title="Warnings">
          <Findings findings={warnings} />
        </Notice>
      )}
      <Plan plan={plan} />
      {isBlocked
        ? (
          <p class="warning">
            A group or route is in the way. Change it first, then open this page again.
          </p>
        )
        : (
          <form method="post" action={`${deploymentPath(id)}/rollback`} class="narrow">
            <FormToken />
            <input type="hidden" name="ifVersion" value={String(version)} autocomplete="off" />
            <TextField
              name="message"
              label="Message"
              value={values.message}
              problems={problems}
              hint="One line for the history."
            />
            {found.length > 0 && (
              <label class="field">
                <input type="checkbox" name="force" checked={values.force} required />{" "}
                Roll back in spite of the problems above
              </label>
            )}
            <FormActions
              submit={`Roll back to deployment ${id}`}
              {...(found.length > 0 && { kind: "danger" as const })}
              cancel={deploymentPath(id)}
            />
          </form>
        )}
    </>
  );
}
