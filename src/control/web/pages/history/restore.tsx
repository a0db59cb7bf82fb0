// Implements restoring all files of a version, and purging a content from the history.

import type { Context } from "hono";
import type { FileChange } from "../../../../code/versions/history.ts";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Changes, fileAtPath, HISTORY_PATH, idOf, messageOf, orSentence, versionPath, withStale } from "./parts.tsx";

/** Restored files whose imports and code are checked, and problems that the notice names. */
const CHECKED_MAX = 10;
const PROBLEMS_SHOWN = 3;

interface RestoreValues {
  readonly message: string;
  /** The newest version when the page was shown. */
  readonly current: string;
}

export function addRestore(web: Web, deps: WebDeps): void {
  const { versions, preflight } = deps;

  formRoute(web, {
    path: `${HISTORY_PATH}/:id/restore`,
    subject: idOf,
    initial: (id): RestoreValues => ({ message: `Restored version ${id}`, current: "" }),
    read: (typed): RestoreValues => ({ message: fieldText(typed, "message"), current: fieldText(typed, "current") }),
    schema: ({ message, current }) => ({ message: messageOf(message), current: parsePositiveInt(current) }),
    act: async ({ actor, subject: id, input: { message, current } }) => {
      const restored = await versions.restore(actor, id, message, current);
      const kept = restored.files.filter(({ after }) => after).slice(0, CHECKED_MAX);
      const found = await Promise.all(kept.map(({ path }) => preflight.file(path)));
      return { ...restored, problems: [...new Set(found.flatMap(({ problems }) => problems))] };
    },
    page: (c, form) => showRestore(c, deps, form),
    then: ({ version, problems }, { subject: id }) => ({
      to: versionPath(version),
      notice: [`Restored version ${id} as version ${version}.`, ...problems.slice(0, PROBLEMS_SHOWN)].join(" "),
    }),
  });

  formRoute(web, {
    path: `${HISTORY_PATH}/:id/purge`,
    subject: idOf,
    initial: (_, c) => ({ path: c.req.query("path") ?? "" }),
    read: (typed) => ({ path: fieldText(typed, "path") }),
    act: ({ actor, subject: id, values: { path } }) => versions.purge(actor, id, path),
    page: (c, form) => showPurge(c, deps, form),
    then: (_, { subject: id, values: { path } }) => ({
      to: fileAtPath(id, path),
      notice: `Purged a content of ${path} from the history.`,
    }),
  });
}

type RestoreForm = FormState<number, RestoreValues>;

function showRestore(c: Context<WebEnv>, deps: WebDeps, { subject: id, values, problems, status }: RestoreForm) {
  const title = `Restore version ${id}?`;
  return orSentence(c, title, async () => {
    const current = await deps.versions.current();
    const changes = deps.versions.changes(id, current);
    return page(c, {
      title,
      trail: [[versionPath(id), `Version ${id}`]],
      styles: ["history.css"],
      children: changes.length === 0
        ? (
          <p>
            The files are already those of <a href={versionPath(id)}>version {id}</a>.
          </p>
        )
        : (
          <>
            <ProblemSummary problems={withStale(problems, status)} labels={{ message: "Message" }} />
            <p>
              A new version with the files of version {id} becomes the live one, which the next calls run. {plural(
                changes.length,
                "file",
              )} {changes.length === 1 ? "changes" : "change"}. Functions, secrets, groups and keys stay as they are.
              {" "}
              <a href={`${versionPath(id)}/compare`}>What changed since version {id}</a>
            </p>
            <Changes {...byKind(changes)} />
            <Unhandled changes={changes} deps={deps} />
            <RestoreForm id={id} current={current} message={values.message} problems={problems} />
          </>
        ),
    }, status);
  });
}

function byKind(changes: readonly FileChange[]) {
  const paths = (kind: FileChange["change"]) => changes.filter(({ change }) => change === kind).map(({ path }) => path);
  return { created: paths("created"), changed: paths("changed"), deleted: paths("deleted") };
}

/** Names the functions whose handlers would be deleted. */
function Unhandled({ changes, deps: { registry } }: { changes: readonly FileChange[]; deps: WebDeps }) {
  const handled = changes.filter(({ change }) => change === "deleted").flatMap(({ path }) => registry.handledBy(path));
  if (handled.length === 0) return null;
  return (
    <p class="warning">
      The handler of {handled.map(({ id, name }, index) => (
        <>
          {index > 0 && ", "}
          <a href={`/web/functions/${id}`}>{name}</a>
        </>
      ))} is deleted: calls will be answered with 500.
    </p>
  );
}

function RestoreForm({ id, current, message, problems }: {
  id: number;
  current: number | undefined;
  message: string;
  problems: Problems | undefined;
}) {
  return (
    <form method="post" action={`${versionPath(id)}/restore`} class="narrow">
      <FormToken />
      <input type="hidden" name="current" value={String(current ?? "")} autocomplete="off" />
      <TextField name="message" label="Message" value={message} problems={problems} hint="One line for the history." />
      <FormActions submit={`Restore version ${id}`} cancel={versionPath(id)} />
    </form>
  );
}

function showPurge(
  c: Context<WebEnv>,
  { versions }: WebDeps,
  { subject: id, values: { path }, problems, status }: FormState<number, { path: string }>,
) {
  const title = `Purge a content of ${path.split("/").at(-1)}?`;
  return orSentence(c, title, async () => {
    await versions.file(id, path);
    return page(c, {
      title,
      trail: [[versionPath(id), `Version ${id}`]],
      styles: ["history.css"],
      children: (
        <form method="post" action={`${versionPath(id)}/purge`} class="narrow">
          <FormToken />
          <ProblemSummary problems={problems} labels={{}} />
          <input type="hidden" name="path" value={path} />
          <p>
            The content that <code>{path}</code> had in version {id}{" "}
            is deleted from the history permanently, wherever it occurs. Versions with it can no longer be restored, and
            deployments with it can no longer be rolled back to.
          </p>
          <p class="warning">
            If it contained a secret, change the secret, too: backups and everyone who read the file may still have it.
          </p>
          <FormActions submit="Purge this content" kind="danger" cancel={fileAtPath(id, path)} />
        </form>
      ),
    }, status);
  });
}
