// Implements /web/keys/selected: revokes several API keys at once, all of them or none.

import type { Context } from "hono";
import { z } from "zod";
import { keyVersion } from "../../../../core/access/values.ts";
import type { ListedKey } from "../../../../core/access/listing.ts";
import { AppError } from "../../../../errors.ts";
import type { GroupId, KeyId } from "../../../../ids.ts";
import { idText } from "../../../inputs/fields.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import {
  attempt,
  checkedIn,
  CHOSEN_MAX,
  chosenIn,
  type FormStatus,
  type Problems,
  readForm,
  redirect,
} from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Empty, FormActions } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import { LastUsed, Preview, SELECTED } from "./lists.tsx";

const idsSchema = z.array(idText<KeyId>()).max(CHOSEN_MAX);

export function addSelection(web: Web, deps: WebDeps): void {
  const { access, commit } = deps;

  web.get(SELECTED, (c) => selectionPage(c, deps, keysAsked(c, deps)));

  web.post(SELECTED, async (c) => {
    const typed = await readForm(c);
    const outcome = await attempt(() => {
      const chosen = chosenIn<KeyId>(typed, "key");
      return commit(() => {
        const keys = chosen.map(({ id }) => access.keySummary(id));
        for (const { id, version } of chosen) access.deleteKey(c.get("actor"), id, [version]);
        return keys;
      });
    });
    if ("problems" in outcome) {
      const shown = idsSchema.parse(typed["shown"] ?? []).flatMap((id) => stillThere(id, deps));
      return selectionPage(c, deps, shown, { ...outcome, checked: checkedIn(typed, "key") });
    }
    const revoked = outcome.done;
    const secrets = revoked.reduce((sum, key) => sum + key.secrets, 0);
    const groups = new Set(revoked.map(({ groupId }) => groupId));
    return redirect(
      c,
      groups.size === 1 ? `/web/keys/groups/${[...groups][0]}` : "/web/keys",
      `Revoked ${plural(revoked.length, "key")}${secrets === 0 ? "" : ` and deleted ${plural(secrets, "secret")}`}.`,
    );
  });
}

/** Returns the keys that the address names: by their ids, or all of a group, the newest first. */
function keysAsked(c: Context<WebEnv>, deps: WebDeps): ListedKey[] {
  const groupId = parsePositiveInt(c.req.query("group")) as GroupId;
  if (groupId > 0) return deps.access.keyPage({ groupId }, undefined, CHOSEN_MAX).keys;
  return idsSchema.parse(c.req.queries("id") ?? []).flatMap((id) => stillThere(id, deps));
}

function stillThere(id: KeyId, { access }: WebDeps): ListedKey[] {
  try {
    return [access.keySummary(id)];
  } catch (error) {
    if (error instanceof AppError && error.status === 404) return [];
    throw error;
  }
}

function selectionPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  keys: readonly ListedKey[],
  refused?: { problems: Problems; status: FormStatus; checked: ReadonlySet<number> },
) {
  const [first] = keys;
  const isOneGroup = keys.every(({ groupId }) => groupId === first?.groupId);
  const back = first && isOneGroup ? `/web/keys/groups/${first.groupId}` : "/web/keys";
  return page(c, {
    title: "Revoke the selected keys?",
    styles: ["keys.css"],
    trail: first && isOneGroup ? [[back, first.groupName]] : [],
    children: first === undefined
      ? (
        <Empty>
          <p>No key is selected.</p>
          <p>
            <a href="/web/keys">Select some in the list</a>
          </p>
        </Empty>
      )
      : (
        <>
          <p>
            Callers with these keys will be refused at once, and the secrets of the keys are deleted. A revoked key
            cannot be restored.
          </p>
          <ManagingWarning keys={keys} deps={deps} />
          <form method="post" action={SELECTED} novalidate>
            <FormToken />
            <ProblemSummary problems={refused?.problems} labels={{ key: "A key" }} />
            {keys.map(({ id }) => <input type="hidden" name="shown" value={String(id)} />)}
            <Rows keys={keys} checked={refused?.checked} deps={deps} />
            <FormActions submit="Revoke the checked keys" kind="danger" cancel={back} cancelLabel="Keep them" />
          </form>
        </>
      ),
  }, refused?.status ?? 200);
}

function ManagingWarning({ keys, deps: { access, settings } }: { keys: readonly ListedKey[]; deps: WebDeps }) {
  const managing = settings.get("api.access-groups");
  const listed = keys.filter((key) => managing.includes(key.groupName) && !access.rolling.isExpired(key)).length;
  if (listed === 0 || listed < access.countUsableIn(managing)) return null;
  return (
    <div class="warning" role="alert">
      <p>
        <strong>All keys that can use the API are among them.</strong>{" "}
        Without any, scripts can no longer manage this server; admins who sign in here still can.
      </p>
    </div>
  );
}

function Rows({ keys, checked, deps: { access, now } }: {
  keys: readonly ListedKey[];
  /** Undefined on the first visit, when all are. */
  checked: ReadonlySet<number> | undefined;
  deps: WebDeps;
}) {
  return (
    <DataTable
      label="Selected keys"
      class="keys"
      isStacked
      rows={keys}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          cell: (key) => (
            <label>
              <input
                type="checkbox"
                name="key"
                value={`${key.id} ${keyVersion(key)}`}
                checked={checked?.has(key.id) ?? true}
              />{" "}
              {key.name}
            </label>
          ),
        },
        { label: "Group", cell: ({ groupName }) => groupName },
        { label: "Value", cell: (key) => <Preview preview={access.preview(key)} /> },
        { label: "Last used", cell: ({ lastUsedAt }) => <LastUsed at={lastUsedAt} now={now()} /> },
        { label: "Secrets", isFigure: true, cell: ({ secrets }) => String(secrets) },
      ]}
    />
  );
}
