// Implements /web/secrets/resolve: which secrets a function gets on a call with a given key, and why.

import { z } from "zod";
import { AppError } from "../../../../errors.ts";
import { type FunctionId, type KeyId, type Scope, SCOPES } from "../../../../ids.ts";
import type { Call, CallOutcome, Explanation, ValueOf } from "../../../../core/secrets/explain.ts";
import { idText, secretName } from "../../../inputs/fields.ts";
import { Badge, Empty, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { namePath } from "./browse.tsx";
import { isPart } from "./one_secret.ts";
import { viewPage } from "./views.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";
import { SCOPE_LABELS, SECRETS, urlWithQuery } from "../../ui/secret_labels.ts";

const PAGE_SIZE = 50;
const RESOLVE = `${SECRETS}/resolve`;

const askedSchema = z.object({
  functionId: idText<FunctionId>().optional().catch(undefined),
  keyId: idText<KeyId>().optional().catch(undefined),
  q: z.string().max(255).catch(""),
  after: secretName().optional().catch(undefined),
});
type Asked = z.infer<typeof askedSchema>;

export function addResolvePage(web: Web, deps: WebDeps): void {
  web.get(RESOLVE, (c) => {
    const asked = withOnlyFunction(askedSchema.parse(c.req.query()), deps);
    const answer = (
      <div id="results" data-address={urlWithQuery(RESOLVE, asked)}>
        {asked.functionId === undefined ? <Example /> : <Answer asked={asked} deps={deps} />}
      </div>
    );
    if (isPart(c)) {
      return c.html(
        <>
          {answer}
          {c.req.query("changed") === "function" && (
            <hx-partial hx-target="#resolve-key" hx-swap="innerHTML">
              <KeyField asked={asked} deps={deps} />
            </hx-partial>
          )}
        </>,
      );
    }
    return viewPage(c, deps, {
      view: "resolve",
      title: "Resolve as…",
      scripts: ["secrets.js"],
      children: (
        <>
          <p>Which value does a function get, and why? Choose a function and the API key of a call.</p>
          <Question asked={asked} deps={deps} />
          <p id="announcer" class="visually-hidden" role="status"></p>
          {answer}
        </>
      ),
    });
  });
}

/** With a single function, there is nothing to choose. */
function withOnlyFunction(asked: Asked, { matrix }: WebDeps): Asked {
  if (asked.functionId !== undefined) return asked;
  const [only, ...others] = matrix.owners("function", "", 2);
  return only && others.length === 0 ? { ...asked, functionId: only.id as FunctionId } : asked;
}

/** Attributes of a field whose change shows the answer at once. */
function live(trigger: string, path = RESOLVE) {
  return {
    "hx-get": path,
    "hx-trigger": trigger,
    "hx-include": "closest form",
    "hx-target": "#results",
    "hx-swap": "outerHTML",
    "hx-sync": "closest form:replace",
  };
}

/** The keys that can call the function. */
function KeyField({ asked, deps }: { asked: Asked; deps: WebDeps }) {
  const call = asked.functionId === undefined ? undefined : callOf({ ...asked, keyId: undefined }, deps);
  const target = typeof call === "string" ? undefined : call?.target;
  return (
    <OwnerField
      matrix={deps.matrix}
      scope="key"
      name="keyId"
      value={String(asked.keyId ?? "")}
      empty="No key"
      callable={target}
      hint={target?.keys.length === 0 ? "The function is public: it ignores keys." : undefined}
      {...live("change")}
    />
  );
}

function Question({ asked, deps }: { asked: Asked; deps: WebDeps }) {
  const { functionId, q } = asked;
  const { matrix } = deps;
  return (
    <form method="get" action={RESOLVE} class="filters hinted live resolve">
      <OwnerField
        matrix={matrix}
        scope="function"
        name="functionId"
        value={String(functionId ?? "")}
        empty="Choose a function"
        {...live("change", `${RESOLVE}?changed=function`)}
      />
      <div id="resolve-key" class="owner">
        <KeyField asked={asked} deps={deps} />
      </div>
      <TextField
        name="q"
        type="search"
        label="Search names"
        value={q}
        autocomplete="off"
        isVerbatim
        {...live("input changed delay:200ms")}
      />
      <button type="submit" class="secondary">Resolve</button>
    </form>
  );
}

/** The four cells of a search, before a function is chosen. */
function Example() {
  return (
    <figure class="example">
      <figcaption>
        For each name, the scopes are searched in this order. The first value found is the one that the call gets, as
        here that of the caller's group:
      </figcaption>
      <ol class="search-order">
        {EXAMPLE_STEPS.map(({ scope, text, look }) => (
          <li>
            <span class="quiet">{SCOPE_LABELS[scope]}</span>
            <span class={`step ${look}`}>{text}</span>
          </li>
        ))}
      </ol>
    </figure>
  );
}

const EXAMPLE_STEPS = [
  { scope: "key", text: "not set", look: "" },
  { scope: "group", text: "staging: the call gets this", look: "found" },
  { scope: "function", text: "orders: shadowed", look: "" },
  { scope: "global", text: "set: shadowed", look: "" },
] as const satisfies readonly { scope: Scope; text: string; look: string }[];

/** Returns the call that the address describes; a sentence if the function or the key does not exist. */
function callOf({ functionId, keyId }: Asked, { registry, access }: WebDeps): Call | string {
  try {
    return { target: registry.get(functionId!), key: keyId === undefined ? undefined : access.key(keyId) };
  } catch (error) {
    if (error instanceof AppError) return error.message;
    throw error;
  }
}

function Answer({ asked, deps }: { asked: Asked; deps: WebDeps }) {
  const call = callOf(asked, deps);
  if (typeof call === "string") return <p class="warning">{call} Choose another.</p>;
  const { outcome, names, next } = deps.explainer.explain(call, { search: asked.q, after: asked.after }, PAGE_SIZE);
  return (
    <>
      <Outcome outcome={outcome} call={call} />
      {names.length > 0 && (
        <DataTable
          label="Resolved secrets"
          caption="The value that such a call gets for each name"
          class="resolved"
          isStacked
          rows={names}
          columns={[
            { label: "Name", isRowHeader: true, cell: ({ name }) => <a href={namePath(name)}>{name}</a> },
            ...SCOPES.map((scope) => ({
              label: SCOPE_LABELS[scope],
              cell: (explanation: Explanation) => <ScopeCell explanation={explanation} scope={scope} deps={deps} />,
            })),
            { label: "Result", cell: (explanation) => <Result explanation={explanation} deps={deps} /> },
          ]}
        />
      )}
      {names.length === 0 && (outcome.allowed || outcome.status !== 403) && (
        <Empty>
          <p>{asked.q || asked.after ? "No such name is set for this call." : "Nothing is set for this call."}</p>
          <p>
            <a href={urlWithQuery(`${SECRETS}/new`, { scope: "function", functionId: asked.functionId })}>
              Set a value for this function
            </a>
          </p>
        </Empty>
      )}
      <Pager next={next && urlWithQuery(RESOLVE, { ...asked, after: next })} what="names" />
    </>
  );
}

function Outcome({ outcome, call: { target, key } }: { outcome: CallOutcome; call: Call }) {
  const who = key ? `the key "${key.name}" of the group "${key.groupName}"` : "no key";
  const isPublic = target.keys.length === 0;
  return (
    <>
      <p>
        A call of <a href={`/web/functions/${target.id}`}>{target.name}</a> with {who}:
      </p>
      {!outcome.allowed && (
        <p class="warning">
          Such a call is refused with {outcome.status}. {outcome.reason} {outcome.status === 403
            ? "It gets no secret."
            : outcome.status === 401
            ? "Below is what all callers have in common; choose a key to see what its holder gets."
            : "Below is what it would get."}
        </p>
      )}
      {isPublic && key && (
        <p class="warning">
          This function is public: it ignores keys, and cannot read values of groups and keys.
        </p>
      )}
    </>
  );
}

/** What the search finds in one scope: the value that the call gets, one behind it, one that is closed, or nothing. */
function ScopeCell({ explanation: { winner, shadowed, closed }, scope, deps }: {
  explanation: Explanation;
  scope: Scope;
  deps: WebDeps;
}) {
  const isOfScope = (value: ValueOf) => value.scope === scope;
  const cells = [
    {
      value: winner && isOfScope(winner) ? winner : undefined,
      look: "step found",
      words: "the one that the call gets",
    },
    { value: shadowed.find(isOfScope), look: "step", words: "shadowed" },
    { value: closed.find(isOfScope), look: "step closed", words: "closed" },
  ];
  const cell = cells.find(({ value }) => value !== undefined);
  if (!cell) {
    return (
      <>
        <span class="quiet" aria-hidden="true">–</span>
        <span class="visually-hidden">not set</span>
      </>
    );
  }
  const isBad = cell.value === winner && isUnreadable(winner!, deps);
  return (
    <span class={isBad ? "step bad" : cell.look}>
      {cell.value!.scopeName ?? "Set"}
      <span class="visually-hidden">, {cell.words}</span>
    </span>
  );
}

function Result({ explanation: { winner, closed }, deps }: { explanation: Explanation; deps: WebDeps }) {
  return (
    <>
      {winner === undefined ? <code>undefined</code> : isUnreadable(winner, deps)
        ? (
          <>
            <Badge kind="bad">Unreadable</Badge> <span class="quiet">gives undefined, not the next value</span>
          </>
        )
        : SCOPE_LABELS[winner.scope]}
      {closed.length > 0 && (
        <small class="description">
          {closed[0]!.closedBy === "secrets" ? "The function may not ask for this name." : "The function is public."}
        </small>
      )}
    </>
  );
}

function isUnreadable(value: ValueOf, { secrets }: WebDeps): boolean {
  return value.id === null || secrets.problemOf(secrets.get(value.id)) !== null;
}
