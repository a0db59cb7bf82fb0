// Implements the page of a version with the diffs of the files that it changed, and the page that compares it with the
// current version.

import type { Context } from "hono";
import type { FileChange, Version } from "../../../../code/versions/history.ts";
import { Badge, Fact, Facts, Pager, Time } from "../../ui/components.tsx";
import { count, parsePositiveInt } from "../../ui/format.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Diff } from "./diff.tsx";
import {
  authorText,
  CAUSE_LABELS,
  ChangeBadge,
  fileAtPath,
  fileHistoryPath,
  HISTORY_PATH,
  idOf,
  orSentence,
  versionPath,
} from "./parts.tsx";

/** Files whose diffs one page shows, and lines of each. */
const FILES_SHOWN = 20;
const LINES_SHOWN = 300;

export function addVersion(web: Web, deps: WebDeps): void {
  const { versions } = deps;

  web.get(`${HISTORY_PATH}/:id`, (c) => {
    const id = idOf(c);
    return orSentence(c, `Version ${id}`, async () => {
      const current = await versions.current();
      const version = versions.get(id);
      const changes = versions.changes(id);
      const { shown, next } = await shownOf(c, changes, deps);
      return page(c, {
        title: `Version ${id}`,
        styles: ["history.css"],
        actions: id !== current && <OlderActions id={id} />,
        children: (
          <>
            <VersionFacts version={version} isCurrent={id === current} files={changes.length} />
            {changes.length === 0 && <p class="quiet">It changed no files.</p>}
            <ChangedFiles shown={shown} id={id} />
            <Pager next={next} what="files" />
          </>
        ),
      });
    });
  });

  web.get(`${HISTORY_PATH}/:id/compare`, (c) => {
    const id = idOf(c);
    return orSentence(c, `Changes since version ${id}`, async () => {
      const current = await versions.current();
      const changes = versions.changes(current ?? id, id);
      const { shown, next } = await shownOf(c, changes, deps);
      return page(c, {
        title: `Changes since version ${id}`,
        trail: [[versionPath(id), `Version ${id}`]],
        styles: ["history.css"],
        actions: changes.length > 0 && <RestoreLink id={id} />,
        children: (
          <>
            <p>
              From <a href={versionPath(id)}>version {id}</a> to the current version, {current}:{" "}
              {changes.length === 0 ? "no differences" : filesText(changes.length)}.
            </p>
            <ChangedFiles shown={shown} id={current ?? id} />
            <Pager next={next} what="files" />
          </>
        ),
      });
    });
  });
}

interface ShownChange {
  readonly change: FileChange;
  readonly diff: string | undefined;
}

/** Returns the changes that the page shows from `?from=` on, with their diffs, and the address of the next page. */
async function shownOf(c: Context<WebEnv>, changes: readonly FileChange[], { versions }: WebDeps) {
  const from = parsePositiveInt(c.req.query("from"));
  const end = from + FILES_SHOWN;
  const shown: ShownChange[] = [];
  for (const change of changes.slice(from, end)) shown.push({ change, diff: await versions.diffOf(change) });
  return { shown, next: end < changes.length ? `${c.req.path}?from=${end}` : undefined };
}

function filesText(files: number): string {
  return files === 1 ? "1 file differs" : `${count(files)} files differ`;
}

function OlderActions({ id }: { id: number }) {
  return (
    <>
      <a href={`${versionPath(id)}/compare`} class="button secondary">
        Compare with the current version
      </a>
      <RestoreLink id={id} />
    </>
  );
}

function RestoreLink({ id }: { id: number }) {
  return <a href={`${versionPath(id)}/restore`} class="button">Restore version {id} …</a>;
}

function VersionFacts({ version, isCurrent, files }: { version: Version; isCurrent: boolean; files: number }) {
  const { at, author, cause, message } = version;
  return (
    <>
      {message !== "" && <p class="message">{message}</p>}
      <Facts>
        <Fact term="When">
          <Time ms={at} />
        </Fact>
        <Fact term="Who">{authorText(author)}</Fact>
        <Fact term="Cause">{CAUSE_LABELS[cause]}</Fact>
        <Fact term="Changed files">{count(files)}</Fact>
        {isCurrent && (
          <Fact term="State">
            <Badge kind="ok">current</Badge>
          </Fact>
        )}
      </Facts>
    </>
  );
}

/** The files that differ; `id` is the version that has the new contents. */
function ChangedFiles({ shown, id }: { shown: readonly ShownChange[]; id: number }) {
  return (
    <>
      {shown.map(({ change: { path, change }, diff }, index) => (
        <section class="changed-file" aria-labelledby={`file-${index}`}>
          <h2 id={`file-${index}`}>
            <code>{path}</code> <ChangeBadge change={change} />
          </h2>
          <Diff path={path} diff={diff} linesMax={LINES_SHOWN} whole={fileAtPath(id, path)} />
          <p>
            <a href={fileAtPath(id, path)}>{path} in version {id}</a> ·{" "}
            <a href={fileHistoryPath(path)}>History of {path}</a>
          </p>
        </section>
      ))}
    </>
  );
}
