// Implements /web, the overview: what needs attention, the state at a glance, and the first steps on a new server.

import { DAY_MS, HOUR_MS } from "../../../../time.ts";
import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId } from "../../../../ids.ts";
import { Ago, Badge, Time } from "../../ui/components.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { addFirstSteps, FirstSteps } from "./first_steps.tsx";
import { page } from "../../shell/layout.tsx";
import { count, plural } from "../../ui/format.ts";

/** How many functions are listed for each reason that they need attention. */
const NAMED_MAX = 10;
/** How many audit entries about secrets in responses are read. */
const LEAKS_MAX = 200;
const ERROR_MAX_LENGTH = 300;
const MESSAGE_MAX_LENGTH = 80;

export function addHome(web: Web, deps: WebDeps): void {
  web.get("/web", async (c) => {
    const concerns = await concernsOf(deps);
    const steps = c.get("firstSteps")() && await FirstSteps({ c, deps });
    return page(c, {
      title: "Overview",
      children: (
        <>
          {steps}
          <Attention concerns={concerns} />
          <Glance deps={deps} />
        </>
      ),
    });
  });
  addFirstSteps(web);
}

/** Returns what needs an admin's attention, each in a sentence or two, the most urgent first. */
async function concernsOf(deps: WebDeps): Promise<Child[]> {
  const functions = await functionConcerns(deps);
  return [
    ...canaryConcerns(deps),
    ...encryptionConcerns(deps),
    ...functions,
    ...leakConcerns(deps),
    ...dueConcerns(deps),
    ...deps.sandboxWarnings,
  ];
}

/** Returns the canaries that were read or sent out within the last day. */
function canaryConcerns({ audit, now }: WebDeps): Child[] {
  const filter = { action: "secret.canary", from: now() - DAY_MS };
  const { entries } = audit.list(filter, Number.MAX_SAFE_INTEGER, LEAKS_MAX);
  const names = [...new Set(entries.map(({ subjectName }) => subjectName).filter((name) => name !== ""))];
  const concerns = names.map((name) => (
    <>
      The canary <code>{name}</code> was read within the last day. <a href="/web/audit?action=secret.canary">By whom</a>
    </>
  ));
  return fewOf(concerns, "more canaries were read");
}

function dueConcerns({ secrets, now }: WebDeps): Child[] {
  const overdue = secrets.countDue(now());
  if (overdue === 0) return [];
  return [
    <>
      {plural(overdue, "secret")} {overdue === 1 ? "is" : "are"} expired or overdue.{" "}
      <a href="/web/secrets/due">Which</a>
    </>,
  ];
}

function encryptionConcerns({ rotation, now }: WebDeps): Child[] {
  const { missingVersions, nextRotationAt, progress } = rotation.status();
  const { damaged } = rotation.keys();
  const encryption = <a href="/web/settings/encryption">How to fix this</a>;
  const concerns: Child[] = missingVersions.map(({ version, values }) => (
    <>
      {plural(values, "value")} cannot be read: encryption key version {version} is missing. {encryption}
    </>
  ));
  if (damaged > 0) concerns.push(<>{plural(damaged, "value")} in the database cannot be read. {encryption}</>);
  const { last } = rotation;
  if (last && "failure" in last) concerns.push(<>The last key rotation failed. {encryption}</>);
  else if (last && missingVersions.length === 0 && damaged === 0 && last.outcome.unreadable.values > 0) {
    concerns.push(
      <>{plural(last.outcome.unreadable.values, "value")} could not be read by the last rotation. {encryption}</>,
    );
  }
  // The server checks hourly whether a rotation is due.
  if (!progress && nextRotationAt < now() - DAY_MS) {
    concerns.push(
      <>
        The rotation of the encryption keys has been due since <Time ms={nextRotationAt} />. {encryption}
      </>,
    );
  }
  return concerns;
}

async function functionConcerns(deps: WebDeps): Promise<Child[]> {
  const { registry, conditions, suspended, health, metrics, allLogs, now } = deps;
  const broken = (await conditions.broken((after, limit) => registry.list(after, limit))).map(({ entry, reason }) => (
    <>
      <FunctionLink {...entry} /> is broken: calls get 500. <span class="message">{reason}</span>
    </>
  ));
  const suspendedOnes = suspended().map((id) => (
    <>
      <FunctionLink {...registry.get(id)} /> is suspended because its processes kept ending: calls get 503.{" "}
      <span class="message">{health(id).lastDeath}</span>
    </>
  ));
  const most = metrics.failing(now() - HOUR_MS, NAMED_MAX + 1);
  const failing = (await Promise.all(most.map(async ({ functionId, calls, failures }) => {
    const entry = named(functionId, registry);
    if (!entry) return [];
    const [last] = (await allLogs.list({ functionId, level: "error" }, { limit: 1, cursor: undefined })).entries;
    return [
      <>
        <FunctionLink {...entry} /> failed in {count(failures)} of {plural(calls, "call")} within the last hour.{" "}
        {last && <span class="message">{last.message.slice(0, ERROR_MAX_LENGTH)}</span>}{" "}
        <a href={`/web/logs?functionId=${functionId}&level=error`}>Errors of {entry.name}</a>
      </>,
    ];
  }))).flat();
  return [
    ...fewOf(broken, "more functions are broken"),
    ...fewOf(suspendedOnes, "more functions are suspended"),
    ...fewOf(failing, "or more other functions failed"),
  ];
}

/** Returns the functions whose responses contained secrets within the last day. */
function leakConcerns({ audit, registry, now }: WebDeps): Child[] {
  const { entries } = audit.list({ action: "response.*", from: now() - DAY_MS }, Number.MAX_SAFE_INTEGER, LEAKS_MAX);
  const byFunction = Map.groupBy(entries, ({ subjectId, subjectName }) => subjectId ?? subjectName);
  const leaks = [...byFunction.values()].map(([latest]) => {
    const { action, subjectId, subjectName, at } = latest!;
    const entry = named(Number(subjectId) as FunctionId, registry);
    const subject = subjectId === null ? subjectName : `function:${subjectId}`;
    return (
      <>
        {entry ? <FunctionLink {...entry} /> : subjectName || "Functions"}{" "}
        {action === "response.blocked" ? "had a response withheld" : "sent a response"} with a secret in it, last{" "}
        <Ago ms={at} now={now()} />.{" "}
        <a href={`/web/audit?${new URLSearchParams({ action: "response.*", ...(subject && { subject }) })}`}>
          What was found{entry && ` in ${entry.name}`}
        </a>
      </>
    );
  });
  return fewOf(leaks, "more functions sent secrets");
}

function fewOf(concerns: readonly Child[], rest: string): Child[] {
  const others = concerns.length - NAMED_MAX;
  return others <= 0 ? [...concerns] : [...concerns.slice(0, NAMED_MAX), `${count(others)} ${rest}.`];
}

/** Returns the function; undefined if it was deleted. */
function named(id: FunctionId, registry: WebDeps["registry"]): RegisteredFunction | undefined {
  const [entry] = id > 0 ? registry.list(id - 1, 1) : [];
  return entry?.id === id ? entry : undefined;
}

function FunctionLink({ id, name }: Pick<RegisteredFunction, "id" | "name">) {
  return <a href={`/web/functions/${id}`}>{name}</a>;
}

function Attention({ concerns }: { concerns: readonly Child[] }) {
  if (concerns.length === 0) return null;
  return (
    <section aria-labelledby="attention" class="warning">
      <h2 id="attention">Needs attention</h2>
      <ul>{concerns.map((concern) => <li>{concern}</li>)}</ul>
    </section>
  );
}

function Glance({ deps }: { deps: WebDeps }) {
  const { access, registry, secrets, settings, metrics, rotation, suspended, now } = deps;
  const functions = registry.counts();
  const disabled = functions.total - functions.enabled;
  const suspendedCount = suspended().length;
  const status = rotation.status();
  const unreadable = status.missingVersions.reduce((sum, { values }) => sum + values, rotation.keys().damaged);
  const keys = access.keyCounts();
  const counted = settings.get("metrics.retention-days") > 0;
  const { calls, errors, p95Ms } = metrics.summary(undefined, now() - HOUR_MS);
  return (
    <section aria-labelledby="glance">
      <h2 id="glance">At a glance</h2>
      <ul class="tiles">
        <Tile href="/web/functions" title="Functions" figure={count(functions.total)}>
          {functions.total === 0 ? "none yet" : `${count(functions.enabled)} enabled`}
          {disabled > 0 && `, ${count(disabled)} disabled`}
          {suspendedCount > 0 && <Badge kind="bad">{count(suspendedCount)} suspended</Badge>}
        </Tile>
        <Tile href="/web/metrics" title="Calls, last hour" figure={counted ? count(calls) : "–"}>
          {!counted ? "calls are not counted" : calls === 0 ? "no errors" : (
            <>
              {plural(errors, "error")}
              {p95Ms !== null && `, 95 % within ${count(Math.ceil(p95Ms))} ms`}
            </>
          )}
        </Tile>
        <Tile href="/web/secrets" title="Secrets" figure={count(secrets.total())}>
          {unreadable > 0
            ? <Badge kind="bad">{plural(unreadable, "value")} cannot be read</Badge>
            : secrets.total() === 0
            ? "none yet"
            : "all encrypted"}
        </Tile>
        <Tile href="/web/keys" title="API keys" figure={count(keys.total)}>
          {keys.total === 0 ? "none yet" : keys.neverUsed === 0 ? "all used" : `${count(keys.neverUsed)} never used`}
        </Tile>
        <Tile href="/web/settings/encryption" title="Encryption key" figure={`version ${status.currentVersion}`}>
          {status.progress ? <Badge kind="warn">rotating now</Badge> : (
            <>
              next rotation <Ago ms={status.nextRotationAt} now={now()} />
            </>
          )}
        </Tile>
        <LastDeployment deps={deps} />
      </ul>
    </section>
  );
}

function LastDeployment({ deps: { deployments, now } }: { deps: WebDeps }) {
  const [last] = deployments.list(Number.MAX_SAFE_INTEGER, 1).deployments;
  if (!last) return null;
  const { id, at, message } = last;
  const text = message === "" ? `Deployment ${id}` : `Deployment ${id}: ${message.slice(0, MESSAGE_MAX_LENGTH)}`;
  return (
    <Tile href={`/web/deployments/${id}`} title="Last deployment" figure={<Ago ms={at} now={now()} />}>{text}</Tile>
  );
}

/** The title is not a link: the sidebar already has one with that name, to the same page. */
function Tile({ href, title, figure, children }: { href: string; title: string; figure: Child; children: Child }) {
  return (
    <li>
      <h3>{title}</h3>
      <p class="figure">{figure}</p>
      <p>
        <a href={href}>{children}</a>
      </p>
    </li>
  );
}
