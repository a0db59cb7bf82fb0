// Implements /web/keys/groups: creates, shows, changes and deletes key groups.

import type { Context } from "hono";
import { groupVersion, MANAGEMENT_GROUP } from "../../../../core/access/access.ts";
import type { GroupId } from "../../../../ids.ts";
import type { Version } from "../../../../versions.ts";
import type { GroupSummary } from "../../../../store/access.ts";
import { groupChange, newGroup } from "../../../inputs/key_schemas.ts";
import { Altered } from "../../ui/altered.tsx";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary, TextArea, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { Conflict, type Difference, differences, VersionField } from "../../ui/conflict.tsx";
import {
  attempt,
  expectedIn,
  fieldText,
  type FormStatus,
  type Problems,
  readForm,
  redirect,
} from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { plural, positive } from "../../ui/format.ts";
import { GroupFacts, KeysOfGroup } from "./lists.tsx";
import { SecretNames, SECRETS_NAMED } from "./secret_names.tsx";

/** How many functions of a group are listed. */
const FUNCTIONS_MAX = 20;
const LABELS = { name: "Name", description: "Description" };

export function addGroups(web: Web, deps: WebDeps): void {
  const { access, registry, secrets, settings } = deps;
  const idOf = (c: Context<WebEnv>) => positive(c.req.param("id")) as GroupId;

  const showNew = (c: Context<WebEnv>, values: Values, problems?: Problems) =>
    page(c, {
      title: "Create group",
      children: (
        <GroupForm
          action="/web/keys/groups/new"
          values={values}
          problems={problems}
          label="Create"
          cancel="/web/keys"
        />
      ),
    }, problems ? 400 : 200);

  web.get("/web/keys/groups/new", (c) => showNew(c, { name: "", description: "" }));

  web.post("/web/keys/groups/new", async (c) => {
    const values = await readValues(c);
    const result = await attempt(() => {
      const { name, description = "" } = newGroup.parse(values);
      return access.createGroup(c.get("actor"), name, description);
    });
    if ("problems" in result) return showNew(c, values, result.problems);
    return redirect(
      c,
      `/web/keys/groups/${result.done}`,
      `Created the group "${values.name}". Next, create a key in it.`,
    );
  });

  const show = (
    c: Context<WebEnv>,
    group: GroupSummary,
    values: Values,
    problems?: Problems,
    status: FormStatus = 400,
  ) => {
    const { id, name } = group;
    const managing = settings.get("api.access-groups").includes(name);
    return page(c, {
      title: `Group ${name}`,
      actions: (
        <>
          <a role="button" class="secondary outline" href={`/web/secrets/new?scope=group&groupId=${id}`}>Add secret</a>
          <a role="button" href={`/web/keys/new?group=${id}`}>Create key</a>
        </>
      ),
      children: (
        <>
          <p>
            <a href="/web/keys">All groups</a>
          </p>
          <GroupFacts group={group} managing={managing} />
          <h2>Keys</h2>
          <KeysOfGroup c={c} deps={deps} groupId={id} />
          <h2>Functions that require it</h2>
          <Functions functions={registry.ofGroup(id, FUNCTIONS_MAX)} total={group.functions} />
          <h2>Name and description</h2>
          {deps.isAltered("key_groups", id)
            ? (
              <Altered
                what="group"
                effect="Callers with its keys are refused."
                remove={name === MANAGEMENT_GROUP
                  ? undefined
                  : { href: `/web/keys/groups/${id}/delete`, label: "Delete it" }}
              />
            )
            : (
              <GroupForm
                action={`/web/keys/groups/${id}`}
                values={values}
                problems={problems}
                version={groupVersion(group)}
                conflict={status === 412 ? differences(LABELS, fieldsOf(group), fieldsOf(values)) : undefined}
                label="Save"
                fixedName={name === MANAGEMENT_GROUP
                  ? "This group cannot be renamed: it can always manage the server."
                  : managing
                  ? "This group cannot be renamed while the setting api.access-groups names it."
                  : undefined}
              />
            )}
          {name !== MANAGEMENT_GROUP && (
            <p class="last">
              <a href={`/web/keys/groups/${id}/delete`}>Delete this group</a>
            </p>
          )}
        </>
      ),
    }, problems ? (status === 412 ? 412 : 400) : 200);
  };

  web.get("/web/keys/groups/:id", (c) => {
    const group = access.groupSummary(idOf(c));
    return show(c, group, group);
  });

  web.post("/web/keys/groups/:id", async (c) => {
    const group = access.groupSummary(idOf(c));
    const values = await readValues(c, group.name);
    const expected = expectedIn(await readForm(c));
    const result = await attempt(() =>
      access.updateGroup(c.get("actor"), group.id, groupChange.parse(values), expected)
    );
    if ("problems" in result) {
      return show(c, access.groupSummary(group.id), values, result.problems, result.status);
    }
    return redirect(c, `/web/keys/groups/${group.id}`, "Saved.");
  });

  const showDelete = (c: Context<WebEnv>, group: GroupSummary, reason: string | undefined) =>
    page(c, {
      title: `Delete group ${group.name}?`,
      children: reason === undefined
        ? (
          <form method="post">
            <FormToken />
            <SecretNames
              secrets={secrets.list({ groupId: group.id }, 0, SECRETS_NAMED).secrets}
              total={group.secrets}
              owner="group"
            />
            <FormActions
              submit="Delete group"
              kind="danger"
              cancel={`/web/keys/groups/${group.id}`}
              cancelLabel="Keep it"
            />
          </form>
        )
        : (
          <>
            <div class="warning" role="alert">
              <p>{reason}</p>
            </div>
            <p>
              <a href={`/web/keys/groups/${group.id}`}>Back to the group</a>
            </p>
          </>
        ),
    }, c.req.method === "POST" ? 409 : 200);

  web.get("/web/keys/groups/:id/delete", (c) => {
    const group = access.groupSummary(idOf(c));
    return showDelete(c, group, access.reasonToKeep(group.id));
  });

  web.post("/web/keys/groups/:id/delete", async (c) => {
    const group = access.groupSummary(idOf(c));
    const result = await attempt(() => access.deleteGroup(c.get("actor"), group.id));
    if ("problems" in result) return showDelete(c, group, result.problems[""]);
    const along = group.secrets === 0 ? "" : ` and its ${plural(group.secrets, "secret")}`;
    return redirect(c, "/web/keys", `Deleted the group "${group.name}"${along}.`);
  });
}

interface Values {
  name: string;
  description: string;
}

function fieldsOf({ name, description }: Values): Record<keyof Values, string> {
  return { name, description };
}

/** Returns the values of the form; `name` if the form has no field for it. */
async function readValues(c: Context<WebEnv>, name = ""): Promise<Values> {
  const typed = await readForm(c);
  return { name: typed.name ? fieldText(typed, "name") : name, description: fieldText(typed, "description") };
}

function GroupForm({ action, values, problems, version, conflict, label, cancel, fixedName }: {
  action: string;
  values: Values;
  problems: Problems | undefined;
  version?: Version;
  /** The differences, if another user has changed the group. */
  conflict?: readonly Difference[] | undefined;
  label: string;
  cancel?: string;
  /** Why the name cannot be changed. */
  fixedName?: string | undefined;
}) {
  return (
    <form method="post" action={action} class="narrow" novalidate>
      <FormToken />
      {version && <VersionField version={version} />}
      {conflict
        ? <Conflict differences={conflict} reload={action} />
        : <ProblemSummary problems={problems} labels={LABELS} />}
      <TextField
        name="name"
        label="Name"
        value={values.name}
        problems={problems}
        hint={fixedName ?? "Lower-case letters, digits, underscores and hyphens, such as staging or acme-corp."}
        readonly={fixedName !== undefined}
        required
        autocomplete="off"
        isVerbatim
      />
      <TextArea name="description" label="Description" value={values.description} problems={problems} rows={2} />
      <FormActions submit={label} cancel={cancel} />
    </form>
  );
}

function Functions(
  { functions, total }: { functions: readonly { id: number; name: string; route: string }[]; total: number },
) {
  if (total === 0) {
    return (
      <p class="quiet">
        None. To require a key of this group, choose the group in the settings of a function: see{" "}
        <a href="/web/functions">Functions</a>.
      </p>
    );
  }
  return (
    <ul>
      {functions.map(({ id, name, route }) => (
        <li>
          <a href={`/web/functions/${id}`}>{name}</a> <code>/run{route}</code>
        </li>
      ))}
      {total > functions.length && <li>and {plural(total - functions.length, "more function")}</li>}
    </ul>
  );
}
