// Implements the files that a version changed, each with its diff, which can be folded.

import type { FileChange } from "../../../../code/versions/history.ts";
import { ButtonLink, Icon } from "../../ui/components.tsx";
import { plural } from "../../ui/format.ts";
import { fileIcon } from "../files/folders.tsx";
import { Diff, type DiffSize, sizeOfDiff } from "./diff.tsx";
import { ChangeBadge, fileAtPath, fileHistoryPath } from "./parts.tsx";

/** Lines of a file that are shown. */
const LINES_SHOWN = 300;

export interface ShownChange {
  readonly change: FileChange;
  readonly diff: string | undefined;
}

/** `total` is the number of all files that differ; `id` is the version that has the new contents. */
export function ChangedFiles({ shown, total, id }: { shown: readonly ShownChange[]; total: number; id: number }) {
  if (shown.length === 0) return null;
  const sized = shown.map((one) => ({ ...one, size: sizeOfDiff(one.diff) }));
  const sum = (what: keyof DiffSize) => sized.reduce((all, { size }) => all + size[what], 0);
  return (
    <>
      <p class="diff-summary">
        {shown.length < total && <>{shown.length} of</>} {plural(total, "file")} changed{" "}
        <Counts size={{ added: sum("added"), removed: sum("removed") }} />
      </p>
      {sized.map(({ change: { path, change }, diff, size }) => (
        <details class="changed-file" open={change !== "deleted"}>
          <summary>
            <Icon name={fileIcon(path)} />
            <code>{path}</code> <ChangeBadge change={change} /> <Counts size={size} />
          </summary>
          <div class="changed-file-links">
            <ButtonLink href={fileAtPath(id, path)} kind="quiet" isSmall label={`View ${path} in version ${id}`}>
              View
            </ButtonLink>
            <ButtonLink href={fileHistoryPath(path)} kind="quiet" isSmall label={`File history of ${path}`}>
              File history
            </ButtonLink>
          </div>
          <Diff path={path} diff={diff} linesMax={LINES_SHOWN} whole={fileAtPath(id, path)} />
        </details>
      ))}
    </>
  );
}

function Counts({ size: { added, removed } }: { size: DiffSize }) {
  if (added + removed === 0) return null;
  return (
    <span class="diff-counts" title={`${plural(added, "line")} added, ${removed} removed`}>
      <span class="added">
        <span class="visually-hidden">added</span>+{added}
      </span>{" "}
      <span class="removed">
        <span class="visually-hidden">removed</span>−{removed}
      </span>
    </span>
  );
}
