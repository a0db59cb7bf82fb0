// Implements the warning that replaces the form of a row which another program has written: the server refuses to
// change such a row.

import { Badge } from "./components.tsx";

/** The mark of such a row in a list. */
export function AlteredBadge() {
  return <Badge kind="bad">altered</Badge>;
}

export function Altered({ what, effect, remove }: {
  /** What the row holds, such as "key". */
  what: string;
  /** The consequence, as a sentence. */
  effect: string;
  /** The page that deletes it; undefined if it cannot be deleted. */
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
