// Implements /web/history: the versions of the code folder, newest first. The page of one version is in version.tsx.

import type { Version } from "../../../../code/versions/history.ts";
import { Ago, ButtonLink, Empty, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { addFileHistory } from "./file_history.tsx";
import { addFileAt } from "./file_at.tsx";
import { CauseOf } from "./cause.tsx";
import { authorText, ChangeText, comparePath, HISTORY_PATH, LiveBadge, restorePath, versionPath } from "./parts.tsx";
import { addRestore } from "./restore.tsx";
import { addVersion } from "./version.tsx";

const PAGE_SIZE = 50;

export function addHistory(web: Web, deps: WebDeps): void {
  const { versions } = deps;
  addVersion(web, deps);
  addRestore(web, deps);
  addFileAt(web, deps);
  addFileHistory(web, deps);

  web.get(HISTORY_PATH, async (c) => {
    const before = parsePositiveInt(c.req.query("before")) || Number.MAX_SAFE_INTEGER;
    const current = await versions.current();
    const { versions: rows, next } = await versions.list(before, PAGE_SIZE);
    return page(c, {
      title: "History",
      styles: ["history.css"],
      children: (
        <>
          <p class="quiet">
            Each change of the code makes a version, also an edit in the code folder. Restoring one makes a new version.
          </p>
          {rows.length === 0
            ? (
              <Empty icon="rotate-ccw-clock" title="No versions yet">
                <p>The first file that you create makes one.</p>
              </Empty>
            )
            : <Versions rows={rows} current={current} deps={deps} />}
          <Pager next={next === undefined ? undefined : `${HISTORY_PATH}?before=${next}`} what="versions" />
        </>
      ),
    });
  });
}

function Versions({ rows, current, deps: { deployments, now } }: {
  rows: readonly (Version & { files: number })[];
  current: number | undefined;
  deps: WebDeps;
}) {
  const deployed = deployments.ofVersions(rows.at(-1)!.id, rows[0]!.id);
  return (
    <DataTable
      label="Versions of the code, the newest first"
      class="versions"
      isStacked
      isLong
      rows={rows}
      columns={[
        {
          label: "Version",
          isRowHeader: true,
          cell: ({ id }) => (
            <>
              <a href={versionPath(id)}>Version {id}</a> {id === current && <LiveBadge />}
            </>
          ),
        },
        {
          label: "Change",
          class: "words",
          narrowLabel: null,
          cell: ({ id, message, author, cause, files }) => (
            <ChangeText
              message={message}
              href={versionPath(id)}
              details={[
                authorText(author),
                <CauseOf cause={cause} deployment={deployed.get(id)} />,
                plural(files, "file"),
              ]}
            />
          ),
        },
        { label: "When", narrowLabel: null, cell: ({ at }) => <Ago ms={at} now={now()} /> },
        { label: "Actions", isActions: true, cell: ({ id }) => id !== current && <Older id={id} /> },
      ]}
    />
  );
}

function Older({ id }: { id: number }) {
  return (
    <>
      <ButtonLink href={comparePath(id)} kind="secondary" isSmall label={`Compare version ${id} with the live one`}>
        Compare
      </ButtonLink>
      <ButtonLink href={restorePath(id)} kind="secondary" isSmall label={`Restore … version ${id}`}>
        Restore …
      </ButtonLink>
    </>
  );
}
