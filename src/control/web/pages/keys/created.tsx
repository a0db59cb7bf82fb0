// Implements /web/keys/created: shows the value of a key that was just created or rolled, until the user confirms it.

import type { Context } from "hono";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { AppError } from "../../../../errors.ts";
import type { FunctionId, GroupId, KeyId } from "../../../../ids.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { Confirm, noLongerShown, ShownOnce } from "../../shell/shown_once.tsx";
import { Ago, CopyLine, Notice, Time } from "../../ui/components.tsx";
import { curl, curlOf, functionsOriginOf, originOf } from "../../ui/curl_example.ts";

const PATH = "/web/keys/created";

/** A key with a new value. */
export interface NewValue {
  readonly id: KeyId;
  readonly groupId: GroupId;
  readonly name: string;
  readonly value: SecretValue;
  /** The function that the key was created for. */
  readonly functionId?: FunctionId | undefined;
  /** Why the function could not be changed to require the group. */
  readonly problem?: string | undefined;
  /** Set if the value replaces another one. */
  readonly rolled?: {
    /** The end of the value before, such as `…x7Qw`; null if it could not be read. */
    readonly preview: string | null;
    /** Until when that is accepted; null if it is not. Milliseconds since 1970 UTC. */
    readonly until: number | null;
  } | undefined;
}

interface Shown extends NewValue {
  /** Origins of the API and of functions, as the browser that posted the form reaches them. */
  readonly origins: { readonly api: string; readonly functions: string };
}

export interface ShownKeys {
  /** Keeps the value for the session of the request; returns the address of the page that shows it. */
  keep(c: Context<WebEnv>, key: NewValue): Promise<string>;
}

export function addCreated(web: Web, deps: WebDeps): ShownKeys {
  const shown = new ShownOnce<Shown>({
    shared: deps.shared,
    kind: "key",
    write: ({ value, ...key }) => JSON.stringify({ ...key, value: value.reveal() }),
    read: (text) => {
      const { value, ...key } = JSON.parse(text);
      return { ...key, value: new SecretValue(value) };
    },
  });

  web.get(PATH, async (c) => {
    const key = await shown.find(c);
    if (key) return createdPage(c, deps, key);
    return noLongerShown(c, {
      title: "API key",
      advice: "If you lost the value, roll the key to give it another one.",
      back: "/web/keys",
    });
  });

  web.post(PATH, async (c) => {
    const key = await shown.confirm(c);
    if (!key) return redirect(c, "/web/keys");
    return redirect(c, key.rolled ? `/web/keys/${key.id}` : `/web/keys/groups/${key.groupId}`);
  });

  return {
    async keep(c, key) {
      const origins = { api: originOf(c), functions: functionsOriginOf(c, deps.settings) };
      return `${PATH}?${await shown.keep(c, { ...key, origins })}`;
    },
  };
}

/** Returns the function with this id; undefined if it does not exist. */
export function functionIfThere(id: FunctionId, { registry }: WebDeps): RegisteredFunction | undefined {
  try {
    return registry.get(id);
  } catch (error) {
    if (error instanceof AppError && error.status === 404) return undefined;
    throw error;
  }
}

function createdPage(c: Context<WebEnv>, deps: WebDeps, key: Shown) {
  const { id, name, rolled } = key;
  const group = deps.access.group(key.groupId);
  const target = key.functionId && functionIfThere(key.functionId, deps);
  return page(c, {
    title: rolled ? `New value of ${name}` : `API key ${name}`,
    styles: ["keys.css"],
    trail: [[`/web/keys/groups/${group.id}`, group.name], ...(rolled ? [[`/web/keys/${id}`, name]] as const : [])],
    actions: rolled === undefined && (
      <a class="button secondary" href={`/web/secrets/new?scope=key&keyId=${id}`}>
        Add secret for this key
      </a>
    ),
    children: (
      <>
        {key.problem && <p class="warning" role="alert">{key.problem}</p>}
        <section class="card new-key" aria-labelledby="value-heading">
          <h2 id="value-heading">{rolled ? "New value" : "Value"}</h2>
          <CopyLine id="key-value" text={key.value.reveal()} label="Copy the value" isPrimary />
          <p class="quiet">
            Copy it now and give it to the caller. It is stored encrypted, and no other page shows it. If it is lost,
            roll the key.
          </p>
        </section>
        {rolled && <OldValue rolled={rolled} now={deps.now()} />}
        <h2>Use it</h2>
        <Usage deps={deps} created={key} groupName={group.name} target={target || undefined} />
        <Confirm c={c} action={PATH} label="Done" />
      </>
    ),
  });
}

function OldValue({ rolled: { preview, until }, now }: { rolled: NonNullable<NewValue["rolled"]>; now: number }) {
  const old = (
    <>
      The old value{preview !== null && (
        <>
          , which ends with <code>{preview}</code>,
        </>
      )}
    </>
  );
  if (until === null) {
    return (
      <Notice kind="info">
        <p>{old} is refused from now on.</p>
      </Notice>
    );
  }
  return (
    <Notice kind="info">
      <p>
        {old} is accepted until <Time ms={until} />{" "}
        (<Ago ms={until} now={now} />). The page of the key shows this time, and can end it earlier.
      </p>
    </Notice>
  );
}

function Usage({ deps: { registry, settings }, created, groupName, target }: {
  deps: WebDeps;
  created: Shown;
  groupName: string;
  target: RegisteredFunction | undefined;
}) {
  const isPublic = target?.keys.length === 0;
  const callable = isPublic || target?.keys.includes(created.groupId) ? target : undefined;
  const example = callable ?? registry.ofGroup(created.groupId, 20).find(({ enabled }) => enabled);
  if (example) {
    return (
      <>
        <p>
          This command calls <a href={`/web/functions/${example.id}`}>{example.name}</a>
          {example === target && isPublic &&
            `, which is public: it answers calls without a key, too, until its settings require a key of ${groupName}`}:
        </p>
        <CopyLine
          id="curl-line"
          text={curlOf(created.origins.functions, example, created.value.reveal())}
          label="Copy the command"
        />
      </>
    );
  }
  if (settings.get("api.access-groups").includes(groupName)) {
    return (
      <>
        <p>Keys of {groupName} can manage this server through its API. This command lists the functions:</p>
        <CopyLine
          id="curl-line"
          text={curl(`${created.origins.api}/api/functions`, "GET", created.value.reveal())}
          label="Copy the command"
        />
        <p>
          The API is documented at <a href="/api/docs">/api/docs</a>.
        </p>
      </>
    );
  }
  return (
    <p>
      No function requires a key of {groupName} yet. Choose this group in the settings of a function under{" "}
      <a href="/web/functions">Functions</a>, and send the key in the header <code>X-API-Key</code>.
    </p>
  );
}
