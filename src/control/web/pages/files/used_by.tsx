// Implements the lines about a file that name the functions and files that depend on it.

import type { WebDeps } from "../../shell/deps.ts";
import { editPath } from "./folders.tsx";

/** How many of the files that import a file are named. */
const IMPORTERS_SHOWN = 20;

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
      {importers.length > 0 && (
        <p>
          Imported by <Importers paths={importers} />
        </p>
      )}
    </>
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
