// Implements /web/keys/new: creates a key, optionally with a new group.

import type { Context } from "hono";
import { KEY_VALUE_MAX_LENGTH, KEY_VALUE_MIN_LENGTH } from "../../../../core/access/access.ts";
import { AppError } from "../../../../errors.ts";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { groupName } from "../../../inputs/references.ts";
import { newKey } from "../../../inputs/key_schemas.ts";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary, SelectField, TextArea, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import { fieldText, type Typed } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { parsePositiveInt } from "../../ui/format.ts";
import { functionIfThere, type ShownKeys } from "./created.tsx";
import { EXPIRY_LABELS, ExpiryFields, expiryInput, type ExpiryValues, NEVER, readExpiry } from "./expiry.tsx";

const LABELS = {
  groupId: "Group",
  group: "Name of the new group",
  name: "Name",
  description: "Description",
  ...EXPIRY_LABELS,
  value: "Value",
};
/** The option for a group that is created with the key. */
const NEW_GROUP = "new";
const newKeyAndGroup = newKey.omit({ groupId: true }).extend({ group: groupName });

interface Values extends ExpiryValues {
  groupId: string;
  group: string;
  name: string;
  description: string;
  value: string;
  /** Whether the function will require a key of this group. */
  letIn: boolean;
}

export function addNewKey(web: Web, deps: WebDeps, shown: ShownKeys): void {
  const { access, settings } = deps;
  formRoute(web, {
    path: "/web/keys/new",
    subject: (c) => functionOf(c, deps),
    initial: (target, c): Values => {
      const asked = parsePositiveInt(c.req.query("group"));
      const others = access.groups().filter(({ name }) => !settings.get("api.access-groups").includes(name));
      const groupId = asked ? String(asked) : String(others[0]?.id ?? NEW_GROUP);
      const suggested = asked || others.length > 0 ? { group: "", name: "" } : suggestedNames(access);
      // A public function would begin to refuse the callers that it has: only who asks for that gets it.
      return {
        groupId,
        ...suggested,
        description: "",
        ...NEVER,
        value: "",
        letIn: target !== undefined && target.keys.length > 0,
      };
    },
    read: readValues,
    schema: (values) => toNewKey(values, deps.now()),
    act: ({ actor, input }) => deps.commit(() => access.createKey(actor, input)),
    page: (c, form) => newPage(c, deps, form),
    then: async ({ id, groupId, value }, { c, subject: target, values }) => {
      const created = {
        id,
        groupId,
        name: values.name,
        value: new SecretValue(value),
        functionId: target?.id,
        problem: target && values.letIn ? await requireGroup(c, deps, target, groupId) : undefined,
      };
      return {
        to: await shown.keep(c, created),
        notice: `Created the key "${values.name}". Copy its value.`,
      };
    },
  });
}

/** Names for the first key of a caller; a group of that name may exist, and manage the server. */
function suggestedNames(access: WebDeps["access"]): { group: string; name: string } {
  const isTaken = access.groups().some(({ name }) => name === "callers");
  return { group: isTaken ? "" : "callers", name: "first-caller" };
}

function newPage(
  c: Context<WebEnv>,
  { access, settings, now }: WebDeps,
  { subject: target, values, problems }: FormState<RegisteredFunction | undefined, Values>,
) {
  const managing = settings.get("api.access-groups");
  const groups = access.groups().map(({ id, name }) => ({
    value: String(id),
    label: managing.includes(name) ? `${name} (manages this server)` : name,
  }));
  return page(c, {
    title: "Create key",
    children: (
      <form method="post" class="narrow" novalidate>
        <FormToken />
        <ProblemSummary problems={problems} labels={LABELS} />
        <SelectField
          name="groupId"
          label="Group"
          hint="Determines what the key can call: functions require keys of groups. Groups can have their own secrets."
          value={values.groupId}
          options={[...groups, { value: NEW_GROUP, label: "New group…" }]}
          problems={problems}
        />
        <div class="new-group">
          <TextField
            name="group"
            label="Name of the new group"
            hint="Lower-case letters, digits, underscores and hyphens."
            value={values.group}
            problems={problems}
            autocomplete="off"
            isVerbatim
          />
        </div>
        <TextField
          name="name"
          label="Name"
          hint="Who will hold the key, such as acme-corp or build-server."
          value={values.name}
          problems={problems}
          required
          autocomplete="off"
        />
        <TextArea name="description" label="Description" value={values.description} problems={problems} rows={2} />
        <ExpiryFields values={values} problems={problems} now={now()} />
        <TextField
          name="value"
          label="Value"
          hint={`Leave empty to generate a random value. A value that you choose has ${KEY_VALUE_MIN_LENGTH} to ${KEY_VALUE_MAX_LENGTH} visible characters.`}
          value={values.value}
          problems={problems}
          autocomplete="off"
          isVerbatim
        />
        {target && (
          <div class="field">
            <label for="letIn">
              <input type="checkbox" id="letIn" name="letIn" value="yes" checked={values.letIn} />
              {target.keys.length === 0
                ? `Require a key of this group to call ${target.name}`
                : `Require a key of this group, or of the groups required so far, to call ${target.name}`}
            </label>
            {target.keys.length === 0 && (
              <small class="hint">
                {target.name} is public now. With this, calls without such a key are refused with 401.
              </small>
            )}
          </div>
        )}
        <FormActions submit="Create" cancel="/web/keys" />
      </form>
    ),
  }, problems ? 400 : 200);
}

/** Parses the form with the API's schemas. @throws ZodError */
function toNewKey({ groupId, group, name, description, value, ...expiry }: Values, now: number) {
  const fields = { name, description, ...expiryInput(expiry, now), ...(value !== "" && { value }) };
  if (groupId !== NEW_GROUP) {
    const wanted = newKey.parse({ ...fields, groupId: parsePositiveInt(groupId) });
    return { ...wanted, description };
  }
  const wanted = newKeyAndGroup.parse({ ...fields, group });
  const { group: named, ...rest } = wanted;
  return { ...rest, description, groupId: { name: named, description: "" } };
}

function readValues(typed: Typed): Values {
  const text = (name: string) => fieldText(typed, name);
  return {
    groupId: text("groupId"),
    group: text("group"),
    name: text("name"),
    description: text("description"),
    ...readExpiry(typed),
    value: text("value"),
    letIn: text("letIn") === "yes",
  };
}

/** Returns the function that the address names; undefined if it names none or it does not exist. */
function functionOf(c: Context<WebEnv>, deps: WebDeps): RegisteredFunction | undefined {
  const id = parsePositiveInt(c.req.query("functionId")) as FunctionId;
  return id === 0 ? undefined : functionIfThere(id, deps);
}

/** Makes the function require the group. Returns a problem, if there is one; the key exists in either case. */
async function requireGroup(
  c: Context<WebEnv>,
  { registry, commit }: WebDeps,
  target: RegisteredFunction,
  groupId: GroupId,
): Promise<string | undefined> {
  if (target.keys.includes(groupId)) return undefined;
  try {
    await commit(() => registry.update(c.get("actor"), target.id, { keys: [...target.keys, groupId] }));
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `${target.name} does not require this group yet: ${error.message}`;
  }
}
