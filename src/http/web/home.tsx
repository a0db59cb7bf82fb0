// /web: the first page. What needs the admin, the state at a glance, and for a newcomer the first steps.

import type { Child } from "hono/jsx";
import { Ago, Badge } from "./components.tsx";
import type { Web, WebDeps } from "./deps.ts";
import { addFirstSteps, FirstSteps } from "./first_steps.tsx";
import { page } from "./layout.tsx";
import { count, plural } from "./words.ts";

const HOUR_MS = 3_600_000;
/** Of the functions that rest, so many are named. */
const NAMED_MAX = 10;

export function addHome(web: Web, deps: WebDeps): void {
  web.get("/web", async (c) => {
    const steps = c.get("firstSteps")() && await FirstSteps({ c, deps });
    return page(c, {
      title: "Overview",
      children: (
        <>
          {steps}
          <Attention concerns={concernsOf(deps)} />
          <Glance deps={deps} />
        </>
      ),
    });
  });
  addFirstSteps(web);
}

/** What the server knows of that somebody has to look at, each a sentence or two. */
function concernsOf({ rotation, registry, suspended, health, missingWalls }: WebDeps): Child[] {
  const { missingVersions } = rotation.status();
  const { damaged } = rotation.keys();
  const encryption = <a href="/web/settings/encryption">What to do</a>;
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
  const resting = suspended();
  for (const id of resting.slice(0, NAMED_MAX)) {
    const { lastDeath } = health(id);
    concerns.push(
      <>
        <a href={`/web/functions/${id}`}>{registry.get(id).name}</a> rests, as its process kept ending. {lastDeath}
      </>,
    );
  }
  if (resting.length > NAMED_MAX) concerns.push(`${count(resting.length - NAMED_MAX)} more functions rest.`);
  return [...concerns, ...missingWalls];
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
  const resting = suspended().length;
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
          {count(functions.enabled)} enabled{disabled > 0 && `, ${count(disabled)} disabled`}
          {resting > 0 && <Badge kind="bad">{count(resting)} resting</Badge>}
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
          {unreadable > 0 ? <Badge kind="bad">{plural(unreadable, "value")} cannot be read</Badge> : "encrypted"}
        </Tile>
        <Tile href="/web/keys" title="API keys" figure={count(keys.total)}>
          {keys.neverUsed === 0 ? "all used" : `${count(keys.neverUsed)} never used`}
        </Tile>
        <Tile href="/web/settings/encryption" title="Encryption key" figure={`version ${status.currentVersion}`}>
          {status.progress ? <Badge kind="warn">rotating now</Badge> : (
            <>
              next rotation <Ago ms={status.nextRotationAt} now={now()} />
            </>
          )}
        </Tile>
      </ul>
    </section>
  );
}

/** The link is not named by its title: the sidebar has one of that name, to the same page. */
function Tile({ href, title, figure, children }: { href: string; title: string; figure: string; children: Child }) {
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
