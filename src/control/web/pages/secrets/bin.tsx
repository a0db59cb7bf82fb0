// Implements the bin: the secrets that were deleted in the last 30 days, with restoring and purging them.

import type { Context } from "hono";
import { BIN_DAYS, type DeletedSecret } from "../../../../core/secrets/bin.ts";
import type { OwnerRef, SecretId } from "../../../../ids.ts";
import { idText, query } from "../../../inputs/fields.ts";
import { cursorOf, cursorSchema, ownerQuery } from "../../../inputs/secret_schemas.ts";
import { Ago, Badge, ButtonLink, Empty, FormActions, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { authorText } from "../history/parts.tsx";
import { OwnerName } from "../../ui/owner_name.tsx";
import { ownerWords, SECRETS, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { type Fields, ownerInput, readFields, SCOPE_FORM_LABELS, ScopeFields } from "./form.tsx";
import { viewPage } from "./views.tsx";

export const BIN = `${SECRETS}/deleted`;
const PAGE_SIZE = 50;

const pageQuery = query({ after: cursorSchema });

export function addBin(web: Web, deps: WebDeps): void {
  const { bin } = deps.secrets;
  const subject = (c: Context<WebEnv>): DeletedSecret => bin.get(idText<SecretId>().parse(c.req.param("id")));

  web.get(BIN, (c) => {
    const { after } = pageQuery.parse(c.req.query());
    const { secrets, next } = bin.list(after, PAGE_SIZE);
    return viewPage(c, deps, {
      view: "deleted",
      title: "Deleted secrets",
      children: secrets.length === 0
        ? (
          <Empty icon="trash" title="No secrets were deleted lately">
            <p>
              A deleted secret stays here with all of its versions for {BIN_DAYS}{" "}
              days, also one that was deleted with its function, group or key. Until then, it can be restored.
            </p>
          </Empty>
        )
        : (
          <>
            <p>
              Functions cannot read these secrets. Each is removed with its values {BIN_DAYS} days after it was deleted.
            </p>
            <Deleted secrets={secrets} now={deps.now()} />
            <Pager next={next === undefined ? undefined : `${BIN}?after=${cursorOf(next)}`} what="secrets" />
          </>
        ),
    });
  });

  formRoute(web, {
    path: `${BIN}/:id{[1-9][0-9]*}/restore`,
    subject,
    initial: (): Fields => ({ scope: "global" }),
    read: (typed) => readFields(typed, ["to", "scope", "functionId", "groupId", "keyId"]),
    schema: ({ to, ...owner }): OwnerRef | undefined => to === "other" ? ownerQuery.parse(textsOf(owner)) : undefined,
    act: ({ actor, subject: { id }, input }) => deps.commit(() => bin.restore(actor, id, input)),
    page: (c, { subject, values, problems, status }) => restorePage(c, deps, subject, values, problems, status),
    then: (_, { subject: { id } }) => {
      const row = deps.secrets.get(id);
      return { to: namePath(row.name), notice: `Restored ${secretWords(row)}.` };
    },
  });

  formRoute(web, {
    path: `${BIN}/:id{[1-9][0-9]*}/purge`,
    subject,
    initial: () => undefined,
    read: () => undefined,
    act: ({ actor, subject: { id } }) => deps.commit(() => bin.purge(actor, id)),
    page: (c, { subject, problems, status }) => purgePage(c, subject, problems, status),
    then: (_, { subject }) => ({ to: BIN, notice: `Deleted ${secretWords(subject)} permanently.` }),
  });
}

/** Returns an owner as a query has it: texts. */
function textsOf(fields: Fields): Record<string, string> {
  const given = Object.entries(ownerInput(fields)).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

function Deleted({ secrets, now }: { secrets: readonly DeletedSecret[]; now: number }) {
  return (
    <DataTable
      label="Deleted secrets"
      isStacked
      rows={secrets}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          cell: ({ name, sealed }) => (
            <>
              {name} {sealed && <Badge kind="plain">Sealed</Badge>}
            </>
          ),
        },
        { label: "Belonged to", class: "words", cell: (secret) => <OwnerName {...secret} isGone /> },
        { label: "Deleted", cell: ({ deletedAt }) => <Ago ms={deletedAt} now={now} /> },
        { label: "By", class: "words who", cell: ({ deletedBy }) => authorText(deletedBy) },
        { label: "Removed", cell: ({ purgeAt }) => <Ago ms={purgeAt} now={now} /> },
        {
          label: "Actions",
          isActions: true,
          narrowLabel: null,
          cell: (secret) => (
            <>
              <ButtonLink
                href={`${BIN}/${secret.id}/restore`}
                kind="secondary"
                icon="undo-2"
                label={`Restore … ${secretWords(secret)}`}
              >
                Restore …
              </ButtonLink>
              <ButtonLink
                href={`${BIN}/${secret.id}/purge`}
                kind="danger-quiet"
                label={`Delete permanently … ${secretWords(secret)}`}
              >
                Delete permanently …
              </ButtonLink>
            </>
          ),
        },
      ]}
    />
  );
}

/** Where the pages of one deleted secret are. */
const TRAIL = [[BIN, "Deleted secrets"]] as const;

type Status = Parameters<typeof page>[2];

function restorePage(
  c: Context<WebEnv>,
  { matrix, secrets }: WebDeps,
  secret: DeletedSecret,
  fields: Fields,
  problems?: Problems,
  status: Status = 200,
) {
  const hasOwner = secrets.bin.hasOwner(secret);
  const action = `${BIN}/${secret.id}/restore`;
  return page(c, {
    title: `Restore ${secret.name}?`,
    trail: TRAIL,
    styles: ["secrets.css"],
    children: (
      <>
        <ProblemSummary problems={problems} labels={SCOPE_FORM_LABELS} />
        {hasOwner
          ? (
            <form method="post" action={action} class="narrow">
              <FormToken />
              <p>
                <b>{secret.name}</b> with its values belongs to{" "}
                <b>{secret.owner.scope === "global" ? "every function" : ownerWords(secret)}</b>{" "}
                again, and functions find it there.
              </p>
              <FormActions submit={`Restore ${secret.name}`} cancel={BIN} />
            </form>
          )
          : (
            <form method="post" action={action} class="secret-form" novalidate autocomplete="off">
              <FormToken />
              <input type="hidden" name="to" value="other" />
              <p>
                Its owner, <b>{ownerWords(secret)}</b>, no longer exists. Choose another one.
              </p>
              <ScopeFields matrix={matrix} fields={fields} problems={problems} />
              <FormActions submit={`Restore ${secret.name}`} cancel={BIN} />
            </form>
          )}
      </>
    ),
  }, status);
}

function purgePage(c: Context<WebEnv>, secret: DeletedSecret, problems?: Problems, status: Status = 200) {
  return page(c, {
    title: `Delete ${secret.name} permanently?`,
    trail: TRAIL,
    styles: ["secrets.css"],
    children: (
      <form method="post" action={`${BIN}/${secret.id}/purge`} class="narrow">
        <FormToken />
        <ProblemSummary problems={problems} labels={{}} />
        <p>
          All values of <b>{secretWords(secret)}</b> will be permanently deleted. They cannot be restored then.
        </p>
        <FormActions submit={`Delete ${secret.name} permanently`} kind="danger" cancel={BIN} />
      </form>
    ),
  }, status);
}
