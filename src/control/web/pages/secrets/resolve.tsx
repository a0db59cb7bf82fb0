// /web/secrets/resolve: what a function would be given on a call with some key, and why.

import { z } from "zod";
import { AppError } from "../../../../errors.ts";
import type { FunctionId, KeyId } from "../../../../ids.ts";
import type { Call, CallOutcome, Explanation, ValueOf } from "../../../../core/secrets/explain.ts";
import { idText, secretName } from "../../../inputs/fields.ts";
import { Badge, Empty, Pager, TextField } from "../../ui/components.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { namePath } from "./browse.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";
import { address, SCOPE_LABELS, SECRETS } from "../../ui/secret_labels.ts";

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
    const asked = askedSchema.parse(c.req.query());
    return page(c, {
      title: "Resolve as…",
      styles: ["secrets.css"],
      children: (
        <>
          <p>
            Choose a function, and the API key that a call of it brings: see which value of each secret such a call
            gets, and which ones that value shadows.
          </p>
          <Question asked={asked} deps={deps} />
          {asked.functionId !== undefined && <Answer asked={asked} deps={deps} />}
        </>
      ),
    });
  });
}

function Question({ asked: { functionId, keyId, q }, deps: { overview } }: { asked: Asked; deps: WebDeps }) {
  return (
    <form method="get" action={RESOLVE} class="filters">
      <OwnerField
        overview={overview}
        scope="function"
        name="functionId"
        value={String(functionId ?? "")}
        empty="Choose a function"
      />
      <OwnerField overview={overview} scope="key" name="keyId" value={String(keyId ?? "")} empty="No key" />
      <TextField name="q" type="search" label="Search names" value={q} autocomplete="off" spellcheck="false" />
      <button type="submit">Resolve</button>
    </form>
  );
}

/** The function and key that were asked for; one that is gone, as the sentence that says so. */
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
  const { outcome, names, next } = deps.resolution.as(call, { search: asked.q, after: asked.after }, PAGE_SIZE);
  return (
    <>
      <Outcome outcome={outcome} call={call} />
      {names.length > 0 && (
        <div class="scroll" role="region" aria-label="Resolved secrets" tabindex={0}>
          <table class="resolved stack">
            <caption class="visually-hidden">What such a call gets for each name</caption>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Gets</th>
                <th scope="col">Shadows</th>
                <th scope="col">Closed</th>
              </tr>
            </thead>
            <tbody>{names.map((explanation) => <Row explanation={explanation} deps={deps} />)}</tbody>
          </table>
        </div>
      )}
      {names.length === 0 && (outcome.allowed || outcome.status !== 403) && (
        <Empty>
          <p>{asked.q || asked.after ? "No such name is set for this call." : "Nothing is set for this call."}</p>
          <p>
            <a href={address(`${SECRETS}/new`, { scope: "function", functionId: asked.functionId })}>
              Set a value for this function
            </a>
          </p>
        </Empty>
      )}
      <Pager next={next && address(RESOLVE, { ...asked, after: next })} what="names" />
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
          This function is public: keys do not count, and values of groups and keys are closed to it.
        </p>
      )}
    </>
  );
}

function Row({ explanation: { name, winner, shadowed, closed }, deps }: { explanation: Explanation; deps: WebDeps }) {
  const unreadable = winner && (winner.id === null || deps.secrets.problemOf(deps.secrets.get(winner.id)) !== null);
  return (
    <tr>
      <th scope="row">
        <a href={namePath(name)}>{name}</a>
      </th>
      <td data-label="Gets">
        {winner ? <Whose value={winner} kind="ok" /> : <span class="quiet">nothing: undefined</span>}
        {unreadable && (
          <>
            {" "}
            <Badge kind="bad">Unreadable</Badge> <span class="quiet">gives undefined, not the next value</span>
          </>
        )}
      </td>
      <td data-label="Shadows">
        <List values={shadowed} />
      </td>
      <td data-label="Closed">
        <List values={closed} />
        {closed.length > 0 && (
          <span class="quiet">
            {closed[0]!.closedBy === "secrets" ? "The function may not ask for this name." : "The function is public."}
          </span>
        )}
      </td>
    </tr>
  );
}

function List({ values }: { values: readonly ValueOf[] }) {
  if (values.length === 0) {
    return (
      <>
        <span class="quiet" aria-hidden="true">–</span>
        <span class="visually-hidden">none</span>
      </>
    );
  }
  return (
    <ul class="plain">
      {values.map((value) => (
        <li>
          <Whose value={value} kind="off" />
        </li>
      ))}
    </ul>
  );
}

function Whose({ value: { scope, scopeName }, kind }: { value: ValueOf; kind: "ok" | "off" }) {
  return (
    <>
      <Badge kind={kind}>{SCOPE_LABELS[scope]}</Badge> {scopeName}
    </>
  );
}
