// What pages show in the place of a form for a row that something other than this program has written: the server
// refuses to change it.

import { Badge } from "./components.tsx";

/** Marks such a row in a list. */
export function AlteredBadge() {
  return <Badge kind="bad">altered</Badge>;
}

export function Altered({ what, effect, remove }: {
  /** Such as "key". */
  what: string;
  /** What it means, in a sentence. */
  effect: string;
  /** Where it is deleted; undefined for what cannot be. */
  remove: { readonly href: string; readonly label: string } | undefined;
}) {
  return (
    <div class="warning">
      <p>
        <AlteredBadge /> Something other than this server has written to this {what} in the database. {effect}
      </p>
      <p>
        It can no longer be changed. {remove
          ? (
            <>
              <a href={remove.href}>{remove.label}</a> and create it again, or restore a backup.
            </>
          )
          : "Restore a backup."}
      </p>
    </div>
  );
}
