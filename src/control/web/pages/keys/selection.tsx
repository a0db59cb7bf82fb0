// Implements /web/keys/selected: revokes several API keys at once, all of them or none.

import type { Context } from "hono";
import { z } from "zod";
import { keyVersion } from "../../../../core/access/access.ts";
import type { ListedKey } from "../../../../core/access/listing.ts";
import { AppError, invalid } from "../../../../errors.ts";
import type { GroupId, KeyId } from "../../../../ids.ts";
import { idText } from "../../../inputs/fields.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, type FormStatus, type Problems, readForm, redirect, type Typed } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Empty, FormActions } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import { LastUsed, Preview, SELECTED } from "./lists.tsx";

/** An action on more would hold up other requests. */
const SELECTED_MAX = 200;

const idsSchema = z.array(idText<KeyId>()).max(SELECTED_MAX);

/** A key of the posted form, with the version that the user saw. */
interface Chosen {
  readonly id: KeyId;
  readonly version: string;
}

export function addSelection(web: Web, deps: WebDeps): void {
  const { access, commit } = deps;

  web.get(SELECTED, (c) => selectionPage(c, deps, keysAsked(c, deps)));

  web.post(SELECTED, async (c) => {
    const typed = await readForm(c);
    const outcome = await attempt(() => {
      const chosen = chosenIn(typed);
      return commit(() => {
        const keys = chosen.map(({ id }) => access.keySummary(id));
        for (const { id, version } of chosen) access.deleteKey(c.get("actor"), id, [version]);
        return keys;
      });
    });
    if ("problems" in outcome) {
      const shown = idsSchema.parse(typed["shown"] ?? []).flatMap((id) => stillThere(id, deps));
      return selectionPage(c, deps, shown, outcome.problems, outcome.status);
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
  if (groupId > 0) return deps.access.keyPage({ groupId }, undefined, SELECTED_MAX).keys;
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

/** @throws AppError InvalidInput (400) */
function chosenIn(typed: Typed): Chosen[] {
  const chosen = (typed["key"] ?? []).map((text) => {
    const [, id, version] = /^([1-9]\d{0,14}) (.+)$/.exec(text) ?? [];
    if (id === undefined) throw invalid("key", "must be chosen from the list");
    return { id: Number(id) as KeyId, version: version! };
  });
  if (chosen.length === 0) throw invalid("key", "must be chosen: check at least one");
  if (chosen.length > SELECTED_MAX) throw new AppError("InvalidInput", 400, `At most ${SELECTED_MAX} at once.`);
  return chosen;
}

function selectionPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  keys: readonly ListedKey[],
  problems?: Problems,
  status: 200 | FormStatus = 200,
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
            <ProblemSummary problems={problems} labels={{ key: "A key" }} />
            {keys.map(({ id }) => <input type="hidden" name="shown" value={String(id)} />)}
            <Rows keys={keys} deps={deps} />
            <FormActions submit="Revoke the checked keys" kind="danger" cancel={back} cancelLabel="Keep them" />
          </form>
        </>
      ),
  }, status);
}

function ManagingWarning({ keys, deps: { access, settings } }: { keys: readonly ListedKey[]; deps: WebDeps }) {
  const managing = settings.get("api.access-groups");
  const listed = keys.filter(({ groupName }) => managing.includes(groupName)).length;
  if (listed === 0 || listed < access.countIn(managing)) return null;
  return (
    <div class="warning" role="alert">
      <p>
        <strong>All keys that can use the API are among them.</strong>{" "}
        Without any, scripts can no longer manage this server; admins who sign in here still can.
      </p>
    </div>
  );
}

function Rows({ keys, deps: { access, now } }: { keys: readonly ListedKey[]; deps: WebDeps }) {
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
              <input type="checkbox" name="key" value={`${key.id} ${keyVersion(key)}`} checked /> {key.name}
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
