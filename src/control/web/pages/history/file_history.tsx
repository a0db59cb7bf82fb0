// Implements /web/files/history: the versions that changed one file.

import { checkFilePath } from "../../../../core/functions/file_paths.ts";
import type { VersionOfFile } from "../../../../code/versions/history.ts";
import { Empty, Pager, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { sizeText } from "../../ui/code_form.tsx";
import { parsePositiveInt } from "../../ui/format.ts";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { attempt } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { editPath, nameOf, trailOf } from "../files/folders.tsx";
import { authorText, fileAtPath, fileHistoryPath, versionPath } from "./parts.tsx";

const PAGE_SIZE = 50;

export function addFileHistory(web: Web, { versions, files }: WebDeps): void {
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
          {rows.length === 0 ? <Empty>No version has changed this file.</Empty> : <Changes rows={rows} path={path} />}
          <Pager next={next === undefined ? undefined : `${fileHistoryPath(path)}&before=${next}`} what="versions" />
        </>
      ),
    });
  });
}

function Changes({ rows, path }: { rows: readonly VersionOfFile[]; path: string }) {
  return (
    <DataTable
      label="Versions that changed this file, the newest first"
      class="versions"
      isStacked
      isLong
      rows={rows}
      columns={[
        { label: "Version", isRowHeader: true, cell: ({ id }) => <a href={versionPath(id)}>Version {id}</a> },
        { label: "When", cell: ({ at }) => <Time ms={at} /> },
        { label: "Who", class: "words who", cell: ({ author }) => authorText(author) },
        { label: "Message", class: "words", cell: ({ message }) => message },
        {
          label: "Size",
          isFigure: true,
          cell: ({ file }) => file ? sizeText(file.sizeBytes) : <span class="quiet">deleted</span>,
        },
        {
          label: "File",
          narrowLabel: null,
          cell: ({ id, file }) => (
            <>
              <a href={fileAtPath(id, path)}>
                View the change<span class="visually-hidden">of version {id}</span>
              </a>
              {file && (
                <>
                  {" · "}
                  <a href={`${versionPath(id)}/restore-file?${new URLSearchParams({ path })}`}>
                    Restore …<span class="visually-hidden">from version {id}</span>
                  </a>
                </>
              )}
            </>
          ),
        },
      ]}
    />
  );
}
