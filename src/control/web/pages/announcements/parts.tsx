// Implements what the pages of webhooks and of mail share: the events to check, and the deliveries.

import { ANNOUNCEMENT_TYPES, type AnnouncementType, TYPES } from "../../../../core/announcements/events.ts";
import type { DeliveryRow } from "../../../../store/deliveries.ts";
import { deliveryState } from "../../../inputs/deliveries.ts";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { Ago, Badge } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { FieldSet } from "../../ui/fields.tsx";

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
          <input type="checkbox" name={type} value="yes" checked={events.includes(type)} /> <code>{type}</code>{" "}
          <span class="quiet">· {ANNOUNCEMENT_TYPES[type]}</span>
        </label>
      ))}
    </FieldSet>
  );
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
        { label: "State", cell: (row) => <State row={row} /> },
        { label: "Attempts", isFigure: true, cell: ({ attempts }) => String(attempts) },
        { label: "Problem", cell: ({ problem }) => problem ?? "–" },
      ]}
    />
  );
}
