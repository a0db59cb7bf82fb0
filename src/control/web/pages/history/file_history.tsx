// Implements /web/files/history: the versions that changed one file.

import { checkFilePath } from "../../../../core/functions/file_paths.ts";
import type { VersionOfFile } from "../../../../code/versions/history.ts";
import { Ago, ButtonLink, Empty, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { sizeText } from "../../ui/code_form.tsx";
import { parsePositiveInt } from "../../ui/format.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { attempt } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { editPath, nameOf, trailOf } from "../files/folders.tsx";
import { CauseOf } from "./cause.tsx";
import { authorText, ChangeText, fileAtPath, fileHistoryPath, versionPath } from "./parts.tsx";

const PAGE_SIZE = 50;

export function addFileHistory(web: Web, deps: WebDeps): void {
  const { versions, files } = deps;
  web.get("/web/files/history", async (c) => {
    const path = c.req.query("path") ?? "";
    checkFilePath(path, "path");
    const before = parsePositiveInt(c.req.query("before")) || Number.MAX_SAFE_INTEGER;
    const { versions: rows, next } = await versions.ofFile(path, before, PAGE_SIZE);
    const exists = "done" in await attempt(() => files.read(path));
    return page(c, {
      title: `History of ${nameOf(path)}`,
      trail: exists ? [...trailOf(path), [editPath(path), nameOf(path)]] : [],
      styles: ["history.css"],
      children: (
        <>
          {rows.length === 0
            ? <Empty>No version has changed this file.</Empty>
            : <Changes rows={rows} path={path} deps={deps} />}
          <Pager next={next === undefined ? undefined : `${fileHistoryPath(path)}&before=${next}`} what="versions" />
        </>
      ),
    });
  });
}

function Changes({ rows, path, deps: { deployments, now } }: {
  rows: readonly VersionOfFile[];
  path: string;
  deps: WebDeps;
}) {
  const deployed = deployments.ofVersions(rows.at(-1)!.id, rows[0]!.id);
  return (
    <DataTable
      label="Versions that changed this file, the newest first"
      class="versions"
      isStacked
      isLong
      rows={rows}
      columns={[
        { label: "Version", isRowHeader: true, cell: ({ id }) => <a href={versionPath(id)}>Version {id}</a> },
        {
          label: "Change",
          class: "words",
          narrowLabel: null,
          cell: ({ id, message, author, cause, file }) => (
            <ChangeText
              message={message}
              href={fileAtPath(id, path)}
              details={[
                authorText(author),
                <CauseOf cause={cause} deployment={deployed.get(id)} />,
                file ? sizeText(file.sizeBytes) : "deleted",
              ]}
            />
          ),
        },
        { label: "When", narrowLabel: null, cell: ({ at }) => <Ago ms={at} now={now()} /> },
        {
          label: "Actions",
          isActions: true,
          cell: ({ id, file }) => (
            <>
              <ButtonLink
                href={fileAtPath(id, path)}
                kind="secondary"
                isSmall
                label={`View the change of version ${id}`}
              >
                View
              </ButtonLink>
              {file && (
                <ButtonLink
                  href={`${versionPath(id)}/restore-file?${new URLSearchParams({ path })}`}
                  kind="secondary"
                  isSmall
                  label={`Restore … from version ${id}`}
                >
                  Restore …
                </ButtonLink>
              )}
            </>
          ),
        },
      ]}
    />
  );
}
