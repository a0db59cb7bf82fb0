// Implements /web/deployments: the deployments, newest first, and the page of one with its plan. Going back to one is in
// rollback.tsx.

import type { Deployment } from "../../../../code/deployments/deployments.ts";
import { Ago, Badge, ButtonLink, CopyLine, Empty, Fact, Facts, Notice, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { parsePositiveInt } from "../../ui/format.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import {
  authorText,
  ChangeText,
  comparePath,
  deploymentPath,
  DEPLOYMENTS_PATH,
  HISTORY_PATH,
  idOf,
  LiveBadge,
  orSentence,
  versionPath,
} from "../history/parts.tsx";
import { addGit, GIT_PATH } from "./git.tsx";
import { Plan, planText } from "./plan.tsx";
import { addRollback } from "./rollback.tsx";

const PAGE_SIZE = 50;

/** What is live, to be compared with deployments. */
interface Live {
  readonly state: string;
  /** Id of the newest deployment; undefined if there is none. */
  readonly newest: number | undefined;
  /** Whether files and functions are as the newest deployment left them. */
  readonly isDeployed: boolean;
  /** The version that the newest deployment left. */
  readonly version: number | undefined;
}

export function addDeployments(web: Web, deps: WebDeps): void {
  const { deployments } = deps;
  addRollback(web, deps);
  addGit(web, deps);

  web.get(DEPLOYMENTS_PATH, async (c) => {
    const before = parsePositiveInt(c.req.query("before")) || Number.MAX_SAFE_INTEGER;
    const live = await liveOf(deps);
    const { deployments: rows, next } = deployments.list(before, PAGE_SIZE);
    return page(c, {
      title: "Deployments",
      styles: ["history.css"],
      actions: <ButtonLink href={GIT_PATH} kind="secondary" icon="git-branch">Git source</ButtonLink>,
      children: (
        <>
          {rows.length > 0 && <p class="quiet">A deployment changes files and functions together, after checks.</p>}
          {rows.length > 0 && !live.isDeployed && <Changed version={live.version} />}
          {rows.length === 0 ? <None /> : <List rows={rows} live={live} now={deps.now()} />}
          <Pager next={next === undefined ? undefined : `${DEPLOYMENTS_PATH}?before=${next}`} what="deployments" />
        </>
      ),
    });
  });

  web.get(`${DEPLOYMENTS_PATH}/:id`, (c) => {
    const id = idOf(c);
    return orSentence(c, `Deployment ${id}`, async () => {
      const deployment = deployments.get(id);
      const live = await liveOf(deps);
      return page(c, {
        title: `Deployment ${id}`,
        styles: ["history.css"],
        actions: deployment.state !== live.state && (
          <ButtonLink href={`${deploymentPath(id)}/rollback`} icon="undo-2">Roll back to this …</ButtonLink>
        ),
        children: (
          <>
            <DeploymentFacts deployment={deployment} live={live} now={deps.now()} />
            <Plan plan={deployment.plan} version={deployment.version} />
          </>
        ),
      });
    });
  });
}

async function liveOf({ deployments }: WebDeps): Promise<Live> {
  const state = await deployments.liveState();
  const [newest] = deployments.list(Number.MAX_SAFE_INTEGER, 1).deployments;
  return { state, newest: newest?.id, isDeployed: newest?.state === state, version: newest?.version };
}

function Changed({ version }: { version: number | undefined }) {
  return (
    <Notice kind="warn">
      <p>
        Files or functions were changed since the last deployment. {version === undefined
          ? <a href={HISTORY_PATH}>History of the files</a>
          : <a href={comparePath(version)}>What changed in the files</a>}
      </p>
    </Notice>
  );
}

/** How code gets here as a deployment, with a command to copy. */
function None() {
  return (
    <Empty
      icon="rocket"
      title="No deployments yet"
      actions={<ButtonLink href={GIT_PATH} icon="git-branch">Connect a git repository</ButtonLink>}
    >
      <p>
        A deployment changes files and functions together, after checks of imports, loading and secrets, and can be
        rolled back. <a href="/web/docs/deploying-code">Deploying code</a>{" "}
        describes how it comes from a git repository, or from a folder on your machine with a <code>crude.json</code>:
      </p>
      <CopyLine id="deploy" text="crude deploy --dry-run" label="Copy the command that shows what would change" />
      <p>Without deployments, change functions and files on their pages.</p>
    </Empty>
  );
}

function List({ rows, live, now }: { rows: readonly Deployment[]; live: Live; now: number }) {
  return (
    <DataTable
      label="Deployments, the newest first"
      class="versions"
      isStacked
      isLong
      rows={rows}
      columns={[
        {
          label: "Deployment",
          isRowHeader: true,
          cell: (deployment) => (
            <>
              <a href={deploymentPath(deployment.id)}>Deployment {deployment.id}</a>{" "}
              <State deployment={deployment} live={live} />
            </>
          ),
        },
        {
          label: "Change",
          class: "words",
          narrowLabel: null,
          cell: (one) => (
            <ChangeText
              message={one.message}
              href={deploymentPath(one.id)}
              details={[
                authorText(one.author),
                one.rollbackOf !== undefined && `rollback to ${one.rollbackOf}`,
                one.version !== undefined && <VersionLink deployment={one} />,
                planText(one.plan),
              ]}
            />
          ),
        },
        { label: "When", narrowLabel: null, cell: ({ at }) => <Ago ms={at} now={now} /> },
        {
          label: "Actions",
          isActions: true,
          cell: ({ id, state }) =>
            state !== live.state && (
              <ButtonLink
                href={`${deploymentPath(id)}/rollback`}
                kind="secondary"
                isSmall
                label={`Roll back … to deployment ${id}`}
              >
                Roll back …
              </ButtonLink>
            ),
        },
      ]}
    />
  );
}

function State({ deployment: { id, state }, live }: { deployment: Deployment; live: Live }) {
  if (state !== live.state) return null;
  return id === live.newest ? <LiveBadge /> : <Badge kind="plain">same as live</Badge>;
}

function VersionLink({ deployment: { version } }: { deployment: Deployment }) {
  return version === undefined ? <>–</> : <a href={versionPath(version)}>Version {version}</a>;
}

function DeploymentFacts({ deployment, live, now }: { deployment: Deployment; live: Live; now: number }) {
  const { at, author, message, rollbackOf, state } = deployment;
  return (
    <>
      {message !== "" && <p class="message lead">{message}</p>}
      <Facts>
        <Fact term="State">
          {state === live.state ? <State deployment={deployment} live={live} /> : "not live"}
        </Fact>
        <Fact term="When">
          <Ago ms={at} now={now} />
        </Fact>
        <Fact term="Who">{authorText(author)}</Fact>
        {author.kind === "git" && author.id !== null && (
          <Fact term="Commit">
            <code>{author.id}</code>
          </Fact>
        )}
        {rollbackOf !== undefined && (
          <Fact term="Rollback to">
            <a href={deploymentPath(rollbackOf)}>Deployment {rollbackOf}</a>
          </Fact>
        )}
        <Fact term="Files">
          <VersionLink deployment={deployment} />
        </Fact>
      </Facts>
    </>
  );
}
