// Implements the packages that the code of a function imports, for its page.

import type { WebDeps } from "../../shell/deps.ts";
import { packagePath } from "./parts.ts";

export function ImportedPackages({ handler, deps }: { handler: string; deps: WebDeps }) {
  const imported = deps.packages.importedBy(handler);
  if (imported.length === 0) return null;
  return (
    <aside aria-labelledby="packages-heading">
      <h2 id="packages-heading">Packages in this code</h2>
      <ul class="asked">
        {imported.map(({ name, registry, version }) => (
          <li>
            <a href={packagePath({ name, registry })}>{name}</a> <span class="quiet">{version}</span>
          </li>
        ))}
      </ul>
    </aside>
  );
}
