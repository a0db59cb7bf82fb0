// Implements "Try it": calls a function with the same checks as for any caller, and shows the response as text.

import { Buffer } from "node:buffer";
import { AppError } from "../../../../errors.ts";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { METHODS } from "../../../../core/functions/router.ts";
import type { GroupId, KeyId } from "../../../../ids.ts";
import type { LogEntry } from "../../../../telemetry/logs.ts";
import { withoutApiKey } from "../../../../http/credentials.ts";
import { asText } from "../../../inputs/body.ts";
import { ChoiceField, Options, typedFind } from "../../ui/searchable_select.tsx";
import { Badge, ButtonLink } from "../../ui/components.tsx";
import { CodeField, type Option, ProblemSummary, SelectField, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { sizeText } from "../../ui/code_form.tsx";
import { attempt, fieldText, type Problems, readForm, type Typed } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { parsePositiveInt, took } from "../../ui/format.ts";
import { callOnce, filledPath, parametersOf, requestOf, type TrialResponse } from "./try_request.ts";
import { functionFrame, functionOf } from "./tabs.tsx";
import { LIST_PATH, pathOf } from "../functions/list.tsx";

export interface Trial {
  readonly method: string;
  readonly path: string;
  /** Values of the route's parameters, by name. */
  readonly values: ReadonlyMap<string, string>;
  readonly headers: string;
  readonly body: string;
  /** "" for no key, the id of a key, or "pasted". */
  readonly key: string;
  readonly problems?: Problems;
  /** The request line that was sent, such as "GET /run/hello/Ada". */
  readonly sent?: string;
  readonly response?: TrialResponse;
  /** Log entries of this call, the oldest first. */
  readonly log?: readonly LogEntry[];
}

const LABELS = { path: "Path", headers: "Headers", body: "Body", key: "API key", pastedKey: "Pasted key" };
/** How many keys are listed; typing finds the others. */
const KEYS_MAX = 100;
const NO_KEY = "None";
const PASTED = { value: "pasted", label: "The key pasted below" };
const LOG_SHOWN_MAX = 100;

export function blankTrial({ methods, route }: RegisteredFunction): Trial {
  return { method: sorted(methods)[0]!, path: route, values: new Map(), headers: "", body: "", key: "" };
}

export function addTrial(web: Web, deps: WebDeps): void {
  web.get(`${LIST_PATH}/:id{[^/]+}/keys`, (c) => {
    const { keys } = functionOf(c, deps);
    const { key = "", find } = c.req.query();
    return c.html(<Options options={keyOptions(keys, deps, key, typedFind(find))} chosen={key} empty={NO_KEY} />);
  });

  web.post(`${LIST_PATH}/:id{[^/]+}/try`, async (c) => {
    const entry = functionOf(c, deps);
    const typed = await readForm(c);
    const trial = typedTrial(typed, entry);
    const { origin } = new URL(c.req.url);
    const answered = await attempt(async () => {
      const key = keyOf(trial.key, typed, deps);
      const request = requestOf({ ...trial, path: filledPath(trial.path, trial.values), key }, origin);
      const sent = `${request.method} ${withoutApiKey(request.url).slice(origin.length)}`;
      const response = await callOnce(deps.run, request);
      return { sent, response, log: logOf(response, deps) };
    });
    const shown: Trial = "done" in answered
      ? { ...trial, ...answered.done }
      : { ...trial, problems: answered.problems };
    const status = "done" in answered ? 200 : 400;
    if (c.req.header("hx-request") !== undefined) return c.html(<Outcome trial={shown} />, status);
    const frame = functionFrame(c, entry, "code", deps);
    return page(c, {
      ...frame,
      title: `Try ${entry.name}`,
      trail: [[pathOf(entry.id), entry.name]],
      children: <TrialForm entry={entry} trial={shown} deps={deps} />,
    }, status);
  });
}

function typedTrial(typed: Typed, { route }: RegisteredFunction): Trial {
  const method = fieldText(typed, "method");
  return {
    method: METHODS.find((one) => one === method) ?? "GET",
    path: fieldText(typed, "path").trim(),
    values: new Map(parametersOf(route).map((name) => [name, fieldText(typed, `param.${name}`)])),
    headers: fieldText(typed, "headers"),
    body: fieldText(typed, "body"),
    key: fieldText(typed, "key"),
  };
}

/** Returns the latest log entries of the call, the oldest first. */
function logOf({ requestId }: TrialResponse, { logs }: WebDeps): LogEntry[] {
  return requestId === undefined ? [] : logs.list({ requestId, limit: LOG_SHOWN_MAX }).entries.reverse();
}

/** Returns the value of the chosen key. It is sent in the request and used for nothing else. */
function keyOf(chosen: string, typed: Typed, { access }: WebDeps): string | undefined {
  if (chosen === "") return undefined;
  if (chosen === PASTED.value) return fieldText(typed, "pastedKey").trim();
  const { value, decryptionError } = access.present(Number(chosen) as KeyId);
  if (!value) {
    throw new AppError("DecryptionFailed", 409, `The key cannot be read. ${decryptionError}`, { key: decryptionError });
  }
  return value.reveal();
}

/** Returns the keys of the function's groups whose names contain `find`; always includes the one that is `chosen`. */
function keyOptions(groups: readonly GroupId[], { matrix }: WebDeps, chosen: string, find = ""): Option[] {
  const options = matrix.keysOf(groups, find, KEYS_MAX).map(({ id, name }) => ({ value: String(id), label: name }));
  const name = parsePositiveInt(chosen) && !options.some(({ value }) => value === chosen)
    ? matrix.ownerName("key", parsePositiveInt(chosen))
    : undefined;
  return [...(name ? [{ value: chosen, label: name }] : []), ...options, PASTED];
}

export function TrialForm({ entry, trial, deps }: { entry: RegisteredFunction; trial: Trial; deps: WebDeps }) {
  const { id, route, methods } = entry;
  const parameters = parametersOf(route);
  const given = { problems: trial.problems, prefix: "try-" };
  return (
    <section class="trial" aria-labelledby="try-heading" id="try">
      <h2 id="try-heading">Try it</h2>
      <form
        method="post"
        action={`${pathOf(id)}/try`}
        hx-post={`${pathOf(id)}/try`}
        hx-target="#outcome"
        hx-swap="outerHTML"
        hx-sync="this:drop"
        data-trial={String(id)}
        data-route={route}
      >
        {parameters.length > 0 && (
          <div class="parameters">
            {parameters.map((name) => (
              <TextField
                {...given}
                name={`param.${name}`}
                label={name === "*" ? "Rest of the path (*)" : `:${name}`}
                value={trial.values.get(name) ?? ""}
                isVerbatim
                autocomplete="off"
                data-parameter={name}
              />
            ))}
          </div>
        )}
        <div class="request-line">
          <SelectField
            {...given}
            name="method"
            label="Method"
            value={trial.method}
            options={sorted(methods).map((value) => ({ value, label: value }))}
          />
          <CodeField {...given} name="path" label={LABELS.path} value={trial.path} autocomplete="off" />
          <button type="submit" aria-describedby="try-hint">Send</button>
        </div>
        <p id="try-hint" class="hint">
          After /run; a query such as ?page=2 can follow. Runs the saved code.
        </p>
        <KeyFields entry={entry} trial={trial} deps={deps} />
        <details class="trial-more" open={hasMore(trial)}>
          <summary>Headers and body</summary>
          <CodeField
            {...given}
            name="headers"
            label={LABELS.headers}
            value={trial.headers}
            rows={1}
            placeholder="Accept: text/plain"
            hint="One per line."
          />
          <CodeField
            {...given}
            name="body"
            label={LABELS.body}
            value={trial.body}
            rows={2}
            hint="Not sent with GET and HEAD. If it is valid JSON, the default Content-Type is application/json."
          />
        </details>
      </form>
      <Outcome trial={trial} />
    </section>
  );
}

/** Whether the headers and the body are shown: they have a text or a problem, or the method has a body. */
function hasMore({ method, headers, body, problems }: Trial): boolean {
  return headers !== "" || body !== "" || !["GET", "HEAD"].includes(method) ||
    problems?.["headers"] !== undefined || problems?.["body"] !== undefined;
}

/** The fields that choose a key or take a pasted one. */
function KeyFields({ entry: { id, keys }, trial, deps }: { entry: RegisteredFunction; trial: Trial; deps: WebDeps }) {
  const given = { problems: trial.problems, prefix: "try-" };
  return (
    <>
      <ChoiceField
        {...given}
        name="key"
        label={LABELS.key}
        value={trial.key}
        empty={NO_KEY}
        options={keyOptions(keys, deps, trial.key)}
        max={KEYS_MAX + 1}
        narrow={`${pathOf(id)}/keys`}
        hint={keys.length === 0
          ? "The function is public: it ignores keys."
          : "The server adds the chosen key to the request; this page does not receive its value."}
      />
      <div class="pasted">
        <TextField
          {...given}
          name="pastedKey"
          label={LABELS.pastedKey}
          autocomplete="off"
          isVerbatim
          type="password"
          hint="Sent with this call and not stored."
        />
      </div>
    </>
  );
}

/** Returns all methods, those of the function first; of these, what only reads comes before what changes. */
function sorted(methods: readonly string[]): string[] {
  return [...METHODS].sort((a, b) => Number(methods.includes(b)) - Number(methods.includes(a)));
}

function Outcome({ trial: { problems, sent, response, log } }: { trial: Trial }) {
  return (
    <div id="outcome" class="outcome" role="region" aria-live="polite" aria-label="Answer" tabindex={-1}>
      {problems && <ProblemSummary problems={problems} labels={labelsWith(problems)} prefix="try-" />}
      {sent && (
        <p>
          <code>{sent}</code>
        </p>
      )}
      {response
        ? <Answer response={response} log={log ?? []} />
        : !problems && <p class="quiet no-answer">The answer will be shown here.</p>}
    </div>
  );
}

/** Labels of the fields, those of the route's parameters included. */
function labelsWith(problems: Problems): Record<string, string> {
  const parameters = Object.keys(problems).filter((field) => field.startsWith("param."));
  return { ...LABELS, ...Object.fromEntries(parameters.map((field) => [field, field.replace("param.", ":")])) };
}

function Answer({ response, log }: { response: TrialResponse; log: readonly LogEntry[] }) {
  const { status, headers, body, cut, requestId, durationMs } = response;
  const kind = status < 300 ? "ok" : status < 400 ? "plain" : status < 500 ? "warn" : "bad";
  return (
    <>
      <p class="answer-line">
        <Badge kind={kind}>Status {status}</Badge> <span>{took(durationMs)}</span>{" "}
        <span class="quiet">{sizeText(body.length)}{cut && " or more"}</span>
        {body.length > 0 && <Download response={response} />}
      </p>
      <Body response={response} />
      {cut && <p class="warning">{cut}</p>}
      <details>
        <summary>Headers ({headers.length})</summary>
        <dl class="headers">
          {headers.map(([name, value]) => (
            <div>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </details>
      <h3>Log of this call</h3>
      {log.length === 0
        ? <p class="quiet">No entries at or above the level of the setting log.level.</p>
        : (
          <ol class="call-log">
            {log.map(({ level, event, message }) => (
              <li>
                <Badge kind={level === "error" ? "bad" : level === "warn" ? "warn" : "plain"}>{level}</Badge>{" "}
                {event !== "print" && <span class="quiet">{event}</span>} <span class="message">{message}</span>
              </li>
            ))}
          </ol>
        )}
      {requestId && (
        <p class="hint">
          Request <a href={`/web/logs?${new URLSearchParams({ requestId })}`}>{requestId}</a>
        </p>
      )}
    </>
  );
}

/** The body as text: a response must never become a part of this page. */
function Body({ response: { headers, body, cut } }: { response: TrialResponse }) {
  if (body.length === 0) return <p class="quiet">No body.</p>;
  const type = typeOf(headers);
  const text = asText(new Uint8Array(body));
  if (text === undefined) return <p>Binary, {sizeText(body.length)} of {type}.</p>;
  return <pre class="body" tabindex={0} role="region" aria-label="Body"><code>{pretty(text, type, cut)}</code></pre>;
}

function Download({ response: { headers, body } }: { response: TrialResponse }) {
  const type = typeOf(headers);
  const name = /^image\/|^audio\/|^video\//.test(type)
    ? `response.${type.split(/[/;+]/)[1]}`
    : asText(new Uint8Array(body)) === undefined
    ? "response.bin"
    : "response.txt";
  return (
    <ButtonLink
      href={`data:application/octet-stream;base64,${Buffer.from(body).toString("base64")}`}
      isDownload={name}
      kind="quiet"
      isSmall
      icon="download"
      label="Download the body"
    />
  );
}

function typeOf(headers: TrialResponse["headers"]): string {
  return headers.find(([name]) => name === "content-type")?.[1] ?? "no type";
}

function pretty(text: string, type: string, cut: string | undefined): string {
  if (cut !== undefined || !/[/+]json\b/.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
