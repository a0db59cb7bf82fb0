// Implements the table of keys, and the facts about keys and groups that several pages show.

import type { Context } from "hono";
import type { GroupId, KeyId } from "../../../../ids.ts";
import type { ListedKey } from "../../../../core/access/listing.ts";
import type { GroupSummary } from "../../../../store/access.ts";
import { AlteredBadge } from "../../ui/altered.tsx";
import { Ago, Badge, Empty, Pager, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { parsePositiveInt, plural } from "../../ui/format.ts";

export const KEYS_PER_PAGE = 50;

/** A line about a group: whether it manages the server, and its functions and secrets. */
export function GroupFacts({ group: { id, functions, secrets }, managing }: {
  group: GroupSummary;
  /** Whether its keys may use the API. */
  managing: boolean;
}) {
  return (
    <p class="quiet">
      {managing && (
        <>
          <Badge kind="warn">manages this server</Badge>
          {" "}
        </>
      )}
      {functions === 0
        ? "No function requires it"
        : `${plural(functions, "function")} ${functions === 1 ? "requires" : "require"} it`}
      {" · "}
      {secrets === 0
        ? "no secrets of its own"
        : <a href={`/web/secrets?scope=group&groupId=${id}`}>{plural(secrets, "secret")} of this group</a>}
    </p>
  );
}

/** One page of the list of a group's keys. */
export function KeysOfGroup({ c, deps, groupId }: { c: Context<WebEnv>; deps: WebDeps; groupId: GroupId }) {
  const before = parsePositiveInt(c.req.query("before")) || undefined;
  const { keys, next } = deps.access.keyPage({ groupId }, before, KEYS_PER_PAGE);
  if (keys.length === 0) {
    return (
      <Empty>
        <p>
          No key yet. <a href={`/web/keys/new?group=${groupId}`}>Create the first one</a>
        </p>
      </Empty>
    );
  }
  return (
    <>
      <KeyTable label="Keys" keys={keys} deps={deps} />
      <Pager next={next && `/web/keys/groups/${groupId}?before=${next}`} what="keys" />
    </>
  );
}

export function KeyTable({ label, keys, deps: { access, now, isAltered }, withGroup = false }: {
  label: string;
  keys: readonly ListedKey[];
  deps: WebDeps;
  withGroup?: boolean;
}) {
  return (
    <DataTable
      label={label}
      class="keys"
      isStacked
      rows={keys}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          cell: ({ id, name, description }) => (
            <>
              <a href={`/web/keys/${id}`}>{name}</a> {isAltered("api_keys", id) && <AlteredBadge />}
              {description && <small class="hint">{description}</small>}
            </>
          ),
        },
        withGroup && { label: "Group", cell: ({ groupName }) => groupName },
        { label: "Value", cell: (key) => <Preview preview={access.preview(key)} /> },
        { label: "Created", cell: ({ createdAt }) => <Time ms={createdAt} /> },
        { label: "Last used", cell: ({ lastUsedAt }) => <LastUsed at={lastUsedAt} now={now()} /> },
        {
          label: "Secrets",
          cell: ({ id, name, secrets }) =>
            secrets === 0
              ? <span class="quiet">none</span>
              : (
                <a href={secretsOf(id)} aria-label={`${plural(secrets, "secret")} of ${name}`}>
                  {plural(secrets, "secret")}
                </a>
              ),
        },
        {
          label: "Actions",
          isLabelHidden: true,
          cell: ({ id, name }) => <a href={`/web/keys/${id}/revoke`} aria-label={`Revoke ${name}`}>Revoke</a>,
        },
      ]}
    />
  );
}

/** The end of a key's value, which helps people to recognize the key. */
export function Preview({ preview }: { preview: string | null }) {
  return preview === null ? <Badge kind="bad">cannot be read</Badge> : <code>{preview}</code>;
}

export function LastUsed({ at, now }: { at: number | null; now: number }) {
  return at === null ? <span class="quiet">never</span> : <Ago ms={at} now={now} />;
}

export function secretsOf(id: KeyId): string {
  return `/web/secrets?scope=key&keyId=${id}`;
}
