// Implements /web, the overview: what needs attention, the health of the server, calls, and what changed last; on a new
// server, the first steps.

import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Child } from "hono/jsx";
import { DAY_MS, HOUR_MS } from "../../../../time.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Card, Stat, Stats } from "../../ui/card.tsx";
import { Ago } from "../../ui/components.tsx";
import { count, plural } from "../../ui/format.ts";
import { phraseOf } from "../audit/phrases.ts";
import { Attention, concernsOf } from "./attention.tsx";
import { DayChart } from "./day_chart.tsx";
import { addFirstSteps, FirstSteps } from "./first_steps.tsx";

/** How many deployments, and entries of the audit, are listed. */
const LAST_MAX = 6;
const MESSAGE_MAX_LENGTH = 80;
const DUE_SOON_MS = 30 * DAY_MS;
/** A backup that is older is marked. */
const BACKUP_MAX_AGE_MS = 7 * DAY_MS;
/** Less free space than this share is marked. */
const DISK_MIN_SHARE = 0.1;
const GIGABYTE = 1e9;

export function addHome(web: Web, deps: WebDeps): void {
  web.get("/web", async (c) => {
    const concerns = await concernsOf(deps);
    const steps = c.get("firstSteps")() && await FirstSteps({ c, deps });
    return page(c, {
      title: "Overview",
      styles: ["home.css"],
      children: (
        <>
          {steps}
          <Attention concerns={concerns} />
          {!steps && concerns.length === 0 && <p class="quiet">Nothing needs attention.</p>}
          {(!steps || deps.registry.counts().total > 0) && <Glance deps={deps} />}
          <div class="overview">
            <DayChart deps={deps} href="/web/metrics?range=two-days" />
            <LastDeployments deps={deps} />
            {!steps && <LastChanges deps={deps} />}
          </div>
        </>
      ),
    });
  });
  addFirstSteps(web);
}

/** The state in numbers. What there is none of yet is left out, as the first steps lead to it. */
function Glance({ deps }: { deps: WebDeps }) {
  const { access, registry, secrets, settings, metrics, suspended, now } = deps;
  const functions = registry.counts();
  const disabled = functions.total - functions.enabled;
  const suspendedCount = suspended().length;
  const keys = access.keyCounts();
  const counted = settings.get("metrics.retention-days") > 0;
  const { calls, errors, p95Ms } = metrics.summary(undefined, now() - HOUR_MS);
  return (
    <section aria-labelledby="glance" class="glance">
      <h2 id="glance" class="visually-hidden">At a glance</h2>
      <Stats>
        {functions.total > 0 && (
          <Stat
            label="Functions"
            figure={count(functions.total)}
            href="/web/functions"
            kind={suspendedCount > 0 ? "bad" : undefined}
            note={[
              `${count(functions.enabled)} enabled`,
              disabled > 0 && `${count(disabled)} disabled`,
              suspendedCount > 0 && `${count(suspendedCount)} suspended`,
            ].filter(Boolean).join(", ")}
          />
        )}
        {functions.total > 0 && counted && (
          <Stat
            label="Calls, last hour"
            figure={count(calls)}
            href="/web/metrics"
            kind={errors > 0 ? "warn" : undefined}
            note={errors === 0 ? "no errors" : plural(errors, "error") +
              (p95Ms === null ? "" : `, 95 % within ${count(Math.ceil(p95Ms))} ms`)}
          />
        )}
        {secrets.total() > 0 && <Secrets deps={deps} />}
        {functions.total > 0 && keys.total > 0 && (
          <Stat
            label="API keys"
            figure={count(keys.total)}
            href="/web/keys"
            note={keys.neverUsed === 0 ? "all used" : `${count(keys.neverUsed)} never used`}
          />
        )}
        <Encryption deps={deps} />
        <Backup deps={deps} />
        <Cluster deps={deps} />
        <Disk deps={deps} />
      </Stats>
    </section>
  );
}

function Secrets({ deps: { secrets, rotation, now } }: { deps: WebDeps }) {
  const unreadable = rotation.status().missingVersions
    .reduce((sum, { values }) => sum + values, rotation.keys().damaged);
  const due = secrets.countDue(now() + DUE_SOON_MS);
  return (
    <Stat
      label="Secrets"
      figure={count(secrets.total())}
      href="/web/secrets"
      kind={unreadable > 0 ? "bad" : undefined}
      note={unreadable > 0 ? `${plural(unreadable, "value")} cannot be read` : (
        <>
          all encrypted{due > 0 && (
            <>
              , <a href="/web/secrets/due">{count(due)} due within 30 days</a>
            </>
          )} · <a href="/web/secrets?unused=30">unused ones</a>
        </>
      )}
    />
  );
}

function Encryption({ deps: { rotation, now } }: { deps: WebDeps }) {
  const { currentVersion, progress, nextRotationAt } = rotation.status();
  return (
    <Stat
      label="Encryption key"
      figure={`version ${currentVersion}`}
      href="/web/settings/encryption"
      note={progress ? "rotating now" : (
        <>
          next rotation <Ago ms={nextRotationAt} now={now()} />
        </>
      )}
    />
  );
}

/** The audit knows of backups that `cli backup` makes. In a cluster, PostgreSQL has its own. */
function Backup({ deps: { audit, cluster, settings, now } }: { deps: WebDeps }) {
  if (cluster().mode === "cluster") return null;
  const [last] = audit.list({ action: "backup.created" }, Number.MAX_SAFE_INTEGER, 1).entries;
  const days = settings.get("webhooks.old-backup-days");
  const maxAgeMs = days > 0 ? days * DAY_MS : BACKUP_MAX_AGE_MS;
  return (
    <Stat
      label="Last backup"
      figure={last ? <Ago ms={last.at} now={now()} /> : "none"}
      kind={last && last.at > now() - maxAgeMs ? undefined : "warn"}
      note={
        <>
          <code>deno task cli backup</code>
        </>
      }
    />
  );
}

function Cluster({ deps: { cluster } }: { deps: WebDeps }) {
  const { mode, nodes } = cluster();
  if (mode === "single") return null;
  const serving = nodes.filter(({ live }) => live).length;
  return (
    <Stat
      label="Cluster"
      figure={plural(nodes.length, "node")}
      href="/web/cluster"
      kind={serving < nodes.length ? "bad" : undefined}
      note={serving === nodes.length ? "all serve" : `${count(serving)} serve`}
    />
  );
}

/** Free space where the data is. */
function Disk({ deps: { rotation } }: { deps: WebDeps }) {
  let free: number;
  let total: number;
  try {
    const { bavail, blocks, bsize } = statfsSync(dirname(rotation.keys().keyFile));
    [free, total] = [bavail * bsize, blocks * bsize];
  } catch {
    // Not every file system says it.
    return null;
  }
  if (!(total > 0)) return null;
  return (
    <Stat
      label="Disk, free"
      figure={`${count(Math.round(free / GIGABYTE * 10) / 10)} GB`}
      kind={free / total < DISK_MIN_SHARE ? "bad" : undefined}
      note={`of ${count(Math.round(total / GIGABYTE))} GB`}
    />
  );
}

function LastDeployments({ deps: { deployments, now } }: { deps: WebDeps }) {
  const last = deployments.list(Number.MAX_SAFE_INTEGER, LAST_MAX).deployments;
  if (last.length === 0) return null;
  return (
    <Card title="Last deployments" id="deployments" actions={<a href="/web/deployments">All deployments</a>}>
      <Lines>
        {last.map(({ id, at, message }) => (
          <Line at={at} now={now()}>
            <a href={`/web/deployments/${id}`}>
              {message === "" ? `Deployment ${id}` : `Deployment ${id}: ${message.slice(0, MESSAGE_MAX_LENGTH)}`}
            </a>
          </Line>
        ))}
      </Lines>
    </Card>
  );
}

function LastChanges({ deps: { audit, now } }: { deps: WebDeps }) {
  const { entries } = audit.list({}, Number.MAX_SAFE_INTEGER, LAST_MAX);
  if (entries.length === 0) return null;
  return (
    <Card title="Recent changes" id="changes" actions={<a href="/web/audit">Whole audit</a>}>
      <Lines>
        {entries.map((row) => {
          const { did, name } = phraseOf(row);
          return (
            <Line at={row.at} now={now()}>
              {row.actorName ?? row.actorKind} {did} {name && <strong>{name}</strong>}
            </Line>
          );
        })}
      </Lines>
    </Card>
  );
}

function Lines({ children }: { children: Child }) {
  return <ul class="last-lines">{children}</ul>;
}

function Line({ at, now, children }: { at: number; now: number; children: Child }) {
  return (
    <li>
      <span>{children}</span>
      <Ago ms={at} now={now} />
    </li>
  );
}
