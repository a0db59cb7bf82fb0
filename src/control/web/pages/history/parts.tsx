// Implements what the pages of versions and deployments share: their addresses, authors, causes, kinds of changes, and
// the page of a version that cannot be used.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { Author } from "../../../../code/versions/author.ts";
import type { Cause, ChangeKind } from "../../../../code/versions/history.ts";
import { AppError } from "../../../../errors.ts";
import { body, idParams } from "../../../inputs/fields.ts";
import { messageField } from "../../../inputs/version_schemas.ts";
import type { WebEnv } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { Badge } from "../../ui/components.tsx";

export const HISTORY_PATH = "/web/history";
export const DEPLOYMENTS_PATH = "/web/deployments";

export function deploymentPath(id: number): string {
  return `${DEPLOYMENTS_PATH}/${id}`;
}

export function comparePath(id: number): string {
  return `${versionPath(id)}/compare`;
}

export function restorePath(id: number): string {
  return `${versionPath(id)}/restore`;
}

export function versionPath(id: number): string {
  return `${HISTORY_PATH}/${id}`;
}

/** The page of a file as it was in a version. */
export function fileAtPath(id: number, path: string): string {
  return `${versionPath(id)}/file?${new URLSearchParams({ path })}`;
}

export function fileHistoryPath(path: string): string {
  return `/web/files/history?${new URLSearchParams({ path })}`;
}

const params = idParams<number>();

/** Returns the id in the path of a page. @throws AppError InvalidInput (400) */
export function idOf(c: Context<WebEnv>): number {
  return params.parse({ id: c.req.param("id") }).id;
}

const messageForm = body({ message: messageField });

/** Parses the message of a form; an empty one is undefined. @throws ZodError */
export function messageOf(text: string): string | undefined {
  return messageForm.parse({ message: text.trim() || undefined }).message;
}

const NAMELESS: Readonly<Record<string, string>> = {
  visitor: "Someone",
  operator: "The operator",
  server: "The server",
  disk: "Edited on disk",
};

/** Of a commit's id, as many characters as people name it by. */
const COMMIT_LENGTH = 7;

/** Returns the first characters of a commit's id. */
export function commitText(id: string | null): string {
  return (id ?? "").slice(0, COMMIT_LENGTH);
}

export function authorText({ kind, id, name }: Author): string {
  if (kind === "key") return `API key ${name}`;
  if (kind === "git") return [name ?? "", `commit ${commitText(id)}`].filter(Boolean).join(", ");
  return NAMELESS[kind] ?? name ?? "";
}

/** A line of what is known of a version or deployment, separated by points; entries that are false are left out. */
export function Details({ of: details }: { of: readonly Child[] }) {
  return (
    <span class="details">
      {details.filter((one) => one !== false && one !== undefined && one !== "").map((one) => <span>{one}</span>)}
    </span>
  );
}

/** What a row says of a change: its message, in one line, and the details below. */
export function ChangeText({ message, href, details }: { message: string; href: string; details: readonly Child[] }) {
  return (
    <>
      <a href={href} class="change-message" title={message}>{message || "No message"}</a>
      <Details of={details} />
    </>
  );
}

/** Marks the version or deployment that calls run. */
export function LiveBadge() {
  return <Badge kind="ok">live</Badge>;
}

export const CAUSE_LABELS: Readonly<Record<Cause, string>> = {
  start: "first start",
  disk: "edit in the code folder",
  file: "edit",
  deployment: "deployment",
  restore: "restore",
  git: "commit",
};

const KINDS = { created: "ok", changed: "warn", deleted: "bad" } as const;

export function ChangeBadge({ change }: { change: ChangeKind }) {
  return <Badge kind={KINDS[change]}>{change}</Badge>;
}

/** How many names a list shows. */
const NAMES_SHOWN = 200;

/** What a change does to files or functions: their names under the kind of the change. */
export function Changes({ created, changed, deleted, link }: {
  created: readonly string[];
  changed: readonly string[];
  deleted: readonly string[];
  /** Returns the address of a name's page; undefined if it has none. */
  link?: ((name: string, change: ChangeKind) => string | undefined) | undefined;
}) {
  const kinds = ([["created", created], ["changed", changed], ["deleted", deleted]] as const)
    .filter(([, names]) => names.length > 0);
  return (
    <ul class="changes-list">
      {kinds.map(([change, names]) =>
        names.slice(0, NAMES_SHOWN).map((name) => (
          <li>
            <ChangeBadge change={change} /> <Name name={name} href={link?.(name, change)} />
          </li>
        ))
      )}
      {kinds.map(([change, names]) =>
        names.length > NAMES_SHOWN && <li>and {names.length - NAMES_SHOWN} more that are {change}</li>
      )}
    </ul>
  );
}

function Name({ name, href }: { name: string; href: string | undefined }): Child {
  return href === undefined ? <code>{name}</code> : <a href={href}>{name}</a>;
}

const STALE = "The code was changed after you opened this page, so nothing was done. Check again what would change.";

/** Returns the problems of a form that was sent for an earlier version of the code in words for its user. */
export function withStale(problems: Problems | undefined, status: number): Problems | undefined {
  return status === 412 ? { "": STALE } : problems;
}

/** Shows a page, or if what it shows was altered or is in conflict, a page that says so. */
export async function orSentence(
  c: Context<WebEnv>,
  title: string,
  show: () => Response | Promise<Response>,
): Promise<Response> {
  try {
    return await show();
  } catch (error) {
    if (!(error instanceof AppError && error.status === 409)) throw error;
    return page(c, {
      title,
      children: <p class="problems" role="alert">{error.message}</p>,
    }, 409);
  }
}
