// Implements the part of a form that shows a conflict: another user saved a change after the form was opened.

import { DataTable } from "./data_table.tsx";
import type { Version } from "../../../versions.ts";

/** The problem of a page that asks whether to delete something which has changed. */
export const CHANGED = "Another user changed this after you opened the page. Nothing was deleted. Check it again.";

/** A field's value as the form shows it: a text, or the entries of a list. */
export type FieldValue = string | readonly string[];

export interface Difference {
  readonly label: string;
  readonly theirs: string;
  readonly mine: string;
}

/** Returns the fields that differ, in the order of `labels`. */
export function differences(
  labels: Readonly<Record<string, string>>,
  theirs: Readonly<Record<string, FieldValue>>,
  mine: Readonly<Record<string, FieldValue>>,
): Difference[] {
  return Object.entries(labels).map(([field, label]) => ({
    label,
    theirs: textOf(theirs[field]),
    mine: textOf(mine[field]),
  })).filter(({ theirs, mine }) => theirs !== mine);
}

function textOf(value: FieldValue | undefined): string {
  return typeof value === "string" ? value : (value ?? []).join(", ");
}

/** The hidden field of a form with the version that it was filled from. */
export function VersionField({ version }: { version: Version }) {
  return <input type="hidden" name="version" value={version} autocomplete="off" />;
}

/** The notice above a form that holds the typed values and the stored version. `reload` is the page without them. */
export function Conflict({ differences, reload }: { differences: readonly Difference[]; reload: string }) {
  return (
    <section class="problems conflict" role="alert" tabindex={-1} data-focus aria-labelledby="conflict-heading">
      <h2 id="conflict-heading">Another user changed this while you edited it</h2>
      <p>
        Nothing was saved. The form below contains your values. Save again to replace theirs, or{" "}
        <a href={reload}>discard yours</a>.
      </p>
      {differences.length === 0 ? <p>Your values equal the stored ones.</p> : (
        <DataTable
          label="Differences"
          isStacked
          rows={differences}
          columns={[
            { label: "Field", isRowHeader: true, cell: ({ label }) => label },
            { label: "Stored now", class: "typed", cell: ({ theirs }) => theirs === "" ? <i>empty</i> : theirs },
            { label: "Yours", class: "typed", cell: ({ mine }) => mine === "" ? <i>empty</i> : mine },
          ]}
        />
      )}
    </section>
  );
}
