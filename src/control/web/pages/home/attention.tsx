// Finds what needs attention, each with the action that solves it, and shows it on the overview.

import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { SOON_DAYS } from "../../../../core/access/listing.ts";
import type { FunctionId } from "../../../../ids.ts";
import { DAY_MS, HOUR_MS } from "../../../../time.ts";
import { Icon } from "../../icons/icon.tsx";
import type { WebDeps } from "../../shell/deps.ts";
import { ButtonLink } from "../../ui/button.tsx";
import { Ago, Time } from "../../ui/components.tsx";
import { count, plural } from "../../ui/format.ts";
import { namePath } from "../secrets/browse.tsx";
import { Sparkline } from "../../ui/sparkline.tsx";
import { requestPath } from "../logs/entries.tsx";

/** How many functions are listed for each reason that they need attention. */
const NAMED_MAX = 10;
/** How many audit entries about secrets in responses are read. */
const LEAKS_MAX = 200;
/** Beyond this, API keys that expire are not counted. */
const KEYS_MAX = 100;
const ERROR_MAX_LENGTH = 300;

interface Action {
  readonly href: string;
  readonly label: string;
  /** The rest of the label, which is clear to those who see what the action is next to. */
  readonly of?: string;
}

/** Something that needs attention. */
export interface Concern {
  /** A sentence or two. */
  readonly what: Child;
  /** What the server or a function says about it. */
  readonly message?: string | null | undefined;
  readonly picture?: Child;
  /** Where it is solved; none if that is not on a page. */
  readonly action?: Action;
  /** Another page that helps. */
  readonly more?: { readonly href: string; readonly label: string };
}

const ENCRYPTION = { href: "/web/settings/encryption", label: "How to fix this" };

/** Returns what needs an admin's attention, the most urgent first. */
export async function concernsOf(deps: WebDeps): Promise<Concern[]> {
  const functions = await functionConcerns(deps);
  return [
    ...clusterConcerns(deps),
    ...canaryConcerns(deps),
    ...encryptionConcerns(deps),
    ...functions,
    ...leakConcerns(deps),
    ...keyConcerns(deps),
    ...dueConcerns(deps),
    ...deps.sandboxWarnings.map((what) => ({ what })),
  ];
}

export function Attention({ concerns }: { concerns: readonly Concern[] }) {
  if (concerns.length === 0) return null;
  return (
    <section aria-labelledby="attention" class="attention">
      <h2 id="attention">Needs attention</h2>
      <ul>
        {concerns.map(({ what, message, picture, action, more }) => (
          <li>
            <Icon name="triangle-alert" />
            <div class="concern">
              <p>{what}</p>
              {message && <p class="message">{message.slice(0, ERROR_MAX_LENGTH)}</p>}
            </div>
            {picture}
            <div class="actions">
              {more && <a href={more.href}>{more.label}</a>}
              {action && (
                <ButtonLink href={action.href} kind="secondary" isSmall>
                  {action.label}
                  {action.of && <span class="visually-hidden">{action.of}</span>}
                </ButtonLink>
              )}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function clusterConcerns({ cluster }: WebDeps): Concern[] {
  const { mode, nodes, problem } = cluster();
  const away = nodes.filter(({ live }) => live === false).length;
  const page = { href: "/web/cluster", label: "Open Cluster" };
  return [
    ...(problem ? [{ what: problem.message, action: page }] : []),
    ...(mode === "cluster" && away > 0
      ? [{ what: `${plural(away, "node")} of the cluster ${away === 1 ? "does" : "do"} not serve.`, action: page }]
      : []),
  ];
}

/** Returns the canaries that were read or sent out within the last day. */
function canaryConcerns({ audit, now }: WebDeps): Concern[] {
  const filter = { action: "secret.canary", from: now() - DAY_MS };
  const { entries } = audit.list(filter, Number.MAX_SAFE_INTEGER, LEAKS_MAX);
  const names = [...new Set(entries.map(({ subjectName }) => subjectName).filter((name) => name !== ""))];
  const concerns = names.map((name) => ({
    what: (
      <>
        The canary <code>{name}</code> was read within the last day.
      </>
    ),
    action: { href: "/web/audit?action=secret.canary", label: "By whom" },
  }));
  return fewOf(concerns, "more canaries were read");
}

/** Returns the keys that expired lately or will soon, without those that were made for a short time. */
function keyConcerns({ access, now }: WebDeps): Concern[] {
  const at = now();
  const lifeMs = SOON_DAYS * DAY_MS;
  const keys = access.expiring({ from: at - lifeMs, before: at + lifeMs, lifeMs }, KEYS_MAX);
  const concerns = keys.map(({ id, groupName, name, expiresAt }) => ({
    what: (
      <>
        The API key <a href={`/web/keys/${id}`}>{groupName}/{name}</a> {expiresAt! <= at ? "expired" : "expires"}{" "}
        <Ago ms={expiresAt!} now={at} />
        {expiresAt! <= at ? ": its callers are refused." : "."}
      </>
    ),
    action: { href: `/web/keys/${id}#details`, label: "Change", of: ` the expiry of ${name}` },
  }));
  return fewOf(concerns, "or more other API keys expire");
}

/** Of calls, in a picture. */
const HOURS_SHOWN = 24;
/** How many overdue secrets are named, the one that is due longest first. */
const OVERDUE_NAMED = 3;

function dueConcerns({ secrets, now }: WebDeps): Concern[] {
  const at = now();
  const overdue = secrets.countDue(at);
  if (overdue === 0) return [];
  const { secrets: longest } = secrets.due(at, {}, undefined, OVERDUE_NAMED);
  return [{
    what: (
      <>
        {plural(overdue, "secret")} {overdue === 1 ? "is" : "are"} expired or overdue:{" "}
        {longest.map(({ name, dueAt }, index) => (
          <>
            {index > 0 && ", "}
            <a href={namePath(name)}>{name}</a> (<Ago ms={dueAt!} now={at} />)
          </>
        ))}
        {overdue > longest.length && ", …"}
      </>
    ),
    action: { href: "/web/secrets/due", label: "Replace them" },
  }];
}

function encryptionConcerns({ rotation, now }: WebDeps): Concern[] {
  const { missingVersions, nextRotationAt, progress } = rotation.status();
  const { damaged } = rotation.keys();
  const concerns: Child[] = missingVersions.map(({ version, values }) =>
    `${plural(values, "value")} cannot be read: encryption key version ${version} is missing.`
  );
  if (damaged > 0) concerns.push(`${plural(damaged, "value")} in the database cannot be read.`);
  const { last } = rotation;
  if (last && "failure" in last) concerns.push("The last key rotation failed.");
  else if (last && missingVersions.length === 0 && damaged === 0 && last.outcome.unreadable.values > 0) {
    concerns.push(`${plural(last.outcome.unreadable.values, "value")} could not be read by the last rotation.`);
  }
  // The server checks hourly whether a rotation is due.
  if (!progress && nextRotationAt < now() - DAY_MS) {
    concerns.push(
      <>
        The rotation of the encryption keys has been due since <Time ms={nextRotationAt} />.
      </>,
    );
  }
  return concerns.map((what) => ({ what, action: ENCRYPTION }));
}

async function functionConcerns(deps: WebDeps): Promise<Concern[]> {
  const { registry, conditions, suspended, health } = deps;
  const found = await conditions.broken((after, limit) => registry.list(after, limit));
  const broken = found.map(({ entry, reason }) => ({
    what: (
      <>
        <FunctionLink {...entry} /> is broken: calls get 500.
      </>
    ),
    message: reason,
    action: { href: `/web/functions/${entry.id}`, label: "Fix", of: entry.name },
  }));
  const suspendedOnes = suspended().map((id) => {
    const entry = registry.get(id);
    return {
      what: (
        <>
          <FunctionLink {...entry} /> is suspended because its processes kept ending: calls get 503.
        </>
      ),
      message: health(id).lastDeath,
      action: { href: `/web/functions/${id}`, label: "Fix", of: entry.name },
    };
  });
  return [
    ...fewOf(broken, "more functions are broken"),
    ...fewOf(suspendedOnes, "more functions are suspended"),
    ...fewOf(await failingConcerns(deps), "or more other functions failed"),
  ];
}

async function failingConcerns({ registry, metrics, allLogs, now }: WebDeps): Promise<Concern[]> {
  const most = metrics.failing(now() - HOUR_MS, NAMED_MAX + 1);
  const hours = metrics.hoursOf(most.map(({ functionId }) => functionId), HOURS_SHOWN);
  const concerns = await Promise.all(most.map(async ({ functionId, calls, failures }): Promise<Concern[]> => {
    const entry = named(functionId, registry);
    if (!entry) return [];
    const [last] = (await allLogs.list({ functionId, level: "error" }, { limit: 1, cursor: undefined })).entries;
    return [{
      what: (
        <>
          <FunctionLink {...entry} /> failed in {count(failures)} of {plural(calls, "call")} within the last hour.
        </>
      ),
      message: last?.message,
      picture: <Sparkline hours={hours.get(functionId)!} />,
      ...(last?.requestId && { more: { href: requestPath(last.requestId), label: "Last request" } }),
      action: { href: `/web/functions/${functionId}/logs?level=error`, label: "Errors", of: `of ${entry.name}` },
    }];
  }));
  return concerns.flat();
}

/** Returns the functions whose responses contained secrets within the last day. */
function leakConcerns({ audit, registry, now }: WebDeps): Concern[] {
  const { entries } = audit.list({ action: "response.*", from: now() - DAY_MS }, Number.MAX_SAFE_INTEGER, LEAKS_MAX);
  const byFunction = Map.groupBy(entries, ({ subjectId, subjectName }) => subjectId ?? subjectName);
  const leaks = [...byFunction.values()].map(([latest]) => {
    const { action, subjectId, subjectName, at } = latest!;
    const entry = named(Number(subjectId) as FunctionId, registry);
    const subject = subjectId === null ? subjectName : `function:${subjectId}`;
    const query = new URLSearchParams({ action: "response.*", ...(subject && { subject }) });
    return {
      what: (
        <>
          {entry ? <FunctionLink {...entry} /> : subjectName || "Functions"}{" "}
          {action === "response.blocked" ? "had a response withheld" : "sent a response"} with a secret in it, last{" "}
          <Ago ms={at} now={now()} />.
        </>
      ),
      action: { href: `/web/audit?${query}`, label: "What was found", ...(entry && { of: `in ${entry.name}` }) },
    };
  });
  return fewOf(leaks, "more functions sent secrets");
}

function fewOf(concerns: readonly Concern[], rest: string): Concern[] {
  const others = concerns.length - NAMED_MAX;
  return others <= 0 ? [...concerns] : [...concerns.slice(0, NAMED_MAX), { what: `${count(others)} ${rest}.` }];
}

/** Returns the function; undefined if it was deleted. */
function named(id: FunctionId, registry: WebDeps["registry"]): RegisteredFunction | undefined {
  const [entry] = id > 0 ? registry.list(id - 1, 1) : [];
  return entry?.id === id ? entry : undefined;
}

function FunctionLink({ id, name }: Pick<RegisteredFunction, "id" | "name">) {
  return <a href={`/web/functions/${id}`}>{name}</a>;
}
