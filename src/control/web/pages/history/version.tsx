// Implements the page of a version with the diffs of the files that it changed, and the page that compares it with the
// live version.

import type { Context } from "hono";
import type { FileChange, Version } from "../../../../code/versions/history.ts";
import { Ago, ButtonLink, Fact, Facts, Pager } from "../../ui/components.tsx";
import { count, parsePositiveInt } from "../../ui/format.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { CauseOf } from "./cause.tsx";
import { ChangedFiles, type ShownChange } from "./changed_files.tsx";
import {
  authorText,
  comparePath,
  HISTORY_PATH,
  idOf,
  LiveBadge,
  orSentence,
  restorePath,
  versionPath,
} from "./parts.tsx";

/** Files whose diffs one page shows. */
const FILES_SHOWN = 20;

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
            <VersionFacts version={version} isLive={id === current} deps={deps} />
            {changes.length === 0 && <p class="quiet">It changed no files.</p>}
            <ChangedFiles shown={shown} total={changes.length} id={id} />
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
              From <a href={versionPath(id)}>version {id}</a> to the live version, {current}:{" "}
              {changes.length === 0 ? "no differences" : filesText(changes.length)}.
            </p>
            <ChangedFiles shown={shown} total={changes.length} id={current ?? id} />
            <Pager next={next} what="files" />
          </>
        ),
      });
    });
  });
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
      <ButtonLink href={comparePath(id)} kind="secondary">Compare with the live version</ButtonLink>
      <RestoreLink id={id} />
    </>
  );
}

function RestoreLink({ id }: { id: number }) {
  return <ButtonLink href={restorePath(id)} icon="undo-2">Restore version {id} …</ButtonLink>;
}

function VersionFacts({ version, isLive, deps: { deployments, now } }: {
  version: Version;
  isLive: boolean;
  deps: WebDeps;
}) {
  const { id, at, author, cause, message } = version;
  return (
    <>
      {message !== "" && <p class="message lead">{message}</p>}
      <Facts>
        <Fact term="State">{isLive ? <LiveBadge /> : "not live"}</Fact>
        <Fact term="When">
          <Ago ms={at} now={now()} />
        </Fact>
        <Fact term="Who">{authorText(author)}</Fact>
        <Fact term="Cause">
          <CauseOf cause={cause} deployment={deployments.ofVersions(id, id).get(id)} />
        </Fact>
      </Facts>
    </>
  );
}
