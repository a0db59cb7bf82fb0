// Implements the lines about a file that name the functions and files that depend on it.

import type { WebDeps } from "../../shell/deps.ts";
import { count } from "../../ui/format.ts";
import { editPath } from "./folders.tsx";

/** How many of the files that import a file are named. */
const IMPORTERS_SHOWN = 20;
/** More of them are folded. */
const IMPORTERS_IN_LINE = 3;
/** How many functions a row of a folder names. */
const NAMES_SHOWN = 2;

export function UsedBy({ path, deps }: { path: string; deps: WebDeps }) {
  const handled = deps.registry.handledBy(path);
  const importers = deps.importers(path);
  return (
    <>
      {handled.length > 0 && (
        <p>
          Handler of {handled.map(({ id, name }, index) => (
            <>
              {index > 0 && ", "}
              <a href={`/web/functions/${id}`}>{name}</a>
            </>
          ))}
        </p>
      )}
      {importers.length > 0 && importers.length <= IMPORTERS_IN_LINE && (
        <p>
          Imported by <Importers paths={importers} />
        </p>
      )}
      {importers.length > IMPORTERS_IN_LINE && (
        <details>
          <summary>Imported by {count(importers.length)} files</summary>
          <Importers paths={importers} />
        </details>
      )}
    </>
  );
}

/** The same in a row: the functions that a file is the handler of, or else how many files import it. */
export function UsedInShort({ handled, importers }: {
  handled: readonly { readonly id: number; readonly name: string }[];
  importers: readonly string[];
}) {
  const shown = handled.slice(0, NAMES_SHOWN);
  const others = handled.length - shown.length;
  if (handled.length === 0) {
    return importers.length === 0
      ? null
      : <span title={importers.join("\n")}>imported by {count(importers.length)}</span>;
  }
  return (
    <>
      {shown.map(({ id, name }, index) => (
        <>
          {index > 0 && ", "}
          <a href={`/web/functions/${id}`}>{name}</a>
        </>
      ))}
      {others > 0 && ` and ${others} more`}
    </>
  );
}

/** Says who imports a file, in the beginning of a sentence; a long list of them is folded below it. */
export function ImportersWarning({ paths, effect }: { paths: readonly string[]; effect: string }) {
  if (paths.length === 0) return null;
  if (paths.length <= IMPORTERS_IN_LINE) {
    return (
      <p class="warning">
        <Importers paths={paths} /> {paths.length === 1 ? "imports" : "import"} it: {effect}
      </p>
    );
  }
  return (
    <div class="warning">
      <p>
        {count(paths.length)} files import it: {effect}
      </p>
      <details>
        <summary>Which files</summary>
        <Importers paths={paths} />
      </details>
    </div>
  );
}

/** Links to the first importers, and the number of the others. */
export function Importers({ paths }: { paths: readonly string[] }) {
  return (
    <>
      {paths.slice(0, IMPORTERS_SHOWN).map((path, index) => (
        <>
          {index > 0 && ", "}
          <a href={editPath(path)}>{path}</a>
        </>
      ))}
      {paths.length > IMPORTERS_SHOWN && ` and ${paths.length - IMPORTERS_SHOWN} more`}
    </>
  );
}
