// /web/keys/new: making a key, perhaps with a new group for it, and showing its value this once.

import type { Context } from "hono";
import { KEY_VALUE_MAX_LENGTH, KEY_VALUE_MIN_LENGTH } from "../../../access/access.ts";
import { AppError } from "../../../errors.ts";
import type { RegisteredFunction } from "../../../functions/registry.ts";
import type { FunctionId, GroupId, KeyId } from "../../../ids.ts";
import { groupName } from "../../api/key_groups.ts";
import { newKey } from "../../api/keys.ts";
import { CopyLine, ProblemSummary, SelectField, TextArea, TextField } from "../components.tsx";
import type { Web, WebDeps, WebEnv } from "../deps.ts";
import { curl, curlOf, functionsOriginOf, originOf } from "../example.ts";
import { attempt, type Problems, readForm, typedText } from "../forms.ts";
import { page } from "../layout.tsx";
import { positive } from "../words.ts";

const LABELS = {
  groupId: "Group",
  group: "Name of the new group",
  name: "Name",
  description: "Description",
  value: "Value",
};
/** In the field of groups: one that is yet to be made. */
const NEW_GROUP = "new";
const newKeyAndGroup = newKey.omit({ groupId: true }).extend({ group: groupName });

interface Values {
  groupId: string;
  group: string;
  name: string;
  description: string;
  value: string;
  /** Whether the function is to ask for this group's keys from now on. */
  letIn: boolean;
}

interface Made {
  id: KeyId;
  groupId: GroupId;
  name: string;
  value: string;
}

export function addNewKey(web: Web, deps: WebDeps): void {
  const { access, registry, settings } = deps;

  const show = (c: Context<WebEnv>, values: Values, problems?: Problems) => {
    const target = functionOf(c, deps);
    const managing = settings.get("api.access-groups");
    const groups = access.groups().map(({ id, name }) => ({
      value: String(id),
      label: managing.includes(name) ? `${name} (manages this server)` : name,
    }));
    return page(c, {
      title: "Create key",
      children: (
        <form method="post" class="narrow" novalidate>
          <ProblemSummary problems={problems} labels={LABELS} />
          <SelectField
            name="groupId"
            label="Group"
            hint="What the key opens: functions ask for keys of groups, and groups can have secrets of their own."
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
              spellcheck="false"
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
          <TextField
            name="value"
            label="Value"
            hint={`Leave it empty: a random one is made. A value that has to be known beforehand has ${KEY_VALUE_MIN_LENGTH} to ${KEY_VALUE_MAX_LENGTH} visible characters.`}
            value={values.value}
            problems={problems}
            autocomplete="off"
            spellcheck="false"
          />
          {target && (
            <div class="field">
              <label for="letIn">
                <input type="checkbox" id="letIn" name="letIn" value="yes" checked={values.letIn} />
                Only keys of this group, and of those it asks for already, may call {target.name}
              </label>
            </div>
          )}
          <div class="actions">
            <button type="submit">Create</button>
            <a href="/web/keys" role="button" class="secondary outline">Cancel</a>
          </div>
        </form>
      ),
    }, problems ? 400 : 200);
  };

  web.get("/web/keys/new", (c) => {
    const asked = positive(c.req.query("group"));
    const others = access.groups().filter(({ name }) => !settings.get("api.access-groups").includes(name));
    const groupId = asked ? String(asked) : String(others[0]?.id ?? NEW_GROUP);
    return show(c, { groupId, group: "", name: "", description: "", value: "", letIn: true });
  });

  web.post("/web/keys/new", async (c) => {
    const values = await readValues(c);
    const result = await attempt((): Made => ({
      ...access.createKey(c.get("actor"), wantedOf(values)),
      name: values.name,
    }));
    if ("problems" in result) return show(c, values, result.problems);
    const target = functionOf(c, deps);
    const problem = target && values.letIn ? letIn(c, deps, target, result.done.groupId) : undefined;
    return showMade(c, deps, result.done, target && registry.get(target.id), problem);
  });
}

/** What the schemas of the API make of a form. @throws ZodError */
function wantedOf({ groupId, group, name, description, value }: Values) {
  const fields = { name, description, ...(value !== "" && { value }) };
  if (groupId !== NEW_GROUP) {
    const wanted = newKey.parse({ ...fields, groupId: positive(groupId) });
    return { ...wanted, description };
  }
  const wanted = newKeyAndGroup.parse({ ...fields, group });
  return { name: wanted.name, value: wanted.value, description, groupId: { name: wanted.group, description: "" } };
}

async function readValues(c: Context<WebEnv>): Promise<Values> {
  const typed = await readForm(c);
  const text = (name: string) => typedText(typed, name);
  return {
    groupId: text("groupId"),
    group: text("group"),
    name: text("name"),
    description: text("description"),
    value: text("value"),
    letIn: text("letIn") === "yes",
  };
}

/** The function that the key is made for, if the address names one that exists. */
function functionOf(c: Context<WebEnv>, { registry }: WebDeps): RegisteredFunction | undefined {
  const id = positive(c.req.query("functionId")) as FunctionId;
  try {
    return id === 0 ? undefined : registry.get(id);
  } catch (error) {
    if (error instanceof AppError && error.status === 404) return undefined;
    throw error;
  }
}

/** Has the function ask for the group; what went wrong, if something did: the key is there all the same. */
function letIn(c: Context<WebEnv>, { registry }: WebDeps, target: RegisteredFunction, groupId: GroupId) {
  if (target.keys.includes(groupId)) return undefined;
  try {
    registry.update(c.get("actor"), target.id, { keys: [...target.keys, groupId] });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return `${target.name} does not ask for this group yet: ${error.message}`;
  }
}

/** The answer to the form itself, not a page to be led to: no other request can ever have the value. */
function showMade(
  c: Context<WebEnv>,
  deps: WebDeps,
  made: Made,
  target: RegisteredFunction | undefined,
  problem: string | undefined,
) {
  const group = deps.access.group(made.groupId);
  c.set("notice", `Key "${made.name}" is made. Its value is shown this once.`);
  return page(c, {
    title: `API key ${made.name}`,
    actions: (
      <>
        <a role="button" class="secondary outline" href={`/web/secrets/new?scope=key&keyId=${made.id}`}>
          Add secret for this key
        </a>
        <a role="button" href={`/web/keys/groups/${group.id}`}>Done</a>
      </>
    ),
    children: (
      <>
        {problem && <p class="warning" role="alert">{problem}</p>}
        <h2>Value</h2>
        <p>
          Copy it now and give it to whoever will use it. It is stored encrypted, and these pages never show it again;
          if it gets lost, make another key and revoke this one.
        </p>
        <CopyLine id="key-value" text={made.value} label="Copy the value" />
        <h2>Use it</h2>
        <Usage c={c} deps={deps} made={made} groupName={group.name} target={target} />
      </>
    ),
  });
}

function Usage({ c, deps: { registry, settings }, made, groupName, target }: {
  c: Context<WebEnv>;
  deps: WebDeps;
  made: Made;
  groupName: string;
  target: RegisteredFunction | undefined;
}) {
  const callable = target?.keys.includes(made.groupId) ? target : undefined;
  const example = callable ?? registry.ofGroup(made.groupId, 20).find(({ enabled }) => enabled);
  if (example) {
    return (
      <>
        <p>
          In a terminal, this calls <a href={`/web/functions/${example.id}`}>{example.name}</a>:
        </p>
        <CopyLine
          id="curl-line"
          text={curlOf(functionsOriginOf(c, settings), example, made.value)}
          label="Copy the command"
        />
      </>
    );
  }
  if (settings.get("api.access-groups").includes(groupName)) {
    return (
      <>
        <p>Keys of {groupName} may manage this server through its API. In a terminal, this lists the functions:</p>
        <CopyLine
          id="curl-line"
          text={curl(`${originOf(c)}/api/functions`, "GET", made.value)}
          label="Copy the command"
        />
        <p>
          All of it is described at <a href="/api/docs">/api/docs</a>.
        </p>
      </>
    );
  }
  return (
    <p>
      No function asks for a key of {groupName} yet. Open a function to this group under{" "}
      <a href="/web/functions">Functions</a>, and send the key in the header <code>X-API-Key</code>.
    </p>
  );
}
