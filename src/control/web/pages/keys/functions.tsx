// Shows which functions a key opens, with the way to the secrets that a call of each gets with it.

import type { ListedKey } from "../../../../core/access/listing.ts";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { Badge, ButtonLink } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";

export const FUNCTIONS_LISTED = 20;

export function KeyFunctions({ keyRow: key, functions, manages }: {
  keyRow: ListedKey;
  /** One more than are listed, if there are more. */
  functions: readonly RegisteredFunction[];
  /** Whether the key may use the API. */
  manages: boolean;
}) {
  const groupPath = `/web/keys/groups/${key.groupId}`;
  return (
    <>
      {manages && (
        <p>
          <Badge kind="warn">manages this server</Badge> It can use the API.
        </p>
      )}
      {functions.length === 0 && (
        <p class="quiet">
          None requires a key of <a href={groupPath}>{key.groupName}</a>. Public functions ignore keys.
        </p>
      )}
      {functions.length > 0 && (
        <DataTable
          label="Functions that the key opens"
          isStacked
          rows={functions.slice(0, FUNCTIONS_LISTED)}
          columns={[
            {
              label: "Name",
              isRowHeader: true,
              cell: ({ id, name, enabled }) => (
                <>
                  <a href={`/web/functions/${id}`}>{name}</a> {!enabled && <Badge kind="off">disabled</Badge>}
                </>
              ),
            },
            { label: "Route", cell: ({ route }) => <code>/run{route}</code> },
            {
              label: "Actions",
              isActions: true,
              cell: ({ id, name }) => (
                <>
                  <ButtonLink
                    href={`/web/secrets/resolve?functionId=${id}&keyId=${key.id}`}
                    kind="quiet"
                    isSmall
                    label={`Secrets with this key of ${name}`}
                  >
                    Secrets with this key
                  </ButtonLink>
                  <ButtonLink href={`/web/functions/${id}/logs`} kind="quiet" isSmall label={`Log of ${name}`}>
                    Log
                  </ButtonLink>
                </>
              ),
            },
          ]}
        />
      )}
      {functions.length > FUNCTIONS_LISTED && <p class="quiet">The first {FUNCTIONS_LISTED} are listed.</p>}
    </>
  );
}
