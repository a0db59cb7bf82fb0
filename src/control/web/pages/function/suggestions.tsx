// Implements the page with what a function is proposed to be allowed, next to what it may do, and applies it.

import type { Context } from "hono";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { Permissions } from "../../../../core/functions/permissions.ts";
import { OTHER_HOSTS } from "../../../../store/connected_hosts.ts";
import { invalid } from "../../../../errors.ts";
import type { Version } from "../../../../versions.ts";
import type { Suggestion } from "../../../suggestions.ts";
import { functionChange, permissionsOf } from "../../../inputs/function_schemas.ts";
import { SUGGESTION_DAYS } from "../../../inputs/suggestion_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Empty, Time } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { count, limitText, plural } from "../../ui/format.ts";
import { LABELS } from "../functions/form_values.ts";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { functionOf } from "./tabs.tsx";

/** What is applied is what the page showed, not what would be proposed by then. */
export function addSuggestions(web: Web, deps: WebDeps): void {
  formRoute(web, {
    path: `${LIST_PATH}/:id{[^/]+}/suggestions`,
    subject: (c) => functionOf(c, deps),
    initial: () => "",
    read: (typed) => reviewed(typed),
    schema: (proposal) => {
      if (proposal === "") throw invalid("", "Check at least one proposal.");
      return functionChange.parse(jsonOf(proposal));
    },
    act: ({ actor, subject, input, expected }) =>
      deps.commit(() => deps.registry.update(actor, subject.id, input, expected)),
    page: (c, { subject, problems, status }) => suggestionPage(c, deps, subject, problems, status),
    then: (saved) => ({ to: `${pathOf(saved.id)}/suggestions`, notice: noticeOf(saved) }),
  });
}

function noticeOf({ name, trial }: RegisteredFunction): string {
  if (trial) return `Narrower rights of ${name} are on trial. Its log says what they would refuse.`;
  return `Saved what ${name} may do.`;
}

/** Returns the proposal without what was not checked, "" if nothing was; a trial that ends has no boxes. */
function reviewed(typed: Typed): string {
  const text = fieldText(typed, "proposal");
  const proposal = jsonOf(text);
  if (typed["review"] === undefined || typeof proposal !== "object" || proposal === null) return text;
  if (typed["part"] === undefined) return "";
  const isChosen = ([part]: [string, unknown]) => part === "trial" || (typed["part"] ?? []).includes(part);
  const chosen = Object.entries(proposal).filter(isChosen).map(([part, value]) => {
    if (part !== "trial" || value === null) return [part, value];
    return [part, Object.fromEntries(Object.entries(value).filter(isChosen))];
  });
  return JSON.stringify(Object.fromEntries(chosen));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function suggestionPage(
  c: Context<WebEnv>,
  { suggestions, settings, registry }: WebDeps,
  entry: RegisteredFunction,
  problems: Problems | undefined,
  status: Parameters<typeof page>[2],
) {
  const found = suggestions.of(entry.id, SUGGESTION_DAYS);
  const defaults = { timeoutMs: settings.get("sandbox.timeout-ms"), memoryMb: settings.get("sandbox.memory-mb") };
  const version = registry.version(entry);
  const trial = trialOf(entry, found);
  const rows = rowsOf(entry, found, defaults);
  const isNarrower = rows.some(({ now, proposed }) => now !== proposed);
  return page(c, {
    title: `What ${entry.name} needs`,
    trail: [[pathOf(entry.id), entry.name], [`${pathOf(entry.id)}/settings`, "Settings"]],
    styles: ["functions.css"],
    children: (
      <>
        <p>
          From {plural(found.calls, "call")} since{" "}
          <Time ms={found.since} />. A proposal says what was not used, not what is harmless, and does not know what
          happens rarely.
        </p>
        <ProblemSummary problems={problems} labels={{}} />
        {!isNarrower && <Comparison rows={rows} />}
        <Connections found={found} />
        {entry.trial && <OnTrial entry={entry} version={version} />}
        {isNarrower
          ? (
            <form method="post" action={`${pathOf(entry.id)}/suggestions`}>
              <FormToken />
              <VersionField version={version} />
              <input type="hidden" name="review" value="yes" />
              <Comparison rows={rows} isReview />
              <p>
                {found.wouldHaveFailed === 0
                  ? "None of these calls would have failed."
                  : `${count(found.wouldHaveFailed)} of these calls would have taken too long.`}{" "}
                Names that it asked for without getting a value are not in the proposal.
              </p>
              <div class="choices">
                <Choice label="Apply" change={{ ...changeOf(found), trial: null }} />
                {trial && !entry.trial && <Choice label="Try it first" change={{ trial }} />}
              </div>
            </form>
          )
          : <Empty>{found.calls === 0 ? "It was not called." : "It uses all that it may do."}</Empty>}
      </>
    ),
  }, status);
}

type ComparedRow = ReturnType<typeof rowsOf>[number];

/** What it may do next to what is proposed; for a review with a box for each proposal that changes something. */
function Comparison({ rows, isReview = false }: { rows: readonly ComparedRow[]; isReview?: boolean }) {
  return (
    <DataTable
      label="What it may do, and what it needs"
      isStacked
      columns={[
        isReview && {
          label: "Change",
          isLabelHidden: true,
          cell: ({ part, label, now, proposed }: ComparedRow) =>
            now !== proposed && (
              <input type="checkbox" name="part" value={part} checked aria-label={`Change ${label}`} />
            ),
        },
        { label: "Setting", isRowHeader: true, cell: ({ label }) => label },
        { label: "Now", cell: ({ now }) => now },
        { label: "Proposed", cell: ({ now, proposed }) => now === proposed ? "the same" : proposed },
        { label: "Why", cell: ({ why }) => <span class="quiet">{why}</span> },
      ]}
      rows={rows}
    />
  );
}

/** The trial of narrower rights, and a form that ends it. */
function OnTrial({ entry, version }: { entry: RegisteredFunction; version: Version }) {
  const { id, trial } = entry;
  return (
    <form method="post" action={`${pathOf(id)}/suggestions`}>
      <FormToken />
      <VersionField version={version} />
      <p>
        {trial!.secrets && <>On trial are only these secrets: {names(trial!.secrets)}.{" "}</>}
        {trial!.permissions && <>On trial are only these hosts: {hosts(trial!.permissions)}.{" "}</>}
        Nothing is refused; <a href={`${pathOf(id)}/logs`}>the log</a> says what would be.
      </p>
      <Choice label="End the trial" change={{ trial: null }} />
    </form>
  );
}

/** A button that sends a change. */
function Choice({ label, change }: { label: string; change: object }) {
  return (
    <button type="submit" name="proposal" value={JSON.stringify(change)} class={label === "Apply" ? "" : "secondary"}>
      {label}
    </button>
  );
}

function changeOf({ secrets, permissions, memoryMb, timeoutMs }: Suggestion) {
  return { secrets, permissions: permissionsOf(permissions), memoryMb, timeoutMs };
}

function names(secrets: readonly string[]): string {
  return secrets.length === 0 ? "none" : secrets.join(", ");
}

/** Returns what of a proposal can be on trial. */
function trialOf(entry: RegisteredFunction, { secrets, permissions }: Suggestion): object | undefined {
  const isNarrower = [
    names(secrets) !== names(entry.secrets),
    hosts(permissions) !== hosts(entry.permissions),
  ];
  if (!isNarrower.includes(true)) return undefined;
  return { ...(isNarrower[0] && { secrets }), ...(isNarrower[1] && { permissions: permissionsOf(permissions) }) };
}

function hosts({ net }: Permissions): string {
  return net === true ? "any" : net === false ? "none" : net.join(", ");
}

/** The hosts that the function connected to. */
function Connections({ found: { connections, calls } }: { found: Suggestion }) {
  if (!connections) {
    return calls === 0
      ? null
      : <p class="hint">It is not known to which hosts it connected, so that no list of hosts is proposed.</p>;
  }
  if (connections.length === 0) return <p class="hint">It connected to no host.</p>;
  return (
    <>
      <DataTable
        label="The hosts it connected to"
        columns={[
          {
            label: "Host",
            isRowHeader: true,
            cell: ({ host }) => host === OTHER_HOSTS ? "Others" : <code>{host}</code>,
          },
          { label: "Checks", cell: ({ checks }) => count(checks) },
          { label: "Last day", cell: ({ lastDay }) => <Time ms={lastDay} /> },
          { label: "Proposed", cell: ({ proposed }) => proposed ? "Yes" : "No" },
        ]}
        rows={connections}
      />
      <p class="hint">
        From the checks of its permissions: two or more for most connections. A name server is not proposed, as names on
        a list are looked up for it.
        {connections.some(({ host }) => host === OTHER_HOSTS) &&
          " Others are names that cannot be listed, that contain a secret, or beyond 100 on a day; no list is proposed then."}
      </p>
    </>
  );
}

function rowsOf(entry: RegisteredFunction, found: Suggestion, defaults: { timeoutMs: number; memoryMb: number }) {
  const row = (part: string, label: string, now: string, proposed: string, why: string) => ({
    part,
    label,
    now,
    proposed,
    why,
  });
  const memory = (mb: number | null) => `${count(mb ?? defaults.memoryMb)} MB`;
  const time = (ms: number | null) => limitText(ms ?? defaults.timeoutMs);
  return [
    row("secrets", LABELS.secrets, names(entry.secrets), names(found.secrets), "The names whose values its calls got."),
    row(
      "permissions",
      "Hosts it may connect to",
      hosts(entry.permissions),
      hosts(found.permissions),
      "The hosts that it connected to.",
    ),
    row(
      "memoryMb",
      LABELS.memoryMb,
      memory(entry.memoryMb),
      memory(found.memoryMb),
      "The most that its processes used, and a reserve.",
    ),
    row(
      "timeoutMs",
      LABELS.timeoutMs,
      time(entry.timeoutMs),
      time(found.timeoutMs),
      "What its longest calls took, and a reserve.",
    ),
  ];
}
