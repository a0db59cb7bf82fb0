// Implements /web/secrets: a matrix of secret names and scopes.

import { DAY_MS } from "../../../../time.ts";
import { z } from "zod";
import { type Scope, SCOPES, type SecretId, type SecretName } from "../../../../ids.ts";
import {
  type Cell,
  type CellValue,
  type NameRow,
  type SecretMatrix,
  WIDEST_FIRST,
} from "../../../../core/secrets/matrix.ts";
import { idText, secretName } from "../../../inputs/fields.ts";
import { OWNER_FIELDS } from "../../../inputs/secret_schemas.ts";
import { Badge, ButtonLink, Empty, Pager, Time } from "../../ui/components.tsx";
import { Icon, type IconName } from "../../icons/icon.tsx";
import { SelectField, TextField } from "../../ui/fields.tsx";
import type { SecretRow } from "../../../../store/secrets.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { OwnerField } from "../../ui/owner_name.tsx";
import { count, plural } from "../../ui/format.ts";
import { DUE_SOON_DAYS, UNUSED_DAYS, viewPage } from "./views.tsx";
import { SCOPE_LABELS, SECRETS, urlWithQuery } from "../../ui/secret_labels.ts";

const PAGE_SIZE = 50;
const UNUSED_CHOICES = [7, 30, 90, 180, 365];

const idSchema = idText<number>().optional().catch(undefined);

/** The filter in the address; invalid parts count as absent. */
export const filterSchema = z.object({
  q: z.string().max(255).catch(""),
  scope: z.enum(SCOPES).optional().catch(undefined),
  // Only the scope's own counts.
  functionId: idSchema,
  groupId: idSchema,
  keyId: idSchema,
  /** A number of days. */
  unused: z.string().regex(/^[1-9]\d{0,3}$/).catch(""),
  after: secretName().optional().catch(undefined),
});

export type Filter = z.infer<typeof filterSchema>;

/** Returns the id of the filter's owner, of its scope. */
export function ownerOf(filter: Pick<Filter, "scope" | "functionId" | "groupId" | "keyId">): number | undefined {
  return filter.scope === undefined || filter.scope === "global" ? undefined : filter[OWNER_FIELDS[filter.scope]];
}

/** Returns the parameters of an address with the same scope and owner. */
export function ownerParameters(filter: Parameters<typeof ownerOf>[0]): Record<string, string | number | undefined> {
  const { scope } = filter;
  if (scope === undefined || scope === "global") return { scope };
  return { scope, [OWNER_FIELDS[scope]]: ownerOf(filter) };
}

export function addBrowse(web: Web, deps: WebDeps): void {
  web.get(SECRETS, (c) => {
    const filter = filterSchema.parse(c.req.query());
    const part = c.req.header("HX-Request") !== undefined;
    const results = <Results filter={filter} deps={deps} part={part} />;
    if (part) {
      const scopeChanged = c.req.header("HX-Source")?.startsWith("select#scope");
      return c.html(
        <>
          {results}
          {scopeChanged && <OwnerFilter filter={filter} deps={deps} swap />}
        </>,
      );
    }
    return viewPage(c, deps, {
      view: filter.unused ? "unused" : "all",
      title: filter.unused ? "Unused secrets" : "Secrets",
      scripts: ["secrets.js"],
      children: (
        <>
          <FilterForm filter={filter} deps={deps} />
          <p id="announcer" class="visually-hidden" role="status"></p>
          {results}
        </>
      ),
    });
  });
}

/** Returns the attributes of a field that requests new results on `trigger`. */
function live(trigger: string) {
  return {
    "hx-get": SECRETS,
    "hx-trigger": trigger,
    "hx-include": "closest form",
    "hx-target": "#results",
    "hx-swap": "outerHTML",
    "hx-sync": "closest form:replace",
  };
}

function FilterForm({ filter, deps }: { filter: Filter; deps: WebDeps }) {
  const unused = [...new Set([...UNUSED_CHOICES, Number(filter.unused)])].sort((a, b) => a - b);
  return (
    <form method="get" action={SECRETS} class="filters live">
      <TextField
        name="q"
        type="search"
        label="Search names"
        value={filter.q}
        autocomplete="off"
        isVerbatim
        {...live("input changed delay:200ms")}
      />
      <SelectField
        name="scope"
        label="Scope"
        value={filter.scope ?? ""}
        empty="All scopes"
        options={WIDEST_FIRST.map((scope) => ({ value: scope, label: SCOPE_LABELS[scope] }))}
        {...live("change")}
      />
      <OwnerFilter filter={filter} deps={deps} />
      {filter.unused !== "" && (
        <SelectField
          name="unused"
          label="Unused for"
          value={filter.unused}
          options={unused.map((days) => ({ value: String(days), label: plural(days, "day") }))}
          {...live("change")}
        />
      )}
      <button type="submit" class="secondary">Filter</button>
    </form>
  );
}

function OwnerFilter({ filter, deps, swap }: { filter: Filter; deps: WebDeps; swap?: boolean }) {
  const { scope } = filter;
  return (
    <div id="owner-filter" hx-swap-oob={swap ? "outerHTML" : undefined}>
      {scope && scope !== "global" && (
        <OwnerField
          matrix={deps.matrix}
          scope={scope}
          name={OWNER_FIELDS[scope]}
          value={String(ownerOf(filter) ?? "")}
          empty={`Every ${scope}`}
          {...live("change")}
        />
      )}
    </div>
  );
}

function Results({ filter, deps, part }: { filter: Filter; deps: WebDeps; part: boolean }) {
  const { q, scope, unused, after } = filter;
  const { matrix, reads, now } = deps;
  const since = unused ? now() - Number(unused) * DAY_MS : undefined;
  const { rows, next } = matrix.names(
    { search: q, scope, ownerId: ownerOf(filter) },
    after ?? "",
    PAGE_SIZE,
    since === undefined ? undefined : reads.unusedSince(since),
  );
  const asked = { q, ...ownerParameters(filter), unused };
  const filtered = q !== "" || scope !== undefined || unused !== "";
  const summary = summaryOf(rows.length, next !== undefined, filtered || after !== undefined, matrix);
  return (
    <div id="results" data-address={urlWithQuery(SECRETS, { ...asked, after })}>
      {part && <hx-partial hx-target="#announcer" hx-swap="textContent">{summary}</hx-partial>}
      {rows.length > 0
        ? (
          <>
            <div class="summary quiet">
              <p>{summary}</p>
              <Legend />
            </div>
            <Matrix rows={rows} asked={asked} deps={deps} />
          </>
        )
        : since !== undefined && reads.begin > since
        ? <Unknown begin={reads.begin} days={Number(unused)} />
        : <Nothing filtered={filtered || after !== undefined} unused={unused} />}
      {after !== undefined && (
        <p>
          <a href={urlWithQuery(SECRETS, asked)}>Back to the first names</a>
        </p>
      )}
      <Pager next={next && urlWithQuery(SECRETS, { ...asked, after: next })} what="names" />
    </div>
  );
}

/** Returns how many names are shown, and of the whole list how many names and values there are. */
function summaryOf(shown: number, isMore: boolean, isPart: boolean, matrix: SecretMatrix): string {
  if (shown === 0) return "No matching names.";
  if (isPart) return `${plural(shown, "name")}${isMore ? ", and more" : ""}.`;
  const { names, values } = matrix.totals();
  return `${plural(names, "name")}, ${plural(values, "value")}.`;
}

/** In place of unused values, while reads have been counted for a shorter time. */
function Unknown({ begin, days }: { begin: number; days: number }) {
  return (
    <Empty icon="clock" title="Not known yet">
      <p>
        Reads are counted since <Time ms={begin} />. Which values no function has read for {plural(days, "day")}{" "}
        is known from <Time ms={begin + days * DAY_MS} /> on.
      </p>
    </Empty>
  );
}

function Nothing({ filtered, unused }: { filtered: boolean; unused: string }) {
  if (unused !== "") {
    return (
      <Empty icon="circle-check" title="No unused values here">
        <p>
          A value is unused when no function has read it for {plural(Number(unused), "day")}{" "}
          and it is older than that. What nothing needs cannot leak once it is deleted.
        </p>
      </Empty>
    );
  }
  if (filtered) {
    return (
      <Empty>
        <p>No matching secrets.</p>
        <p>
          <a href={SECRETS}>Show all names</a>
        </p>
      </Empty>
    );
  }
  return (
    <Empty
      icon="lock-keyhole"
      title="No secrets yet"
      actions={
        <>
          <ButtonLink href={`${SECRETS}/new`}>Create the first one</ButtonLink>
          <ButtonLink href={`${SECRETS}/paste`} kind="secondary">Paste a .env file</ButtonLink>
        </>
      }
    >
      <p>
        A secret is a value, such as a password, that functions read by its name:{" "}
        <code>await ctx.getSecret("DATABASE_URL")</code>. The same name can have another value for a function, for a
        group of API keys or for one key.
      </p>
    </Empty>
  );
}

/** What the marks of chips mean. */
function Legend() {
  return (
    <ul class="legend" aria-label="Marks">
      {MARKS.map(({ icon, word }) => (
        <li>
          <Icon name={icon} /> {word}
        </li>
      ))}
    </ul>
  );
}

const MARKS = [
  { icon: "lock-keyhole", word: "sealed" },
  { icon: "clock", word: "due" },
  { icon: "bell", word: "canary" },
  { icon: "circle-dashed", word: "unused" },
] as const satisfies readonly { icon: IconName; word: string }[];

type Asked = Readonly<Record<string, string | number | undefined>>;

/** The id of the form of selected names, which is below the table. */
const SELECTION = "selection";

/** What chips need to know of the moment. */
interface Moment {
  readonly now: number;
  readonly unused: ReadonlySet<SecretId>;
}

function momentOf(values: readonly CellValue[], { reads, now }: WebDeps): Moment {
  return { now: now(), unused: reads.unusedAmong(values, now() - UNUSED_DAYS * DAY_MS) };
}

function Matrix({ rows, asked, deps }: { rows: readonly NameRow[]; asked: Asked; deps: WebDeps }) {
  const values = rows.flatMap(({ cells }) => WIDEST_FIRST.flatMap((scope) => cells[scope].named));
  const moment = momentOf(values, deps);
  // A name unfolds with the whole filter except the search.
  const { q: _, ...unfolded } = asked;
  return (
    <>
      <table class="matrix">
        <caption class="visually-hidden">Names of secrets and where they are set</caption>
        <thead>
          <tr>
            <th scope="col">Name</th>
            {WIDEST_FIRST.map((scope) => <th scope="col">{SCOPE_LABELS[scope]}</th>)}
          </tr>
        </thead>
        <tbody>{rows.map((row) => <NameRows row={row} unfolded={unfolded} moment={moment} />)}</tbody>
      </table>
      <form id={SELECTION} method="get" action={`${SECRETS}/selected`} class="selection">
        {Object.entries(ownerParameters(asked)).map(([name, value]) =>
          value !== undefined && <input type="hidden" name={name} value={String(value)} />
        )}
        {asked.unused && <input type="hidden" name="unused" value={String(asked.unused)} />}
        <button type="submit" class="secondary">Copy, export or delete the selected …</button>
      </form>
    </>
  );
}

function NameRows({ row: { name, cells }, unfolded, moment }: { row: NameRow; unfolded: Asked; moment: Moment }) {
  return (
    <>
      <tr>
        <th scope="row">
          <input type="checkbox" form={SELECTION} name="name" value={name} aria-label={`Select ${name}`} />
          <a class="unfold" href={namePath(name, unfolded)} data-unfold={`values-${name}`}>
            {name}
          </a>
        </th>
        {WIDEST_FIRST.map((scope) => (
          <td>
            <ScopeCell name={name} scope={scope} cell={cells[scope]} moment={moment} />
          </td>
        ))}
      </tr>
      <tr class="unfolded" hidden>
        <td colspan={5} id={`values-${name}`}></td>
      </tr>
    </>
  );
}

export function namePath(name: SecretName, asked: Asked = {}): string {
  return urlWithQuery(`${SECRETS}/names/${name}`, asked);
}

interface CellProps {
  name: SecretName;
  scope: Scope;
  cell: Cell;
  moment: Moment;
}

/** A chip for each of the first values, which opens it below the row; a link that adds one where there is none. */
function ScopeCell({ name, scope, cell, moment }: CellProps) {
  const label = SCOPE_LABELS[scope];
  if (cell.count === 0) {
    return (
      <a class="add-value" href={urlWithQuery(`${SECRETS}/new`, { name, scope })}>
        <span aria-hidden="true">–</span>
        <span class="visually-hidden">not set; add {name} for {label}</span>
      </a>
    );
  }
  const more = cell.count - cell.named.length;
  return (
    <span class="chips">
      {cell.named.map((value) => <Chip name={name} scope={scope} value={value} moment={moment} />)}
      {more > 0 && (
        <a class="chip" href={namePath(name, { scope })} data-unfold={`values-${name}`}>
          +{count(more)}
          <span class="visually-hidden">more values of {name} for {label}</span>
        </a>
      )}
    </span>
  );
}

/** The chip of a value, for a page that shows it: it takes the place of the one that is there. */
export function ChangedChip({ row, deps }: { row: SecretRow; deps: WebDeps }) {
  const value = deps.matrix.cellValueOf(row);
  return (
    <Chip
      name={row.name}
      scope={row.owner.scope}
      value={value}
      moment={momentOf([value], deps)}
      hx-swap-oob="true"
    />
  );
}

function Chip(
  { name, scope, value, moment: { now, unused }, ...rest }:
    & Omit<CellProps, "cell">
    & { value: CellValue; "hx-swap-oob"?: "true" },
) {
  const { id, owner, ownerId, unreadable, sealed, canary, dueAt } = value;
  const one = scope === "global" ? { scope } : { scope, [OWNER_FIELDS[scope]]: ownerId };
  const isOverdue = dueAt !== null && dueAt <= now;
  const isDueSoon = dueAt !== null && !isOverdue && dueAt <= now + DUE_SOON_DAYS * DAY_MS;
  return (
    <a
      id={`chip-${id}`}
      {...rest}
      class={unreadable ? "chip bad" : isOverdue ? "chip warn" : "chip"}
      href={namePath(name, one)}
      data-unfold={`values-${name}`}
    >
      {(owner !== null || !unreadable) && <span>{owner ?? "Set"}</span>}
      {sealed && <Icon name="lock-keyhole" label="sealed" />}
      {isOverdue && <Icon name="clock" label="overdue" />}
      {isDueSoon && <Icon name="clock" label="due soon" />}
      {canary && <Icon name="bell" label="canary" />}
      {unused.has(id) && <Icon name="circle-dashed" label="unused" />}
      {unreadable && <Badge kind="bad">Unreadable</Badge>}
    </a>
  );
}
