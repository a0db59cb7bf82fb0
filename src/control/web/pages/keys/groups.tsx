// Implements /web/keys/groups: creates, shows, changes and deletes key groups.

import type { Context } from "hono";
import { groupVersion, MANAGEMENT_GROUP } from "../../../../core/access/access.ts";
import type { GroupId } from "../../../../ids.ts";
import type { Version } from "../../../../versions.ts";
import type { GroupSummary } from "../../../../store/access.ts";
import { groupChange, newGroup } from "../../../inputs/key_schemas.ts";
import { Altered } from "../../ui/altered.tsx";
import { ButtonLink, FormActions } from "../../ui/components.tsx";
import { ProblemSummary, TextArea, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { Conflict, type Difference, differences, VersionField } from "../../ui/conflict.tsx";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import { GroupFacts, KeysOfGroup, SELECTED } from "./lists.tsx";
import { SecretNames, SECRETS_NAMED } from "./secret_names.tsx";

/** How many functions of a group are listed. */
const FUNCTIONS_MAX = 20;
const LABELS = { name: "Name", description: "Description" };

const PATH = "/web/keys/groups";

export function addGroups(web: Web, deps: WebDeps): void {
  const { access, commit } = deps;
  const groupOf = (c: Context<WebEnv>) => access.groupSummary(parsePositiveInt(c.req.param("id")) as GroupId);

  formRoute(web, {
    path: `${PATH}/new`,
    initial: () => ({ name: "", description: "" }),
    read: readValues,
    schema: (values) => newGroup.parse(values),
    act: ({ actor, input: { name, description = "" } }) => commit(() => access.createGroup(actor, name, description)),
    page: newPage,
    then: (id, { values: { name } }) => ({
      to: `${PATH}/${id}`,
      notice: `Created the group "${name}". Next, create a key in it.`,
    }),
  });

  formRoute(web, {
    path: `${PATH}/:id`,
    subject: groupOf,
    initial: ({ name, description }) => ({ name, description }),
    read: (typed, { name }) => readValues(typed, name),
    schema: (values) => groupChange.parse(values),
    act: ({ actor, subject, input, expected }) => commit(() => access.updateGroup(actor, subject.id, input, expected)),
    page: (c, form) => groupPage(c, deps, form),
    then: (_, { subject }) => ({ to: `${PATH}/${subject.id}`, notice: "Saved." }),
  });

  formRoute(web, {
    path: `${PATH}/:id/delete`,
    subject: groupOf,
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject }) => commit(() => access.deleteGroup(actor, subject.id)),
    page: (c, form) => deletePage(c, deps, form),
    then: (_, { subject: { name, secrets } }) => ({
      to: "/web/keys",
      notice: `Deleted the group "${name}"${secrets === 0 ? "" : ` and its ${plural(secrets, "secret")}`}.`,
    }),
  });
}

function newPage(c: Context<WebEnv>, { values, problems }: FormState<undefined, Values>) {
  return page(c, {
    title: "Create group",
    children: (
      <GroupForm action={`${PATH}/new`} values={values} problems={problems} label="Create" cancel="/web/keys" />
    ),
  }, problems ? 400 : 200);
}

function groupPage(c: Context<WebEnv>, deps: WebDeps, form: FormState<GroupSummary, Values>) {
  const { subject: group, status } = form;
  const { id, name } = group;
  return page(c, {
    title: `Group ${name}`,
    styles: ["keys.css"],
    actions: (
      <>
        <a class="button secondary" href={`/web/secrets/new?scope=group&groupId=${id}`}>Add secret</a>
        <a class="button" href={`/web/keys/new?group=${id}`}>Create key</a>
      </>
    ),
    children: (
      <>
        <GroupFacts group={group} managing={isManaging(name, deps)} />
        <h2>Keys</h2>
        <KeysOfGroup c={c} deps={deps} groupId={id} />
        <h2>Functions that require it</h2>
        <Functions functions={deps.registry.ofGroup(id, FUNCTIONS_MAX)} total={group.functions} />
        <h2>Name and description</h2>
        <Change form={form} deps={deps} />
        {name !== MANAGEMENT_GROUP && (
          <p class="last">
            <a href={`${PATH}/${id}/delete`}>Delete this group</a>
          </p>
        )}
      </>
    ),
  }, status === 200 || status === 412 ? status : 400);
}

/** Whether the group's keys may use the API. */
function isManaging(name: string, { settings }: WebDeps): boolean {
  return settings.get("api.access-groups").includes(name);
}

/** The form that changes the group; a warning for one that another program has written. */
function Change({ form: { subject: group, values, problems, status }, deps }: {
  form: FormState<GroupSummary, Values>;
  deps: WebDeps;
}) {
  const { id, name, description } = group;
  if (deps.isAltered("key_groups", id)) {
    const remove = name === MANAGEMENT_GROUP ? undefined : { href: `${PATH}/${id}/delete`, label: "Delete it" };
    return <Altered what="group" effect="Callers with its keys are refused." remove={remove} />;
  }
  return (
    <GroupForm
      action={`${PATH}/${id}`}
      values={values}
      problems={problems}
      version={groupVersion(group)}
      conflict={status === 412 ? differences(LABELS, { name, description }, { ...values }) : undefined}
      label="Save"
      fixedName={name === MANAGEMENT_GROUP
        ? "This group cannot be renamed: it can always manage the server."
        : isManaging(name, deps)
        ? "This group cannot be renamed while the setting api.access-groups names it."
        : undefined}
    />
  );
}

function deletePage(
  c: Context<WebEnv>,
  { access, secrets }: WebDeps,
  { subject: group, problems }: FormState<GroupSummary, undefined>,
) {
  const reason = problems ? problems[""] : access.reasonToKeep(group.id);
  return page(c, {
    title: `Delete group ${group.name}?`,
    trail: [[`/web/keys/groups/${group.id}`, group.name]],
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
            cancel={`${PATH}/${group.id}`}
            cancelLabel="Keep it"
          />
        </form>
      )
      : (
        <>
          <div class="warning" role="alert">
            <p>{reason}</p>
          </div>
          <div class="actions">
            {group.keys > 0 && group.name !== MANAGEMENT_GROUP && (
              <ButtonLink href={`${SELECTED}?group=${group.id}`} kind="danger-quiet">
                Revoke its {plural(group.keys, "key")} …
              </ButtonLink>
            )}
            <ButtonLink href={`${PATH}/${group.id}`} kind="secondary">Back to the group</ButtonLink>
          </div>
        </>
      ),
  }, problems ? 409 : 200);
}

interface Values {
  name: string;
  description: string;
}

/** Returns the values of the form; `name` if the form has no field for it. */
function readValues(typed: Typed, name = ""): Values {
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
