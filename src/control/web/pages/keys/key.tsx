// Implements /web/keys/<id>: shows a key, changes its name and description, and revokes it.

import type { Context } from "hono";
import { MANAGEMENT_GROUP } from "../../../../core/access/access.ts";
import { keyVersion } from "../../../../core/access/values.ts";
import type { KeyId } from "../../../../ids.ts";
import type { ListedKey } from "../../../../core/access/listing.ts";
import { keySubject } from "../../../../store/metrics.ts";
import { DAY_MS } from "../../../../time.ts";
import { keyChange } from "../../../inputs/key_schemas.ts";
import { Altered } from "../../ui/altered.tsx";
import { Ago, ButtonLink, Card, Fact, Facts, FormActions, Notice, Time } from "../../ui/components.tsx";
import { ProblemSummary, TextArea, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { Conflict, differences, VersionField } from "../../ui/conflict.tsx";
import { fieldText, redirect } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { count, parsePositiveInt, plural } from "../../ui/format.ts";
import { DayChart } from "../home/day_chart.tsx";
import {
  Expiry,
  EXPIRY_LABELS,
  ExpiryFields,
  expiryInput,
  expiryOf,
  expiryText,
  type ExpiryValues,
  readExpiry,
} from "./expiry.tsx";
import { FUNCTIONS_LISTED, KeyFunctions } from "./functions.tsx";
import { LastUsed, Preview, secretsOf } from "./lists.tsx";
import { previousValuePath } from "./roll.tsx";
import { SecretNames, SECRETS_NAMED } from "./secret_names.tsx";

/** How many of its secrets are listed. */
const SECRETS_LISTED = 8;
const LABELS = { name: "Name", description: "Description", ...EXPIRY_LABELS };

interface Values extends ExpiryValues {
  readonly name: string;
  readonly description: string;
}

export function addKey(web: Web, deps: WebDeps): void {
  const { access, commit } = deps;
  const keyOf = (c: Context<WebEnv>) => access.keySummary(parsePositiveInt(c.req.param("id")) as KeyId);

  formRoute(web, {
    path: "/web/keys/:id",
    subject: keyOf,
    initial: ({ name, description, expiresAt }): Values => ({ name, description, ...expiryOf(expiresAt) }),
    read: (typed): Values => ({
      name: fieldText(typed, "name"),
      description: fieldText(typed, "description"),
      ...readExpiry(typed),
    }),
    schema: ({ name, description, ...expiry }) =>
      keyChange.parse({ name, description, ...expiryInput(expiry, deps.now()) }),
    act: ({ actor, subject, input, expected }) => commit(() => access.updateKey(actor, subject.id, input, expected)),
    page: (c, form) => keyPage(c, deps, form),
    then: (_, { subject }) => ({ to: `/web/keys/${subject.id}`, notice: "Saved." }),
  });

  web.get("/web/keys/:id/revoke", (c) => revokePage(c, deps, keyOf(c)));

  web.post("/web/keys/:id/revoke", async (c) => {
    const key = keyOf(c);
    await commit(() => access.deleteKey(c.get("actor"), key.id));
    const secrets = key.secrets === 0 ? "" : ` and deleted its ${plural(key.secrets, "secret")}`;
    return redirect(c, `/web/keys/groups/${key.groupId}`, `Revoked the key "${key.name}"${secrets}.`);
  });
}

function keyPage(c: Context<WebEnv>, deps: WebDeps, form: FormState<ListedKey, Values>) {
  const { subject: key, status } = form;
  const isAltered = deps.isAltered("api_keys", key.id);
  return page(c, {
    title: `API key ${key.name}`,
    styles: ["keys.css", "bars.css", "home.css"],
    trail: [[`/web/keys/groups/${key.groupId}`, key.groupName]],
    actions: (
      <>
        <ButtonLink href={`/web/keys/${key.id}/revoke`} kind="danger-quiet">Revoke</ButtonLink>
        {!isAltered && <ButtonLink href={`/web/keys/${key.id}/roll`} kind="secondary">Roll</ButtonLink>}
        <ButtonLink href={`/web/secrets/new?scope=key&keyId=${key.id}`}>Add secret</ButtonLink>
      </>
    ),
    children: (
      <>
        <Expired keyRow={key} deps={deps} />
        <PreviousValue keyRow={key} deps={deps} />
        <KeyFacts keyRow={key} deps={deps} />
        <div class="key-columns">
          <div>
            <DayChart deps={deps} of={keySubject(key.id)} href={`/web/metrics?key=${key.id}&range=two-days`} />
            <h2>Functions that it opens</h2>
            <KeyFunctions
              keyRow={key}
              functions={deps.registry.ofGroup(key.groupId, FUNCTIONS_LISTED + 1)}
              manages={deps.settings.get("api.access-groups").includes(key.groupName)}
            />
          </div>
          <div>
            <OwnSecrets keyRow={key} deps={deps} />
            <Card title="Details" id="details">
              {isAltered
                ? (
                  <Altered
                    what="key"
                    effect="Callers with it are refused."
                    remove={{ href: `/web/keys/${key.id}/revoke`, label: "Revoke it" }}
                  />
                )
                : <KeyForm form={form} now={deps.now()} />}
            </Card>
          </div>
        </div>
      </>
    ),
  }, status === 200 || status === 412 ? status : 400);
}

/** Says that a roll is not over: until when the value before is accepted. */
function PreviousValue({ keyRow: key, deps: { access, now } }: { keyRow: ListedKey; deps: WebDeps }) {
  const until = access.rolling.previousUntil(key);
  if (until === null) return null;
  return (
    <Notice
      kind="info"
      title="Two values are accepted"
      actions={
        <ButtonLink href={previousValuePath(key.id)} kind="secondary" isSmall>Revoke the previous value</ButtonLink>
      }
    >
      <p>
        The key was rolled <Ago ms={key.rolledAt!} now={now()} />. Callers may send its previous value until{" "}
        <Time ms={until} /> (<Ago ms={until} now={now()} />).
      </p>
    </Notice>
  );
}

/** Says that callers with the key are refused. */
function Expired({ keyRow: { expiresAt }, deps: { access, now } }: { keyRow: ListedKey; deps: WebDeps }) {
  if (expiresAt === null || !access.rolling.isExpired({ expiresAt })) return null;
  return (
    <Notice kind="warn" title="The key has expired">
      <p>
        Callers with it have been refused since <Time ms={expiresAt} />{" "}
        (<Ago ms={expiresAt} now={now()} />). To let them in again, choose another time under{" "}
        <a href="#details">Details</a> or roll the key; to delete it with its secrets, revoke it.
      </p>
    </Notice>
  );
}

/** The names of the key's own secrets, each with the way to its value. */
function OwnSecrets({ keyRow: key, deps: { secrets } }: { keyRow: ListedKey; deps: WebDeps }) {
  const listed = key.secrets === 0 ? [] : secrets.list({ keyId: key.id }, 0, SECRETS_LISTED).secrets;
  return (
    <Card
      title="Secrets of this key"
      id="secrets"
      actions={<a href={`/web/secrets/exposure?keyId=${key.id}`}>Read so far</a>}
    >
      {listed.length === 0
        ? <p class="quiet">None of its own. Its calls get the secrets of its group, of the function and global ones.</p>
        : (
          <ul class="plain">
            {listed.map(({ id, name }) => (
              <li>
                <a href={`/web/secrets/${id}/edit`}>
                  <code>{name}</code>
                </a>
              </li>
            ))}
          </ul>
        )}
      {key.secrets > listed.length && (
        <p>
          <a href={secretsOf(key.id)}>All {plural(key.secrets, "secret")}</a>
        </p>
      )}
    </Card>
  );
}

function KeyForm({ form: { subject: key, values, problems, status }, now }: {
  form: FormState<ListedKey, Values>;
  now: number;
}) {
  const { id, name, description, expiresAt } = key;
  return (
    <form method="post" novalidate>
      <FormToken />
      <VersionField version={keyVersion(key)} />
      {status === 412
        ? (
          <Conflict
            differences={differences(LABELS, {
              name,
              description,
              expires: expiryText(expiryOf(expiresAt), expiresAt),
            }, {
              name: values.name,
              description: values.description,
              expires: expiryText(values, expiresAt),
            })}
            reload={`/web/keys/${id}`}
          />
        )
        : <ProblemSummary problems={problems} labels={LABELS} />}
      <TextField name="name" label="Name" value={values.name} problems={problems} required autocomplete="off" />
      <TextArea name="description" label="Description" value={values.description} problems={problems} rows={2} />
      <ExpiryFields values={values} problems={problems} stored={expiresAt} now={now} />
      <button type="submit">Save</button>
    </form>
  );
}

function revokePage(c: Context<WebEnv>, deps: WebDeps, key: ListedKey) {
  const { access, secrets, settings } = deps;
  return page(c, {
    title: `Revoke ${key.name}?`,
    trail: [[`/web/keys/groups/${key.groupId}`, key.groupName], [`/web/keys/${key.id}`, key.name]],
    children: (
      <>
        <KeyFacts keyRow={key} deps={deps} />
        <p>
          Callers with this key will be refused at once. A revoked key cannot be restored
          {key.groupName === MANAGEMENT_GROUP && (
            <>
              {" "}
              here; only starting the server with its value in <code>BOOTSTRAP_API_KEY</code> restores it
            </>
          )}.
        </p>
        {access.isLastOf(key, settings.get("api.access-groups")) && <LastKeyWarning />}
        <form method="post">
          <FormToken />
          <SecretNames
            secrets={secrets.list({ keyId: key.id }, 0, SECRETS_NAMED).secrets}
            total={key.secrets}
            owner="key"
          />
          <FormActions submit="Revoke key" kind="danger" cancel={`/web/keys/${key.id}`} cancelLabel="Keep it" />
        </form>
      </>
    ),
  });
}

function LastKeyWarning() {
  return (
    <div class="warning" role="alert">
      <p>
        <strong>This is the last key that can use the API.</strong>{" "}
        Without it, scripts can no longer manage this server; admins who sign in here still can. To create a new key,
        run <code>deno task cli keys create</code> on the server's machine.
      </p>
    </div>
  );
}

function KeyFacts({ keyRow: key, deps: { access, metrics, now } }: { keyRow: ListedKey; deps: WebDeps }) {
  const { calls, errors } = metrics.summary(keySubject(key.id), now() - DAY_MS);
  return (
    <Facts>
      <Fact term="Group">
        <a href={`/web/keys/groups/${key.groupId}`}>{key.groupName}</a>
      </Fact>
      <Fact term="Value">
        <Preview preview={access.preview(key)} />
      </Fact>
      <Fact term="Created">
        <Time ms={key.createdAt} />
      </Fact>
      {key.rolledAt !== null && (
        <Fact term="Rolled">
          <Ago ms={key.rolledAt} now={now()} />
        </Fact>
      )}
      <Fact term="Expires">
        <Expiry at={key.expiresAt} now={now()} />
      </Fact>
      <Fact term="Last used">
        <LastUsed at={key.lastUsedAt} now={now()} />
      </Fact>
      <Fact term="Calls, last 24 hours">
        <a href={`/web/metrics?key=${key.id}&range=two-days`}>{count(calls)}</a>
        {errors > 0 && `, ${plural(errors, "error")}`} · <a href={`/web/logs?key=${key.id}`}>Log</a>
      </Fact>
    </Facts>
  );
}
