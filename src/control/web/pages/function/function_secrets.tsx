// Implements the tab "Secrets" of a function: which value of each secret a call with a given key gets.

import { z } from "zod";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { Explanation, ValueOf } from "../../../../core/secrets/explain.ts";
import type { KeyId, SecretName } from "../../../../ids.ts";
import type { KeyRow } from "../../../../store/access.ts";
import { idText, secretName } from "../../../inputs/fields.ts";
import { Badge, Empty, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";
import { SCOPE_LABELS, SECRETS, urlWithQuery } from "../../ui/secret_labels.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { codeOf } from "./code.tsx";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { functionFrame, functionOf } from "./tabs.tsx";

const PAGE_SIZE = 50;

const askedSchema = z.object({
  keyId: idText<KeyId>().optional().catch(undefined),
  after: secretName().optional().catch(undefined),
});

/** A name that the code asks for or that is set for the call. */
interface Row {
  readonly name: SecretName;
  readonly isAsked: boolean;
  readonly isAllowed: boolean;
  readonly explanation: Explanation | undefined;
}

export function addFunctionSecrets(web: Web, deps: WebDeps): void {
  web.get(`${LIST_PATH}/:id{[^/]+}/secrets`, async (c) => {
    const entry = functionOf(c, deps);
    const { keyId, after } = askedSchema.parse(c.req.query());
    const [code] = await Promise.all([codeOf(entry, deps), deps.conditions.look([entry])]);
    const key = keyId === undefined ? undefined : deps.access.key(keyId);
    const frame = functionFrame(c, entry, "secrets", deps);
    return page(c, {
      ...frame,
      styles: [...frame.styles, "secrets.css"],
      children: (
        <>
          {frame.children}
          <form method="get" action={`${pathOf(entry.id)}/secrets`} class="filters">
            <OwnerField
              matrix={deps.matrix}
              scope="key"
              name="keyId"
              value={String(keyId ?? "")}
              empty="A call without a key"
            />
            <button type="submit" class="secondary">Show</button>
          </form>
          <Names entry={entry} code={"text" in code ? code.text : ""} callKey={key} after={after} deps={deps} />
        </>
      ),
    });
  });
}

function Names({ entry, code, callKey, after, deps }: {
  entry: RegisteredFunction;
  code: string;
  callKey: KeyRow | undefined;
  after: SecretName | undefined;
  deps: WebDeps;
}) {
  const call = { target: entry, key: callKey };
  const { outcome, names, next } = deps.explainer.explain(call, { after }, PAGE_SIZE);
  const asked = deps.references.inCode(entry, code);
  const isAsked = (name: SecretName) => asked.some((one) => one.name === name);
  // The names in the code come first, on the first page only.
  const rows: Row[] = [
    ...(after === undefined ? asked : []).map(({ name, allowed }) => ({
      name,
      isAsked: true,
      isAllowed: allowed,
      explanation: deps.explainer.explain(call, { name }, 1).names[0],
    })),
    ...names.filter(({ name }) => !isAsked(name)).map((explanation) => ({
      name: explanation.name,
      isAsked: false,
      isAllowed: true,
      explanation,
    })),
  ];
  return (
    <>
      {!outcome.allowed && <p class="warning">Such a call gets {outcome.status}: {outcome.reason}</p>}
      {rows.length === 0
        ? (
          <Empty>
            The code asks for no secret, and none is set for such a call. Read one with{" "}
            <code>await ctx.getSecret("NAME")</code>.
          </Empty>
        )
        : (
          <DataTable
            label="Secrets of this function"
            isStacked
            rows={rows}
            columns={[
              {
                label: "Name",
                isRowHeader: true,
                cell: ({ name }) => <a href={`${SECRETS}/names/${encodeURIComponent(name)}`}>{name}</a>,
              },
              {
                label: "In the code",
                cell: ({ isAsked }) => isAsked ? "asked for" : <span class="quiet">not found</span>,
              },
              { label: "Such a call gets", cell: (row) => <Answer row={row} entry={entry} /> },
              { label: "Shadows", cell: ({ explanation }) => <Values of={explanation?.shadowed ?? []} /> },
            ]}
          />
        )}
      <p class="hint">
        Names that the code computes, and those that its modules ask for, are not found.
      </p>
      <Pager
        next={next && urlWithQuery(`${pathOf(entry.id)}/secrets`, { keyId: callKey?.id, after: next })}
        what="names"
      />
    </>
  );
}

function Answer({ row: { name, isAllowed, explanation }, entry }: { row: Row; entry: RegisteredFunction }) {
  if (!isAllowed) return <Badge kind="warn">not allowed by the settings</Badge>;
  const winner = explanation?.winner;
  if (winner) return <Values of={[winner]} />;
  const query = { name, scope: "function", functionId: entry.id };
  return (
    <>
      <Badge kind="plain">undefined</Badge>{" "}
      <a href={urlWithQuery(`${SECRETS}/new`, query)} aria-label={`Add secret ${name} for ${entry.name}`}>Add</a>
    </>
  );
}

function Values({ of: values }: { of: readonly ValueOf[] }) {
  if (values.length === 0) return <span class="quiet">–</span>;
  return (
    <>
      {values.map(({ scope, scopeName }, index) => (
        <>
          {index > 0 && ", "}
          {SCOPE_LABELS[scope]}
          {scopeName !== null && ` ${scopeName}`}
        </>
      ))}
    </>
  );
}
