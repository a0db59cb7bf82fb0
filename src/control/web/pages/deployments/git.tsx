// Implements /web/deployments/git: the git source of the code, what its next sync would change, the outcome of its last
// one, its webhook, and the forms that set and remove it.

import type { Context } from "hono";
import { describeSource, type GitSource, type LastSync } from "../../../../code/git/source.ts";
import type { Rehearsal } from "../../../../code/deployments/deployments.ts";
import { AppError } from "../../../../errors.ts";
import { gitSourceInput } from "../../../inputs/git_schemas.ts";
import { readSeconds, writeSeconds } from "../../../../core/settings/kinds.ts";
import { Ago, Badge, Card, Fact, Facts, Notice, PostButton } from "../../ui/components.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, redirect } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { originOf } from "../../ui/curl_example.ts";
import { commitText, deploymentPath, DEPLOYMENTS_PATH } from "../history/parts.tsx";
import { Findings } from "./findings.tsx";
import { type GitField, type GitValues, LABELS, SourceForm } from "./git_form.tsx";
import { isEmptyPlan, Plan } from "./plan.tsx";
import { Webhook } from "./webhook.tsx";

export const GIT_PATH = `${DEPLOYMENTS_PATH}/git`;

const EMPTY: GitValues = {
  url: "",
  kind: "branch",
  name: "main",
  folder: "",
  username: "git",
  tokenSecret: "",
  webhookSecret: "",
  intervalSeconds: "",
};

/** Adds the routes. They come before the page of a deployment, whose path matches them, too. */
export function addGit(web: Web, deps: WebDeps): void {
  const { gitSync } = deps;
  formRoute(web, {
    path: GIT_PATH,
    initial: () => valuesOf(deps.gitSources.get()),
    read: (typed): GitValues =>
      Object.fromEntries(
        (Object.keys(LABELS) as GitField[]).map((name) => [name, fieldText(typed, name).trim()]),
      ) as Record<GitField, string>,
    schema: inputOf,
    act: ({ actor, input, expected }) => deps.commit(() => gitSync.setSource(actor, input, expected)),
    page: (c, form) => showGit(c, deps, form),
    then: () => ({
      to: GIT_PATH,
      notice: "Connected. Files can only be changed in the repository now. Check what the first sync would change.",
    }),
  });

  web.post(`${GIT_PATH}/check`, async (c) => {
    const checked = await attempt(() => gitSync.rehearse({ force: false }));
    const result = "done" in checked ? checked.done : Object.values(checked.problems).join(" ");
    return showGit(c, deps, { subject: undefined, values: valuesOf(deps.gitSources.get()), status: 200 }, result);
  });
  // The address of a result, which is not kept.
  web.get(`${GIT_PATH}/check`, (c) => c.redirect(GIT_PATH, 302));

  web.post(`${GIT_PATH}/sync`, async (c) => {
    try {
      const { deployment } = await gitSync.sync(c.get("actor"), { force: false });
      return redirect(c, GIT_PATH, `Commit ${commitText(deployment.author.id)} is live.`);
    } catch (error) {
      // The page shows why.
      if (error instanceof AppError) return redirect(c, GIT_PATH, "Nothing was deployed.");
      throw error;
    }
  });

  web.post(`${GIT_PATH}/remove`, async (c) => {
    await deps.commit(() => gitSync.removeSource(c.get("actor")));
    return redirect(c, GIT_PATH, "Disconnected. Files and functions stay as they are.");
  });
}

function valuesOf(source: GitSource | undefined): GitValues {
  if (!source) return EMPTY;
  const { intervalSeconds, tokenSecret, webhookSecret, ...rest } = source;
  return {
    ...rest,
    tokenSecret: tokenSecret ?? "",
    webhookSecret: webhookSecret ?? "",
    intervalSeconds: intervalSeconds === null ? "" : writeSeconds(intervalSeconds),
  };
}

/** @throws ZodError */
function inputOf({ kind, name, intervalSeconds, tokenSecret, webhookSecret, ...rest }: GitValues): GitSource {
  return gitSourceInput.parse({
    ...rest,
    ref: { [kind]: name },
    tokenSecret: tokenSecret || null,
    webhookSecret: webhookSecret || null,
    intervalSeconds: intervalSeconds === "" ? null : readSeconds(intervalSeconds),
  });
}

/** What a check found, or why it could not be made. */
type Checked = Rehearsal | string;

function showGit(
  c: Context<WebEnv>,
  { gitSources, now }: WebDeps,
  { values, problems, status }: FormState<undefined, GitValues>,
  checked?: Checked,
) {
  const source = gitSources.get();
  return page(c, {
    title: "Git source",
    styles: ["history.css"],
    actions: source && (
      <>
        <PostButton action={`${GIT_PATH}/check`} label="Check" kind="secondary" />
        <PostButton action={`${GIT_PATH}/sync`} label="Sync now" />
      </>
    ),
    children: (
      <>
        {source && <State source={source} last={gitSources.lastSync()} now={now()} />}
        {checked !== undefined && <Check checked={checked} />}
        <div class="card-columns">
          <Card title={source ? "Settings" : "Connect a repository"} id="set">
            <SourceForm
              action={GIT_PATH}
              values={values}
              problems={problems && asFields(problems)}
              version={gitSources.version()}
              isSet={source !== undefined}
            />
          </Card>
          {source
            ? (
              <div>
                <Webhook origin={originOf(c)} secret={source.webhookSecret} />
                <Card title="Disconnect" id="remove" kind="danger">
                  <p>Files and functions stay as they are, and can be changed here again.</p>
                  <PostButton action={`${GIT_PATH}/remove`} label="Disconnect the repository" kind="danger" />
                </Card>
              </div>
            )
            : <Introduction />}
        </div>
      </>
    ),
  }, status);
}

/** Moves problems of the API's `ref` to the fields of the form, and says times in units. */
function asFields(problems: Problems): Problems {
  return Object.fromEntries(
    Object.entries(problems).map(([field, problem]) => {
      if (field.startsWith("ref")) return ["name", problem];
      return [field, field === "intervalSeconds" ? "must be 10 seconds to 1 day, such as 5 min" : problem];
    }),
  );
}

function Introduction() {
  return (
    <Card title="How it works" id="how">
      <ul>
        <li>Whatever is in the repository is what runs. Files cannot be changed here as long as it is connected.</li>
        <li>Each commit is checked like any deployment, and becomes live as a whole or not at all.</li>
        <li>
          A file <code>crude.json</code> declares the functions. Without it, they are managed here.
        </li>
        <li>
          Nothing is synced by connecting, unless you enter an interval: <b>Check</b>{" "}
          first shows what a sync would change.
        </li>
      </ul>
      <p>
        <a href="/web/docs/git">Code from git</a>
      </p>
    </Card>
  );
}

function State({ source, last, now }: { source: GitSource; last: LastSync | undefined; now: number }) {
  return (
    <>
      <p>
        Files come from <code>{describeSource(source)}</code>, and can only be changed there.
      </p>
      <Facts>
        <Fact term="Last sync">
          {!last
            ? <Badge kind="plain">not synced yet</Badge>
            : last.outcome === "deployed"
            ? <Badge kind="ok">deployed</Badge>
            : <Badge kind="bad">failed</Badge>}
        </Fact>
        {last && (
          <Fact term="When">
            <Ago ms={last.at} now={now} />
          </Fact>
        )}
        {last?.commit !== undefined && (
          <Fact term="Commit">
            <code title={last.commit}>{commitText(last.commit)}</code>
          </Fact>
        )}
        {last?.deployment !== undefined && (
          <Fact term="Deployment">
            <a href={deploymentPath(last.deployment)}>Deployment {last.deployment}</a>
          </Fact>
        )}
        <Fact term="Next">{whenNext(source)}</Fact>
      </Facts>
      {last?.error !== undefined && (
        <Notice kind="bad" title={last.error}>
          {last.problems && <Findings findings={last.problems} />}
        </Notice>
      )}
    </>
  );
}

function whenNext({ intervalSeconds, webhookSecret }: GitSource): string {
  const ways = [
    ...(webhookSecret === null ? [] : ["by the webhook"]),
    ...(intervalSeconds === null ? [] : [`every ${writeSeconds(intervalSeconds)}`]),
  ];
  return ways.join(", and ") || "only by Sync now";
}

/** What the next sync would do. */
function Check({ checked }: { checked: Checked }) {
  if (typeof checked === "string") {
    return (
      <Notice kind="bad" title="The check failed">
        <p>{checked}</p>
      </Notice>
    );
  }
  const { plan, problems, warnings } = checked;
  return (
    <section aria-labelledby="check">
      <h2 id="check">What a sync would change</h2>
      {problems.length > 0
        ? (
          <Notice kind="bad" title="Problems would stop it">
            <Findings findings={problems} />
          </Notice>
        )
        : (
          <Notice kind="ok">
            <p>
              The repository can be read, and{" "}
              {isEmptyPlan(plan) ? "a sync would change nothing." : "nothing would stop a sync."}
            </p>
          </Notice>
        )}
      {warnings.length > 0 && (
        <Notice kind="warn" title="Warnings">
          <Findings findings={warnings} />
        </Notice>
      )}
      {!isEmptyPlan(plan) && <Plan plan={plan} />}
    </section>
  );
}
