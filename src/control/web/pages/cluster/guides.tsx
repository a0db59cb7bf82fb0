// Implements what the page of the cluster says about making one, adding nodes, and nodes that do not serve.

import type { Child } from "hono/jsx";
import type { ClusterProblem, NodeState } from "../../../../cluster_state.ts";
import { ButtonLink, Card, CopyLine, Notice } from "../../ui/components.tsx";

const DOCS = "/web/docs/cluster";
const FORGET = "deno task cli cluster forget";

const CREATE_DATABASE = "CREATE ROLE crude LOGIN PASSWORD 'PASSWORD';\nCREATE DATABASE crude OWNER crude;";
const MOVE_AND_START = "deno task cli migrate-to-cluster\ndeno task start";
/** What every node is started with. The address and the password of PostgreSQL are not shown. */
const VARIABLES = `DATABASE_URL='postgres://crude:PASSWORD@db.example:5432/crude?sslmode=verify-full'
KEYRING_PASSPHRASE_FILE=/etc/crude-functions/passphrase`;
const NODE_VARIABLES = `HOST=10.0.0.6   # the address of the new machine
${VARIABLES}`;

/** The page of a server without a cluster. */
export function SingleServer() {
  return (
    <>
      <Notice kind="info" title="This server works alone, with its own database.">
        <p>
          In a cluster, several servers share functions, secrets and keys through one PostgreSQL: if one fails, the
          others continue to answer.
        </p>
      </Notice>
      <Card
        title="Make this server the first node"
        id="first-node"
        actions={<Docs section="/moving-a-server-into-a-cluster" />}
      >
        <ol class="steps">
          <Step title="Create a database in PostgreSQL 14 or newer.">
            <CopyLine
              id="create-database"
              text={CREATE_DATABASE}
              label="Copy the statements"
            />
          </Step>
          <Step title="Make a backup, and stop this server.">
            <CopyLine id="backup-command" text="deno task cli backup ../backup" label="Copy the backup command" />
          </Step>
          <Step title="Choose a passphrase, put it into a file, and set these variables.">
            <CopyLine id="variables" text={VARIABLES} label="Copy the variables" />
          </Step>
          <Step title="Move the data, and start the server again.">
            <CopyLine
              id="move-command"
              text={MOVE_AND_START}
              label="Copy the commands"
            />
          </Step>
        </ol>
      </Card>
      <AddNode />
    </>
  );
}

/** How another node joins. */
export function AddNode() {
  return (
    <Card title="Add a node" id="add-node" actions={<Docs section="/two-nodes-in-ten-minutes" />}>
      <ol class="steps">
        <Step title="On a machine with the same version of the program and an empty DATA_DIR, set these variables.">
          <CopyLine id="node-variables" text={NODE_VARIABLES} label="Copy the variables of a node" />
        </Step>
        <Step title="Start it. It gets everything from PostgreSQL and appears in the list of nodes.">
          <CopyLine id="start-command" text="deno task start" label="Copy the start command" />
        </Step>
        <Step title="Add it to the load balancer, which sends requests only to nodes whose /health answers 200." />
      </ol>
    </Card>
  );
}

function Docs({ section }: { section: string }) {
  return <ButtonLink href={`${DOCS}${section}`} kind="quiet" isSmall>Documentation</ButtonLink>;
}

function Step({ title, children }: { title: string; children?: Child }) {
  return (
    <li>
      <p>{title}</p>
      {children}
    </li>
  );
}

/** What to do about the node that shows the page, by the code of its problem. */
const SOLUTIONS: Readonly<Record<string, string>> = {
  CutOff:
    "Check that PostgreSQL runs and that this machine reaches it, and that its disk has free space. The node serves again on its own.",
  CodeNotInPlace: "Remove what is in the way. The node serves again on its own.",
  LogTampered: "Find out who can write to PostgreSQL, or who put it back to an earlier state.",
  ReplicaDiverged:
    "Find out what else writes to the database in DATA_DIR. Then start this node with an empty DATA_DIR; it gets everything from PostgreSQL.",
};

export function Problem({ problem }: { problem: ClusterProblem }) {
  return (
    <div class="problems" role="alert">
      <p>
        <strong>This node does not serve.</strong> {problem.message}
      </p>
      <p>
        {SOLUTIONS[problem.code] ?? "Its log says more."}{" "}
        <a href={`${DOCS}/what-is-promised`}>What fails, and what to do</a>
      </p>
    </div>
  );
}

/** What to do about other nodes that do not serve. */
export function Advice({ nodes }: { nodes: readonly NodeState[] }) {
  return (
    <Card title="Nodes that do not serve" id="advice">
      {nodes.map(({ id, url, left }, at) => (
        <div class="advice">
          <p>
            <strong>{url}</strong> {left
              ? "was stopped. Start it again; no change waits for it. It is forgotten a day after it stopped."
              : "has not renewed its lease: it or its machine has failed, or it cannot reach PostgreSQL, or its disk is full. Its log and its /health say why. It serves again as soon as it has the changes that it lacks."}
            {" "}
            If it will not come back, remove it on a server of the cluster:
          </p>
          <CopyLine id={`forget-${at}`} text={`${FORGET} ${id}`} label={`Copy the command that removes ${url}`} />
        </div>
      ))}
    </Card>
  );
}
