// Implements /web/deployments/git: the git source of the code, the outcome of its last sync, and the button that syncs.

import type { Context } from "hono";
import { describeSource, type GitSource, type LastSync, REF_KINDS } from "../../../../code/git/source.ts";
import type { DeploymentProblem } from "../../../../code/deployments/problems.ts";
import { AppError } from "../../../../errors.ts";
import { gitSourceInput } from "../../../inputs/git_schemas.ts";
import { Ago, Badge, Card, Fact, Facts, FormActions, PostButton } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { CodeField, ProblemSummary, SelectField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, redirect } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { deploymentPath, DEPLOYMENTS_PATH } from "../history/parts.tsx";

export const GIT_PATH = `${DEPLOYMENTS_PATH}/git`;

/** The fields of the form, as texts. */
const LABELS = {
  url: "URL",
  kind: "What to deploy",
  name: "Its name, or the commit's id",
  folder: "Folder",
  username: "User name",
  tokenSecret: "Secret with the token",
  webhookSecret: "Secret of the webhook",
  intervalSeconds: "Interval in seconds",
} as const;
type Field = keyof typeof LABELS;
type Values = Readonly<Record<Field, string>>;

const EMPTY: Values = {
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
    read: (typed): Values =>
      Object.fromEntries(
        (Object.keys(LABELS) as Field[]).map((name) => [name, fieldText(typed, name).trim()]),
      ) as Record<Field, string>,
    schema: inputOf,
    act: ({ actor, input, expected }) => deps.commit(() => gitSync.setSource(actor, input, expected)),
    page: (c, form) => showGit(c, deps, form),
    then: () => ({ to: GIT_PATH, notice: "The git source is set. Files can only be changed there now." }),
  });

  web.post(`${GIT_PATH}/sync`, async (c) => {
    try {
      const { deployment } = await gitSync.sync(c.get("actor"), { force: false });
      return redirect(c, GIT_PATH, `Commit ${shortId(deployment.author.id)} is live.`);
    } catch (error) {
      // The page shows why.
      if (error instanceof AppError) return redirect(c, GIT_PATH, "Nothing was deployed.");
      throw error;
    }
  });

  web.post(`${GIT_PATH}/remove`, async (c) => {
    await deps.commit(() => gitSync.removeSource(c.get("actor")));
    return redirect(c, GIT_PATH, "The git source is removed. Files and functions stay as they are.");
  });
}

function valuesOf(source: GitSource | undefined): Values {
  if (!source) return EMPTY;
  const { intervalSeconds, tokenSecret, webhookSecret, ...rest } = source;
  return {
    ...rest,
    tokenSecret: tokenSecret ?? "",
    webhookSecret: webhookSecret ?? "",
    intervalSeconds: intervalSeconds === null ? "" : String(intervalSeconds),
  };
}

/** @throws ZodError */
function inputOf({ kind, name, intervalSeconds, tokenSecret, webhookSecret, ...rest }: Values): GitSource {
  return gitSourceInput.parse({
    ...rest,
    ref: { [kind]: name },
    tokenSecret: tokenSecret || null,
    webhookSecret: webhookSecret || null,
    intervalSeconds: intervalSeconds === "" ? null : Number(intervalSeconds),
  });
}

function showGit(
  c: Context<WebEnv>,
  { gitSources, now }: WebDeps,
  { values, problems, status }: FormState<undefined, Values>,
) {
  const source = gitSources.get();
  const shown = problems && asFields(problems);
  return page(c, {
    title: "Git source",
    actions: source && <PostButton action={`${GIT_PATH}/sync`} label="Sync now" />,
    children: (
      <div class="cards">
        {source
          ? (
            <p>
              Files come from <code>{describeSource(source)}</code>, and can only be changed there.
            </p>
          )
          : <p class="quiet">Takes all files, and the functions of crude.json, from a git repository.</p>}
        {source && <Last last={gitSources.lastSync()} now={now()} />}
        <ProblemSummary problems={shown} labels={LABELS} />
        <Card title={source ? "Change it" : "Set it"} id="set">
          <SourceForm values={values} problems={shown} version={gitSources.version()} isSet={source !== undefined} />
        </Card>
        {source && (
          <Card title="Remove it" id="remove" kind="danger">
            <p>Files and functions stay as they are, and can be changed here again.</p>
            <PostButton action={`${GIT_PATH}/remove`} label="Remove the git source" kind="danger" />
          </Card>
        )}
      </div>
    ),
  }, status);
}

/** Moves problems of the API's `ref` to the fields of the form. */
function asFields(problems: Problems): Problems {
  return Object.fromEntries(
    Object.entries(problems).map(([field, problem]) => [field.startsWith("ref") ? "name" : field, problem]),
  );
}

function Last({ last, now }: { last: LastSync | undefined; now: number }) {
  if (!last) return <p class="quiet">It was not synced yet.</p>;
  const { at, outcome, commit, deployment, error, problems = [] } = last;
  return (
    <>
      <h2>Last sync</h2>
      <Facts>
        <Fact term="Outcome">
          {outcome === "deployed" ? <Badge kind="ok">deployed</Badge> : <Badge kind="bad">failed</Badge>}
        </Fact>
        <Fact term="When">
          <Ago ms={at} now={now} />
        </Fact>
        {commit !== undefined && (
          <Fact term="Commit">
            <code>{shortId(commit)}</code>
          </Fact>
        )}
        {deployment !== undefined && (
          <Fact term="Deployment">
            <a href={deploymentPath(deployment)}>Deployment {deployment}</a>
          </Fact>
        )}
      </Facts>
      {error !== undefined && <p class="warning">{error}</p>}
      {problems.length > 0 && <ul>{problems.map((problem) => <li>{problemText(problem)}</li>)}</ul>}
    </>
  );
}

function problemText({ function: name, file, line, message }: DeploymentProblem): string {
  const place = [name, file && (line === undefined ? file : `${file}:${line}`)].filter((part) => part !== undefined);
  return place.length === 0 ? message : `${place.join(", ")}: ${message}`;
}

function shortId(commit: string | null): string {
  return (commit ?? "").slice(0, 12);
}

function SourceForm({ values, problems, version, isSet }: {
  values: Values;
  problems: Problems | undefined;
  version: string;
  isSet: boolean;
}) {
  const field = (name: Field, hint?: string) => ({ name, label: LABELS[name], value: values[name], problems, hint });
  return (
    <form method="post" action={GIT_PATH} class="narrow">
      <FormToken />
      <VersionField version={version} />
      <CodeField {...field("url", "Where git clone gets it, with https:.")} required />
      <SelectField
        {...field("kind")}
        options={REF_KINDS.map((kind) => ({ value: kind, label: `A ${kind}` }))}
      />
      <CodeField {...field("name")} required />
      <CodeField
        {...field("folder", "The folder of the repository that becomes the code folder; empty for all of it.")}
      />
      <CodeField {...field("username", "Sent with the token. Most git servers accept any.")} required />
      <CodeField {...field("tokenSecret", "Name of a global secret; empty for a public repository.")} />
      <CodeField {...field("webhookSecret", "Name of a global secret; empty for none.")} />
      <CodeField
        {...field("intervalSeconds", "How often to look for a new commit, from 10 to 86,400; empty for never.")}
        inputmode="numeric"
      />
      <FormActions submit={isSet ? "Change the git source" : "Set the git source"} cancel={DEPLOYMENTS_PATH} />
    </form>
  );
}
