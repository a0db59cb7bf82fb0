// Implements /web/deployments: the deployments, newest first, and the page of one with its plan. Going back to one is in
// rollback.tsx.

import type { Deployment } from "../../../../code/deployments/deployments.ts";
import { Badge, ButtonLink, Empty, Fact, Facts, Pager, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { parsePositiveInt } from "../../ui/format.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { authorText, idOf, orSentence, versionPath } from "../history/parts.tsx";
import { addGit, GIT_PATH } from "./git.tsx";
import { deploymentPath, DEPLOYMENTS_PATH, Plan, planText } from "./plan.tsx";
import { addRollback } from "./rollback.tsx";

const PAGE_SIZE = 50;

/** What is live, to be compared with deployments. */
interface Live {
  readonly state: string;
  /** Id of the newest deployment; undefined if there is none. */
  readonly newest: number | undefined;
  /** Whether files and functions are as the newest deployment left them. */
  readonly isDeployed: boolean;
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
          <p class="quiet">A deployment changes files and functions together, after checks.</p>
          {rows.length > 0 && !live.isDeployed && <Changed />}
          {rows.length === 0 ? <None /> : <List rows={rows} live={live} />}
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
            <DeploymentFacts deployment={deployment} live={live} />
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
  return { state, newest: newest?.id, isDeployed: newest?.state === state };
}

function Changed() {
  return (
    <p class="warning">
      Files or functions were changed since the last deployment. <a href="/web/history">History of the files</a>
    </p>
  );
}

function None() {
  return (
    <Empty icon="rocket" title="No deployments yet">
      <p>
        <code>crude deploy</code>{" "}
        deploys a folder from another machine; without it, change functions and files on their pages.
      </p>
    </Empty>
  );
}

function List({ rows, live }: { rows: readonly Deployment[]; live: Live }) {
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
              {deployment.rollbackOf !== undefined && (
                <>
                  {" "}
                  <Badge kind="plain">rollback to {deployment.rollbackOf}</Badge>
                </>
              )}
            </>
          ),
        },
        { label: "When", cell: ({ at }) => <Time ms={at} /> },
        { label: "Who", class: "words who", cell: ({ author }) => authorText(author) },
        { label: "Message", class: "words", cell: ({ message }) => message },
        { label: "Version", cell: (one) => <VersionLink deployment={one} /> },
        { label: "Changes", class: "words", cell: ({ plan }) => planText(plan) },
      ]}
    />
  );
}

function State({ deployment: { id, state }, live }: { deployment: Deployment; live: Live }) {
  if (state !== live.state) return null;
  return id === live.newest ? <Badge kind="ok">live</Badge> : <Badge kind="plain">same as live</Badge>;
}

function VersionLink({ deployment: { version } }: { deployment: Deployment }) {
  return version === undefined ? <>–</> : <a href={versionPath(version)}>Version {version}</a>;
}

function DeploymentFacts({ deployment, live }: { deployment: Deployment; live: Live }) {
  const { at, author, message, rollbackOf, state } = deployment;
  return (
    <>
      {message !== "" && <p class="message">{message}</p>}
      <Facts>
        <Fact term="When">
          <Time ms={at} />
        </Fact>
        <Fact term="Who">{authorText(author)}</Fact>
        <Fact term="Files">
          <VersionLink deployment={deployment} />
        </Fact>
        {rollbackOf !== undefined && (
          <Fact term="Rollback to">
            <a href={deploymentPath(rollbackOf)}>Deployment {rollbackOf}</a>
          </Fact>
        )}
        <Fact term="State">
          {state === live.state ? <State deployment={deployment} live={live} /> : "not live"}
        </Fact>
      </Facts>
    </>
  );
}
