// Implements /web/keys/<id>/roll, which gives a key a new value, and the page that ends the value before it.

import type { Context } from "hono";
import { keyVersion } from "../../../../core/access/values.ts";
import type { ListedKey } from "../../../../core/access/listing.ts";
import type { KeyId } from "../../../../ids.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import { DAY_MS, HOUR_MS, SECOND_MS } from "../../../../time.ts";
import { keyRoll } from "../../../inputs/key_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Ago, ButtonLink, FormActions, Notice, Time } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { FieldSet, ProblemSummary } from "../../ui/fields.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import type { ShownKeys } from "./created.tsx";
import { EXPIRY_LABELS, ExpiryFields, expiryInput, expiryOf, type ExpiryValues, readExpiry } from "./expiry.tsx";

const LABELS = { graceSeconds: "Old value", ...EXPIRY_LABELS };

interface Values extends ExpiryValues {
  readonly graceSeconds: string;
}

/** How long the old value is accepted, by seconds. */
const GRACES: readonly (readonly [seconds: number, label: string, hint?: string])[] = [
  [0, "Refuse it at once", "if it was exposed, or no caller uses it"],
  [HOUR_MS / SECOND_MS, "Accept it for 1 hour"],
  [DAY_MS / SECOND_MS, "Accept it for 24 hours"],
  [7 * DAY_MS / SECOND_MS, "Accept it for 7 days"],
];
const SUGGESTED = DAY_MS / SECOND_MS;

const CHANGED = { "": "The key was changed after you opened this page. Nothing was done. Check it again." };

export function previousValuePath(id: KeyId): string {
  return `/web/keys/${id}/previous-value`;
}

export function addRoll(web: Web, deps: WebDeps, shown: ShownKeys): void {
  const { access, commit } = deps;
  const keyOf = (c: Context<WebEnv>) => access.keySummary(parsePositiveInt(c.req.param("id")) as KeyId);

  formRoute(web, {
    path: "/web/keys/:id/roll",
    subject: keyOf,
    initial: (key): Values => ({
      graceSeconds: String(
        access.rolling.previousUntil(key) === null && !access.rolling.isExpired(key) ? SUGGESTED : 0,
      ),
      // The expiry of an expired key cannot be kept.
      ...(access.rolling.isExpired(key) ? { expires: "90", expiresAt: "" } : expiryOf(key.expiresAt)),
    }),
    read: (typed): Values => ({ graceSeconds: fieldText(typed, "graceSeconds"), ...readExpiry(typed) }),
    schema: ({ graceSeconds, ...expiry }) =>
      keyRoll.parse({
        graceSeconds: /^\d{1,9}$/.test(graceSeconds) ? Number(graceSeconds) : undefined,
        ...expiryInput(expiry, deps.now()),
      }),
    act: ({ actor, subject, input, expected }) =>
      commit(() => ({
        preview: access.preview(access.key(subject.id)),
        ...access.rolling.rollKey(actor, subject.id, input, expected),
      })),
    page: (c, form) => rollPage(c, deps, form),
    then: async ({ row: { id, groupId, name, ...row }, value, preview }, { c }) => ({
      to: await shown.keep(c, {
        id,
        groupId,
        name,
        value: new SecretValue(value),
        rolled: { preview, until: access.rolling.previousUntil(row) },
      }),
      notice: `Rolled the key "${name}". Copy its new value.`,
    }),
  });

  formRoute(web, {
    path: "/web/keys/:id/previous-value",
    subject: keyOf,
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject, expected }) => commit(() => access.rolling.revokePrevious(actor, subject.id, expected)),
    page: (c, form) => previousValuePage(c, deps, form),
    then: (_, { subject: { id, name } }) => ({
      to: `/web/keys/${id}`,
      notice: `Revoked the previous value of "${name}".`,
    }),
  });
}

function trailOf({ id, name, groupId, groupName }: ListedKey) {
  return [[`/web/keys/groups/${groupId}`, groupName], [`/web/keys/${id}`, name]] as const;
}

function rollPage(
  c: Context<WebEnv>,
  deps: WebDeps,
  { subject: key, values, problems, status }: FormState<ListedKey, Values>,
) {
  const earlier = deps.access.rolling.previousUntil(key);
  return page(c, {
    title: `Roll ${key.name}?`,
    styles: ["keys.css"],
    trail: trailOf(key),
    children: (
      <form method="post" class="narrow" novalidate>
        <FormToken />
        <VersionField version={keyVersion(key)} />
        <ProblemSummary problems={status === 412 ? CHANGED : problems} labels={LABELS} />
        <p>
          The key gets a new value, which is shown once, on the next page. Its name, its group{" "}
          <strong>{key.groupName}</strong> and{" "}
          {key.secrets === 0 ? "what it may call" : `its ${plural(key.secrets, "secret")}`} stay.
        </p>
        {earlier !== null && (
          <Notice
            kind="warn"
            title="Its last roll is not over"
            actions={<ButtonLink href={previousValuePath(key.id)} kind="secondary" isSmall>End that value</ButtonLink>}
          >
            <p>
              The value before the current one is accepted until{" "}
              <Time ms={earlier} />, and a key has two values at most. End that one first to give the current value a
              time, or roll now to end both.
            </p>
          </Notice>
        )}
        <FieldSet name="graceSeconds" label={LABELS.graceSeconds} problems={problems}>
          {GRACES.filter(([seconds]) => earlier === null || seconds === 0).map(([seconds, label, hint]) => (
            <label>
              <input
                type="radio"
                name="graceSeconds"
                value={String(seconds)}
                checked={values.graceSeconds === String(seconds)}
              />{" "}
              <span>
                {earlier === null ? label : "Refuse both values at once"}
                {hint && <span class="quiet">, {hint}</span>}
              </span>
            </label>
          ))}
        </FieldSet>
        <ExpiryFields
          values={values}
          problems={problems}
          stored={deps.access.rolling.isExpired(key) ? undefined : key.expiresAt}
          now={deps.now()}
        />
        <FormActions submit="Roll key" cancel={`/web/keys/${key.id}`} />
      </form>
    ),
  }, status);
}

function previousValuePage(
  c: Context<WebEnv>,
  { access, now }: WebDeps,
  { subject: key, problems, status }: FormState<ListedKey, undefined>,
) {
  const until = access.rolling.previousUntil(key);
  return page(c, {
    title: `Revoke the previous value of ${key.name}?`,
    trail: trailOf(key),
    children: until === null
      ? (
        <>
          <p>The previous value of this key is not accepted any more.</p>
          <p>
            <ButtonLink href={`/web/keys/${key.id}`} kind="secondary">Back to the key</ButtonLink>
          </p>
        </>
      )
      : (
        <form method="post" class="narrow">
          <FormToken />
          <VersionField version={keyVersion(key)} />
          <ProblemSummary problems={status === 412 ? CHANGED : problems} labels={{}} />
          <p>
            Callers that still send it will be refused at once; otherwise it is accepted until <Time ms={until} />{" "}
            (<Ago ms={until} now={now()} />). The current value stays.
          </p>
          <FormActions
            submit="Revoke previous value"
            kind="danger"
            cancel={`/web/keys/${key.id}`}
            cancelLabel="Keep it"
          />
        </form>
      ),
  }, status);
}
