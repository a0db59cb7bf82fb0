// Implements the state of the server on the overview: a line for each kind of thing, with its number and what to know.

import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Child } from "hono/jsx";
import { DAY_MS, HOUR_MS } from "../../../../time.ts";
import { Icon, type IconName } from "../../icons/icon.tsx";
import type { WebDeps } from "../../shell/deps.ts";
import { Card } from "../../ui/card.tsx";
import { Ago } from "../../ui/components.tsx";
import { count, plural, took } from "../../ui/format.ts";

const DUE_SOON_MS = 30 * DAY_MS;
/** A backup that is older is marked. */
const BACKUP_MAX_AGE_MS = 7 * DAY_MS;
/** Less free space than this share is marked. */
const DISK_MIN_SHARE = 0.1;
const GIGABYTE = 1e9;

/** What there is none of yet is left out, as the first steps lead to it. */
export function State({ deps }: { deps: WebDeps }) {
  return (
    <Card title="State" id="state">
      <ul class="state">
        <Functions deps={deps} />
        <Calls deps={deps} />
        <Secrets deps={deps} />
        <Keys deps={deps} />
        <Encryption deps={deps} />
        <Backup deps={deps} />
        <Cluster deps={deps} />
        <Disk deps={deps} />
      </ul>
    </Card>
  );
}

function Row({ icon, label, figure, href, note, kind }: {
  icon: IconName;
  label: string;
  figure: Child;
  /** The page that shows what is counted. */
  href?: string;
  note: Child;
  kind?: "warn" | "bad" | undefined;
}) {
  return (
    <li class={kind && `state-${kind}`}>
      <Icon name={icon} />
      <span class="state-label">{href === undefined ? label : <a href={href}>{label}</a>}</span>
      <span class="state-figure">{figure}</span>
      <span class="state-note">{note}</span>
    </li>
  );
}

function Functions({ deps: { registry, suspended } }: { deps: WebDeps }) {
  const { total, enabled } = registry.counts();
  if (total === 0) return null;
  const suspendedCount = suspended().length;
  const notes = [
    `${count(enabled)} enabled`,
    total > enabled && `${count(total - enabled)} disabled`,
    suspendedCount > 0 && `${count(suspendedCount)} suspended`,
  ];
  return (
    <Row
      icon="square-function"
      label="Functions"
      figure={count(total)}
      href="/web/functions"
      kind={suspendedCount > 0 ? "bad" : undefined}
      note={notes.filter(Boolean).join(", ")}
    />
  );
}

function Calls({ deps: { registry, settings, metrics, now } }: { deps: WebDeps }) {
  if (registry.counts().total === 0 || settings.get("metrics.retention-days") === 0) return null;
  const { calls, errors, p95Ms } = metrics.summary(undefined, now() - HOUR_MS);
  const slow = p95Ms === null ? "" : `, 95 % within ${took(p95Ms)}`;
  return (
    <Row
      icon="chart-line"
      label="Calls, last hour"
      figure={count(calls)}
      href="/web/metrics"
      kind={errors > 0 ? "warn" : undefined}
      note={(errors === 0 ? "no errors" : plural(errors, "error")) + slow}
    />
  );
}

function Secrets({ deps: { secrets, rotation, now } }: { deps: WebDeps }) {
  const total = secrets.total();
  if (total === 0) return null;
  const unreadable = rotation.status().missingVersions
    .reduce((sum, { values }) => sum + values, rotation.keys().damaged);
  const due = secrets.countDue(now() + DUE_SOON_MS);
  return (
    <>
      <Row
        icon="lock-keyhole"
        label="Secrets"
        figure={count(total)}
        href="/web/secrets"
        kind={unreadable > 0 ? "bad" : undefined}
        note={unreadable > 0 ? `${plural(unreadable, "value")} cannot be read` : (
          <>
            all encrypted · <a href="/web/secrets?unused=30">unused ones</a>
          </>
        )}
      />
      {due > 0 && (
        <Row
          icon="clock"
          label="Due secrets"
          figure={count(due)}
          href="/web/secrets/due"
          kind="warn"
          note="within 30 days"
        />
      )}
    </>
  );
}

function Keys({ deps: { access, registry } }: { deps: WebDeps }) {
  const { total, neverUsed } = access.keyCounts();
  if (registry.counts().total === 0 || total === 0) return null;
  return (
    <Row
      icon="key-round"
      label="API keys"
      figure={count(total)}
      href="/web/keys"
      note={neverUsed === 0 ? "all used" : `${count(neverUsed)} never used`}
    />
  );
}

function Encryption({ deps: { rotation, now } }: { deps: WebDeps }) {
  const { currentVersion, progress, nextRotationAt } = rotation.status();
  return (
    <Row
      icon="shield-check"
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
    <Row
      icon="rotate-ccw-clock"
      label="Last backup"
      figure={last ? <Ago ms={last.at} now={now()} /> : "none"}
      kind={last && last.at > now() - maxAgeMs ? undefined : "warn"}
      note={<code>deno task cli backup</code>}
    />
  );
}

function Cluster({ deps: { cluster } }: { deps: WebDeps }) {
  const { mode, nodes } = cluster();
  if (mode === "single") return null;
  const serving = nodes.filter(({ live }) => live).length;
  return (
    <Row
      icon="server"
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
    <Row
      icon="server"
      label="Disk, free"
      figure={`${count(Math.round(free / GIGABYTE * 10) / 10)} GB`}
      kind={free / total < DISK_MIN_SHARE ? "bad" : undefined}
      note={`of ${count(Math.round(total / GIGABYTE))} GB`}
    />
  );
}
