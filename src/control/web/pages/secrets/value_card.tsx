// Implements a value of a secret as a card: hidden, with what belongs to it and what can be done with it.

import { DAY_MS } from "../../../../time.ts";
import type { OpenedSecret } from "../../../../core/secrets/opened.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import type { ReadsOfSecret } from "../../../../telemetry/reads.ts";
import { Altered } from "../../ui/altered.tsx";
import { Ago, Badge, ButtonLink, Fact, Facts, Icon, Time } from "../../ui/components.tsx";
import type { WebDeps } from "../../shell/deps.ts";
import { authorText } from "../history/parts.tsx";
import { OwnerName } from "../../ui/owner_name.tsx";
import { plural } from "../../ui/format.ts";
import { SECRETS, secretWords } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { SealedValue } from "./seal_fields.tsx";
import { secretPath } from "./one_secret.ts";
import { DUE_SOON_DAYS } from "./views.tsx";

interface ValueProps {
  row: SecretRow;
  opened?: OpenedSecret | undefined;
  deps: WebDeps;
  /** Null if it was never read; by default it is looked up. */
  read?: ReadsOfSecret | null;
  unused?: boolean;
}

/** The id of the element of a value. */
export const cardId = (row: SecretRow): string => `secret-${row.id}`;

export function Value({ row, opened, deps, read, unused }: ValueProps) {
  const isAltered = deps.isAltered("secrets", row.id);
  return (
    <li id={cardId(row)}>
      <div class="value-head">
        <p class="whose">
          <OwnerName {...row} />
          <TermBadges row={row} now={deps.now()} />
          {unused && <Badge kind="warn">Unused</Badge>}
        </p>
        <CardActions row={row} isAltered={isAltered} />
      </div>
      {isAltered ? <AlteredSecret row={row} /> : <Content row={row} opened={opened} deps={deps} />}
      {row.comment && <p class="comment">{row.comment}</p>}
      <CardFacts
        row={row}
        read={read === undefined ? deps.reads.of([row.id]).get(row.id) : read ?? undefined}
        deps={deps}
      />
    </li>
  );
}

function CardActions({ row, isAltered }: { row: SecretRow; isAltered: boolean }) {
  const words = secretWords(row);
  const path = secretPath(row.id);
  return (
    <div class="actions doing">
      {!isAltered && (
        <>
          {/* The script shows the form in place of the card. */}
          <ButtonLink
            id={`edit-${row.id}`}
            href={`${path}/edit`}
            kind="secondary"
            isSmall
            icon="pencil"
            label={`Edit ${words}`}
            data-in-place={`${path}/quick`}
          >
            Edit
          </ButtonLink>
          <ButtonLink
            href={`${SECRETS}/selected?id=${row.id}`}
            kind="quiet"
            isSmall
            icon="arrow-right"
            label={`Copy to … ${words}`}
          >
            Copy to …
          </ButtonLink>
        </>
      )}
      <ButtonLink
        href={`${path}/history`}
        kind="quiet"
        isSmall
        icon="rotate-ccw-clock"
        label={`History of ${words}`}
      >
        History
      </ButtonLink>
      <ButtonLink href={`${path}/delete`} kind="danger-quiet" isSmall icon="trash" label={`Delete ${words}`}>
        Delete
      </ButtonLink>
    </div>
  );
}

function Content({ row, opened, deps }: { row: SecretRow; opened: OpenedSecret | undefined; deps: WebDeps }) {
  const problem = deps.secrets.problemOf(row);
  if (problem !== null) return <Unreadable row={row} problem={problem} />;
  return row.sealed ? <SealedValue {...row} /> : <ValueBox row={row} opened={opened} />;
}

function CardFacts({ row, read, deps }: { row: SecretRow; read: ReadsOfSecret | undefined; deps: WebDeps }) {
  const now = deps.now();
  return (
    <Facts>
      <Fact term="Last read">
        <LastRead read={read} deps={deps} />
      </Fact>
      <Fact term={row.version > 1 ? `Version ${row.version} set` : "Set"}>
        <Ago ms={row.setAt} now={now} />
        {row.setBy && ` by ${authorText(row.setBy)}`}
      </Fact>
      {row.dueAt !== null && (
        <Fact term={row.expiresAt === row.dueAt ? "Expires" : "To be replaced"}>
          <Ago ms={row.dueAt} now={now} />
        </Fact>
      )}
    </Facts>
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
        : dueAt !== null && dueAt <= now + DUE_SOON_DAYS * DAY_MS && <Badge kind="warn">Due soon</Badge>}
      {expand && <Badge kind="plain">References</Badge>}
      {canary && <Badge kind="plain">Canary</Badge>}
    </>
  );
}

/** When and by which function a value was last read, after words such as "Last read". */
export function LastRead({ read, deps }: { read: ReadsOfSecret | undefined; deps: WebDeps }) {
  if (!read) {
    return (
      <>
        not by any function since <Time ms={deps.reads.begin} />
      </>
    );
  }
  const reader = deps.matrix.ownerName("function", read.lastFunctionId) ?? "a deleted function";
  return (
    <>
      <Ago ms={read.lastReadAt} now={deps.now()} /> by {reader}, {plural(read.last30Days, "time")} in 30 days
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
export function ValueBox({ row, opened, announcement }: {
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
              {/* As many for any value. */}
              <span class="mask" aria-hidden="true">••••••••••••</span>
              <span class="visually-hidden">The value is hidden.</span>
              <form method="post" action={`${path}/reveal`} hx-post={`${path}/reveal`} {...swap}>
                <button type="submit" id={`toggle-${row.id}`} class="quiet small">
                  <Icon name="eye" />
                  <span>Reveal {words}</span>
                </button>
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
                <button type="submit" id={`toggle-${row.id}`} class="quiet small">
                  <Icon name="eye-off" />
                  <span>Hide {words}</span>
                </button>
              </form>
            </>
          )}
        <button type="button" id={`copy-${row.id}`} class="quiet small" data-copy-from={`${path}/copy`}>
          <Icon name="copy" />
          <span>
            <span data-copy-label>Copy</span> {words}
          </span>
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
