// Implements the values of a name with their owners. Each is hidden until it is revealed. Revealing or copying a value
// is recorded.

import { DAY_MS } from "../../../../time.ts";
import type { Context } from "hono";
import { z } from "zod";
import { AppError } from "../../../../errors.ts";
import { SCOPES, type SecretId, type SecretName } from "../../../../ids.ts";
import type { ValueCursor } from "../../../../core/secrets/matrix.ts";
import { type OpenedSecret, SEALED } from "../../../../core/secrets/opened.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import type { ReadsOfSecret } from "../../../../telemetry/reads.ts";
import { idText, secretName } from "../../../inputs/fields.ts";
import { Altered } from "../../ui/altered.tsx";
import { Ago, Badge, Empty, Pager, Time } from "../../ui/components.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { filterSchema, namePath, ownerOf, ownerParameters } from "./browse.tsx";
import { DUE_SOON_DAYS } from "./views.tsx";
import { SealedValue } from "./seal_fields.tsx";
import { plural } from "../../ui/format.ts";
import { ownerAddress, SCOPE_LABELS, SECRETS, secretWords, urlWithQuery } from "../../ui/secret_labels.ts";

const PAGE_SIZE = 50;

export const secretPath = (id: SecretId): string => `${SECRETS}/${id}`;

/** Returns the secret that the path names. @throws AppError NotFound (404) */
export function secretOf(c: Context<WebEnv>, { secrets }: WebDeps): SecretRow {
  return secrets.get(idText<SecretId>().parse(c.req.param("id")));
}

export function addValues(web: Web, deps: WebDeps): void {
  const { secrets } = deps;

  web.get(`${SECRETS}/names/:name`, (c) => {
    const name = secretName().parse(c.req.param("name"));
    const list = <ValueList name={name} asked={readAsked(c)} deps={deps} part={isPart(c)} />;
    return isPart(c) ? c.html(list) : namePage(c, name, list);
  });

  web.post(`${SECRETS}/:id{[1-9][0-9]*}/reveal`, async (c) => {
    const row = secretOf(c, deps);
    if (row.sealed) throw new AppError("Sealed", 409, SEALED);
    const [opened] = await deps.commit(() => secrets.reveal(c.get("actor"), [row]));
    if (isPart(c)) return c.html(<ValueBox row={row} opened={opened} announcement={`Shown: ${secretWords(row)}.`} />);
    const list = (
      <ul class="values">
        <Value row={row} opened={opened} deps={deps} read={deps.reads.of([row.id]).get(row.id)} unused={false} />
      </ul>
    );
    return namePage(c, row.name, list);
  });

  web.get(`${SECRETS}/:id{[1-9][0-9]*}/value`, (c) => {
    const row = secretOf(c, deps);
    if (!isPart(c)) return c.redirect(namePath(row.name), 303);
    return c.html(<ValueBox row={row} announcement={`Hidden: ${secretWords(row)}.`} />);
  });

  // For the script that copies the value without showing it.
  web.post(`${SECRETS}/:id{[1-9][0-9]*}/copy`, async (c) => {
    const [opened] = await deps.commit(() => secrets.reveal(c.get("actor"), [secretOf(c, deps)]));
    if (!opened!.value) throw new AppError("DecryptionFailed", 409, opened!.decryptionError!);
    return c.text(opened!.value.reveal());
  });
}

function isPart(c: Context<WebEnv>): boolean {
  return c.req.header("HX-Request") !== undefined;
}

function namePage(c: Context<WebEnv>, name: SecretName, list: unknown): Response | Promise<Response> {
  return page(c, {
    title: name,
    scripts: ["secrets.js"],
    styles: ["secrets.css"],
    actions: <a class="button" href={urlWithQuery(`${SECRETS}/new`, { name })}>Add another value</a>,
    children: (
      <>
        <p id="announcer" class="visually-hidden" role="status"></p>
        {list}
      </>
    ),
  });
}

const askedSchema = filterSchema.omit({ q: true, after: true }).extend({
  after: z.string().transform((text): ValueCursor | undefined => {
    const [, scope, id] = /^(\w+)-(\d{1,15})$/.exec(text) ?? [];
    const known = SCOPES.find((one) => one === scope);
    return known && { scope: known, ownerId: Number(id) };
  }).optional().catch(undefined),
});
type Asked = z.infer<typeof askedSchema>;

function readAsked(c: Context<WebEnv>): Asked {
  return askedSchema.parse(c.req.query());
}

function ValueList({ name, asked, deps, part }: { name: SecretName; asked: Asked; deps: WebDeps; part: boolean }) {
  const { scope, unused, after } = asked;
  const { matrix, reads, now } = deps;
  const filter = { scope, ownerId: ownerOf(asked) };
  const { values, next } = matrix.values(name, filter, after, PAGE_SIZE);
  const known = reads.of(values.map(({ id }) => id));
  const isUnused = unused ? reads.unusedSince(now() - Number(unused) * DAY_MS) : () => false;
  const rest = { ...ownerParameters(asked), unused };
  if (values.length === 0) {
    return (
      <Empty>
        <p>Nothing sets this name{scope ? " there" : ""}.</p>
        <p>
          {scope
            ? <a href={namePath(name)}>Show all of its values</a>
            : <a href={urlWithQuery(`${SECRETS}/new`, { name })}>Set it</a>}
        </p>
      </Empty>
    );
  }
  return (
    <>
      {scope && (
        <p class="quiet">
          Only values of the scope {SCOPE_LABELS[scope]}
          {filter.ownerId !== undefined && values[0] && ` that belong to ${values[0].ownerName}`}.{" "}
          <a href={namePath(name)}>All values</a>
        </p>
      )}
      <ul class="values" aria-label={`Values of ${name}`}>
        {values.map((row) => <Value row={row} deps={deps} read={known.get(row.id)} unused={isUnused(row)} />)}
      </ul>
      <Pager
        next={next && namePath(name, { ...rest, after: `${next.scope}-${next.ownerId}` })}
        what="values"
      />
      {part && (
        <p>
          <a href={urlWithQuery(`${SECRETS}/new`, { name })}>Add another value of {name}</a>
        </p>
      )}
    </>
  );
}

interface ValueProps {
  row: SecretRow;
  opened?: OpenedSecret | undefined;
  deps: WebDeps;
  read: ReadsOfSecret | undefined;
  unused: boolean;
}

/** One value with its owner, comment, times and reads. */
function Value({ row, opened, deps, read, unused }: ValueProps) {
  const isAltered = deps.isAltered("secrets", row.id);
  const problem = isAltered ? null : deps.secrets.problemOf(row);
  const link = ownerAddress(row.owner);
  return (
    <li>
      <div class="value-head">
        <p class="whose">
          <Badge kind="plain">{SCOPE_LABELS[row.owner.scope]}</Badge>{" "}
          {link ? <a href={link}>{row.ownerName}</a> : "every function"}
          <TermBadges row={row} now={deps.now()} />
          {unused && (
            <>
              <Badge kind="warn">Unused</Badge>
            </>
          )}
        </p>
        <p class="doing">
          {!isAltered && (
            <a href={`${secretPath(row.id)}/edit`}>
              Edit <span class="visually-hidden">{secretWords(row)}</span>
            </a>
          )}
          {!isAltered && (
            <a href={`${SECRETS}/selected?id=${row.id}`}>
              Copy to … <span class="visually-hidden">{secretWords(row)}</span>
            </a>
          )}
          <a href={`${secretPath(row.id)}/history`}>
            History <span class="visually-hidden">of {secretWords(row)}</span>
          </a>
          <a href={`${secretPath(row.id)}/delete`}>
            Delete <span class="visually-hidden">{secretWords(row)}</span>
          </a>
        </p>
      </div>
      {isAltered
        ? <AlteredSecret row={row} />
        : problem === null && row.sealed
        ? <SealedValue {...row} />
        : problem === null
        ? <ValueBox row={row} opened={opened} />
        : <Unreadable row={row} problem={problem} />}
      {row.comment && <p class="comment">{row.comment}</p>}
      <p class="quiet dates">
        Created <Ago ms={row.createdAt} now={deps.now()} />
        {row.updatedAt !== row.createdAt && (
          <>
            , changed <Ago ms={row.updatedAt} now={deps.now()} />
          </>
        )}. <LastRead read={read} deps={deps} />
      </p>
    </li>
  );
}

function TermBadges({ row, now }: { row: SecretRow; now: number }) {
  const { expiresAt, dueAt, onExpiry, expand, canary } = row;
  const isExpired = expiresAt !== null && expiresAt <= now;
  return (
    <>
      {isExpired
        ? <Badge kind="bad">{onExpiry === "close" ? "Expired, closed" : "Expired"}</Badge>
        : dueAt !== null && dueAt <= now
        ? <Badge kind="warn">Overdue</Badge>
        : dueAt !== null && dueAt <= now + DUE_SOON_DAYS * DAY_MS && (
          <Badge kind="warn">
            Due <Time ms={dueAt} />
          </Badge>
        )}
      {expand && <Badge kind="plain">References</Badge>}
      {canary && <Badge kind="plain">Canary</Badge>}
    </>
  );
}

/** When and by which function a value was last read. */
export function LastRead({ read, deps }: { read: ReadsOfSecret | undefined; deps: WebDeps }) {
  if (!read) {
    return (
      <>
        Not read by any function since <Time ms={deps.reads.begin} />.
      </>
    );
  }
  const reader = deps.matrix.ownerName("function", read.lastFunctionId) ?? "a deleted function";
  return (
    <>
      Last read <Ago ms={read.lastReadAt} now={deps.now()} /> by {reader}, {plural(read.last30Days, "time")} in 30 days.
    </>
  );
}

/** Replaces the value, or the form, of an altered row. */
export function AlteredSecret({ row }: { row: SecretRow }) {
  return (
    <Altered
      what="secret"
      effect="Functions get undefined for it, not a wider value."
      remove={{ href: `${secretPath(row.id)}/delete`, label: "Delete it" }}
    />
  );
}

function Unreadable({ row, problem }: { row: SecretRow; problem: string }) {
  return (
    <div class="warning">
      <p>
        <Badge kind="bad">Unreadable</Badge> {problem} Functions get <code>undefined</code> for it, not a wider value.
      </p>
      <p>
        Restore the key file <code>encryption-keys.json</code> that it was encrypted with from a backup, or{" "}
        <a href={`${secretPath(row.id)}/edit`}>set the value again</a>.
      </p>
    </div>
  );
}

/** The value itself, hidden or shown. Screen readers read `announcement`. */
function ValueBox({ row, opened, announcement }: {
  row: SecretRow;
  opened?: OpenedSecret | undefined;
  announcement?: string;
}) {
  const path = secretPath(row.id);
  const box = `value-${row.id}`;
  const words = <span class="visually-hidden">{secretWords(row)}</span>;
  const swap = { "hx-target": `#${box}`, "hx-swap": "outerHTML" };
  const shown = opened?.value?.reveal();
  return (
    <>
      <div class="value" id={box}>
        {shown === undefined
          ? (
            <>
              <span class="mask" aria-hidden="true">••••••••</span>
              <span class="visually-hidden">The value is hidden.</span>
              <form method="post" action={`${path}/reveal`} hx-post={`${path}/reveal`} {...swap}>
                <button type="submit" id={`toggle-${row.id}`} class="secondary small">Reveal {words}</button>
              </form>
            </>
          )
          : (
            <>
              {/* HTML parsers drop the first line break of a pre, as of a textarea. */}
              <pre
                class="shown"
                tabindex={0}
                role="region"
                aria-label={`Value of ${secretWords(row)}`}
              >{"\n" + shown}</pre>
              {hasUnseen(shown) && (
                <small class="hint">
                  It contains carriage returns or control characters, which are not visible here. Copy keeps them.
                </small>
              )}
              <form method="get" action={namePath(row.name)} hx-get={`${path}/value`} {...swap}>
                <button type="submit" id={`toggle-${row.id}`} class="secondary small">Hide {words}</button>
              </form>
            </>
          )}
        <button type="button" id={`copy-${row.id}`} class="secondary small" data-copy-from={`${path}/copy`}>
          Copy {words}
        </button>
      </div>
      {announcement && <hx-partial hx-target="#announcer" hx-swap="textContent">{announcement}</hx-partial>}
    </>
  );
}

function hasUnseen(value: string): boolean {
  // deno-lint-ignore no-control-regex
  return /[\x00-\x08\x0b-\x1f\x7f]/.test(value);
}
