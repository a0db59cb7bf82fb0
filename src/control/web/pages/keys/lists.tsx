// Keys and groups as they stand in lists: their rows, and what is told of each.

import type { Context } from "hono";
import type { GroupId, KeyId } from "../../../../ids.ts";
import type { ListedKey } from "../../../../core/access/listing.ts";
import type { GroupSummary } from "../../../../store/access.ts";
import { AlteredBadge } from "../../ui/altered.tsx";
import { Ago, Badge, Empty, Pager, Time } from "../../ui/components.tsx";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { plural, positive } from "../../ui/format.ts";

export const KEYS_PER_PAGE = 50;

/** What a group is for, and what belongs to it. */
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
        ? "no secret of its own"
        : <a href={`/web/secrets?scope=group&groupId=${id}`}>{plural(secrets, "secret")} of this group</a>}
    </p>
  );
}

/** The page of all keys of one group. */
export function KeysOfGroup({ c, deps, groupId }: { c: Context<WebEnv>; deps: WebDeps; groupId: GroupId }) {
  const before = positive(c.req.query("before")) || undefined;
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
    <div class="scroll" tabindex={0} role="region" aria-label={label}>
      <table class="keys stack">
        <thead>
          <tr>
            <th scope="col">Name</th>
            {withGroup && <th scope="col">Group</th>}
            <th scope="col">Value</th>
            <th scope="col">Created</th>
            <th scope="col">Last used</th>
            <th scope="col">Secrets</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <tr>
              <th scope="row">
                <a href={`/web/keys/${key.id}`}>{key.name}</a> {isAltered("api_keys", key.id) && <AlteredBadge />}
                {key.description && <small class="hint">{key.description}</small>}
              </th>
              {withGroup && <td data-label="Group">{key.groupName}</td>}
              <td data-label="Value">
                <Preview preview={access.preview(key)} />
              </td>
              <td data-label="Created">
                <Time ms={key.createdAt} />
              </td>
              <td data-label="Last used">
                <LastUsed at={key.lastUsedAt} now={now()} />
              </td>
              <td data-label="Secrets">
                {key.secrets === 0
                  ? <span class="quiet">none</span>
                  : (
                    <a href={secretsOf(key.id)} aria-label={`${plural(key.secrets, "secret")} of ${key.name}`}>
                      {plural(key.secrets, "secret")}
                    </a>
                  )}
              </td>
              <td>
                <a href={`/web/keys/${key.id}/revoke`} aria-label={`Revoke ${key.name}`}>Revoke</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The end of a key's value, by which people tell keys apart. */
export function Preview({ preview }: { preview: string | null }) {
  return preview === null ? <Badge kind="bad">cannot be read</Badge> : <code>{preview}</code>;
}

export function LastUsed({ at, now }: { at: number | null; now: number }) {
  return at === null ? <span class="quiet">never</span> : <Ago ms={at} now={now} />;
}

export function secretsOf(id: KeyId): string {
  return `/web/secrets?scope=key&keyId=${id}`;
}
