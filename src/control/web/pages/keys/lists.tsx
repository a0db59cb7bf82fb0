// Implements the table of keys, and the facts about keys and groups that several pages show.

import type { Context } from "hono";
import type { GroupId, KeyId } from "../../../../ids.ts";
import type { KeyOrder, ListedKey } from "../../../../core/access/listing.ts";
import type { GroupSummary } from "../../../../store/access.ts";
import { AlteredBadge } from "../../ui/altered.tsx";
import { Ago, Badge, Button, ButtonLink, Empty, Fact, Facts, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { count, plural } from "../../ui/format.ts";
import { Expiry } from "./expiry.tsx";
import { type ListedOrder, orderOf } from "./order.ts";

export const KEYS_PER_PAGE = 50;
/** Shows the keys that were selected in a list, to revoke them. */
export const SELECTED = "/web/keys/selected";

/** The numbers of a group's page. */
export function GroupFacts({ group: { id, keys, functions, secrets }, managing }: {
  group: GroupSummary;
  /** Whether its keys may use the API. */
  managing: boolean;
}) {
  return (
    <>
      {managing && (
        <p>
          <Badge kind="warn">manages this server</Badge>
        </p>
      )}
      <Facts>
        <Fact term="Keys">{count(keys)}</Fact>
        <Fact term="Functions that require it">{count(functions)}</Fact>
        <Fact term="Secrets of its own">
          {secrets === 0 ? "none" : <a href={secretsOfGroup(id)}>{plural(secrets, "secret")}</a>}
        </Fact>
      </Facts>
    </>
  );
}

/** One page of the list of a group's keys. */
export function KeysOfGroup({ c, deps, groupId }: { c: Context<WebEnv>; deps: WebDeps; groupId: GroupId }) {
  const listed = orderOf((name) => c.req.query(name), `/web/keys/groups/${groupId}`, {});
  const { keys, next } = deps.access.orderedKeys({ groupId }, listed.order, listed.skip, KEYS_PER_PAGE);
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
      <KeyTable label="Keys" keys={keys} deps={deps} sort={listed.heading} />
      <Pager next={listed.next(next)} what="keys" />
    </>
  );
}

/** Keys, each with a box to check, and the button that leads to revoking the checked ones. */
export function KeyTable({ label, keys, deps: { access, now, isAltered }, sort, withGroup = false }: {
  label: string;
  keys: readonly ListedKey[];
  deps: WebDeps;
  /** Where the headings lead that sort a list of all; the newest few of a group are not sorted. */
  sort?: ListedOrder["heading"];
  withGroup?: boolean;
}) {
  const by = (column: KeyOrder["by"]) => sort && { sort: sort(column) };
  return (
    <form method="get" action={SELECTED} class="key-list">
      <DataTable
        label={label}
        class="keys"
        isStacked
        rows={keys}
        columns={[
          {
            label: "Name",
            ...by("name"),
            isRowHeader: true,
            cell: ({ id, name, description }) => (
              <>
                <input type="checkbox" name="id" value={String(id)} aria-label={`Select ${name}`} />{" "}
                <a href={`/web/keys/${id}`}>{name}</a> {isAltered("api_keys", id) && <AlteredBadge />}
                {description && <small class="hint">{description}</small>}
              </>
            ),
          },
          withGroup && { label: "Group", cell: ({ groupName }) => groupName },
          {
            label: "Value",
            cell: (key) => (
              <>
                <Preview preview={access.preview(key)} />{" "}
                {access.rolling.previousUntil(key) !== null && <Badge kind="plain">and the previous one</Badge>}
              </>
            ),
          },
          { label: "Last used", ...by("used"), cell: ({ lastUsedAt }) => <LastUsed at={lastUsedAt} now={now()} /> },
          { label: "Expires", ...by("expires"), cell: ({ expiresAt }) => <Expiry at={expiresAt} now={now()} /> },
          { label: "Created", ...by("created"), cell: ({ createdAt }) => <Ago ms={createdAt} now={now()} /> },
          {
            label: "Secrets",
            isFigure: true,
            cell: ({ id, name, secrets }) =>
              secrets === 0
                ? <span class="quiet">0</span>
                : <a href={secretsOf(id)} aria-label={`${plural(secrets, "secret")} of ${name}`}>{count(secrets)}</a>,
          },
          {
            label: "Actions",
            isActions: true,
            cell: ({ id, name }) => (
              <ButtonLink href={`/web/keys/${id}/revoke`} kind="quiet" isSmall label={`Revoke ${name}`}>
                Revoke
              </ButtonLink>
            ),
          },
        ]}
      />
      <p class="selection">
        <Button kind="secondary">Revoke the selected …</Button>
      </p>
    </form>
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

export function secretsOfGroup(id: GroupId): string {
  return `/web/secrets?scope=group&groupId=${id}`;
}
