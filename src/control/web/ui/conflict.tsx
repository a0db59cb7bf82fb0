// A form that somebody else's change came before: what is stored now beside what was typed.

import { DataTable } from "./data_table.tsx";
import type { Version } from "../../../versions.ts";

/** On a page that asks whether to delete something. */
export const CHANGED = "Somebody changed this since you opened the page. Nothing was deleted: look at it again.";

/** A field's value as the form shows it; several lines or entries of a list. */
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

/** Goes into a form that changes something: the version that the form was filled from. */
export function VersionField({ version }: { version: Version }) {
  return <input type="hidden" name="version" value={version} autocomplete="off" />;
}

/** Above the form, which holds what was typed and the version that is stored now. `reload` shows what is stored. */
export function Conflict({ differences, reload }: { differences: readonly Difference[]; reload: string }) {
  return (
    <section class="problems conflict" role="alert" tabindex={-1} data-focus aria-labelledby="conflict-heading">
      <h2 id="conflict-heading">Somebody changed this while you edited it</h2>
      <p>
        Nothing was saved. The form below holds your values: save again to replace theirs, or{" "}
        <a href={reload}>discard yours</a>.
      </p>
      {differences.length === 0 ? <p>No field differs from yours now.</p> : (
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
