// Implements what the pages of webhooks and of mail share: the events to check, and the deliveries.

import type { Context } from "hono";
import type { AdminActor, Origin } from "../../../../actor.ts";
import type { ExpectedVersions, Version } from "../../../../versions.ts";
import { ANNOUNCEMENT_TYPES, type AnnouncementType, TYPES } from "../../../../core/announcements/events.ts";
import type { DeliveryRow } from "../../../../store/deliveries.ts";
import { deliveryState } from "../../../inputs/deliveries.ts";
import type { Web, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Ago, Badge, FormActions, PostButton, Time } from "../../ui/components.tsx";
import { CHANGED, VersionField } from "../../ui/conflict.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { FieldSet, ProblemSummary } from "../../ui/fields.tsx";

export const PATH = "/web/announcements";

/** Returns the events that are checked in a posted form. */
export function eventsIn(typed: Typed): AnnouncementType[] {
  return TYPES.filter((type) => fieldText(typed, type) === "yes");
}

/** A box for each event. */
export function EventBoxes({ events, problems }: { events: readonly string[]; problems: Problems | undefined }) {
  return (
    <FieldSet name="events" label="Events" problems={problems}>
      {TYPES.map((type) => (
        <label>
          <input type="checkbox" name={type} value="yes" checked={events.includes(type)} />{" "}
          <span>
            {sentence(ANNOUNCEMENT_TYPES[type])} <code class="quiet">{type}</code>
          </span>
        </label>
      ))}
    </FieldSet>
  );
}

function sentence(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

/** The events of a receiver in a list. */
export function Events({ events }: { events: readonly string[] }) {
  return <>{events.length === TYPES.length ? `all ${TYPES.length}` : events.join(", ")}</>;
}

/** The button of a row that sends a test, and then shows what came of it. */
export function TestButton({ path, to }: { path: string; to: string }) {
  return <PostButton action={`${path}/test`} label="Test" kind="quiet" isSmall describe={`the delivery to ${to}`} />;
}

/** What is deleted by a page that asks first. */
export interface Deletion<Subject> {
  readonly path: string;
  /** @throws AppError NotFound (404) */
  readonly subject: (c: Context<WebEnv>) => Subject;
  /** Undefined of an altered row, which has none. */
  readonly version: (subject: Subject) => Version | undefined;
  /** What is asked. */
  readonly title: (subject: Subject) => string;
  readonly effect: string;
  readonly submit: string;
  readonly back: (subject: Subject) => string;
  readonly act: (actor: AdminActor & Origin, subject: Subject, expected: ExpectedVersions) => Promise<void>;
  readonly notice: string;
}

/** Adds the page that deletes a thing, unless it was changed after the page was opened. */
export function addDeletion<Subject>(web: Web, deletion: Deletion<Subject>): void {
  const { path, subject, version, title, effect, submit, back, act, notice } = deletion;
  formRoute(web, {
    path,
    subject,
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject, expected }) => act(actor, subject, expected),
    page: (c, { subject, problems, status }) =>
      page(c, {
        title: title(subject),
        children: (
          <form method="post" class="narrow">
            <FormToken />
            <VersionField version={version(subject) ?? ""} />
            <ProblemSummary problems={status === 412 ? { "": CHANGED } : problems} labels={{}} />
            <p>{effect}</p>
            <FormActions submit={submit} kind="danger" cancel={back(subject)} cancelLabel="Keep it" />
          </form>
        ),
      }, status),
    then: () => ({ to: PATH, notice }),
  });
}

export function Last({ row, now }: { row: DeliveryRow | undefined; now: number }) {
  if (!row) return <>none</>;
  return (
    <>
      <State row={row} /> <Ago ms={row.triedAt ?? row.createdAt} now={now} />
    </>
  );
}

function State({ row }: { row: DeliveryRow }) {
  const state = deliveryState(row);
  const kind = state === "delivered" ? "ok" : state === "failed" ? "bad" : row.problem === null ? "plain" : "warn";
  return <Badge kind={kind}>{state}</Badge>;
}

/** `isMail`: each has an address. */
export function Deliveries({ rows, now, isMail = false }: {
  rows: readonly DeliveryRow[];
  now: number;
  isMail?: boolean;
}) {
  if (rows.length === 0) return <p class="quiet">Nothing was sent yet.</p>;
  return (
    <DataTable
      label="Last deliveries"
      isStacked
      rows={rows}
      columns={[
        { label: "Event", isRowHeader: true, cell: ({ type }) => type },
        ...isMail ? [{ label: "Address", cell: ({ recipient }: DeliveryRow) => recipient }] : [],
        { label: "When", cell: ({ createdAt }) => <Ago ms={createdAt} now={now} /> },
        {
          label: "State",
          cell: (row) => (
            <>
              <State row={row} />
              {row.nextAt !== null && row.attempts > 0 && (
                <small class="hint">
                  next try <Time ms={row.nextAt} />
                </small>
              )}
            </>
          ),
        },
        { label: "Answer", cell: ({ status }) => status === null ? "–" : <code>{status}</code> },
        { label: "Attempts", isFigure: true, cell: ({ attempts }) => String(attempts) },
        { label: "Problem", cell: ({ problem }) => problem ?? "–" },
      ]}
    />
  );
}
