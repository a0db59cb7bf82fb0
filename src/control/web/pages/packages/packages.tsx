// The packages that functions have, and moving one of them to another version.

import type { Context } from "hono";
import type { InstalledPackage } from "../../../../code/packages.ts";
import { Badge, Empty } from "../../ui/components.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { sizeText } from "../../ui/code_form.tsx";
import { attempt, readForm, redirect, typedText } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { plural } from "../../ui/format.ts";

const PATH = "/web/packages";

export function addPackages(web: Web, deps: WebDeps): void {
  web.get(PATH, async (c) => showPackages(c, await deps.packages.list()));

  web.post(`${PATH}/update`, async (c) => {
    const typed = await readForm(c);
    const name = typedText(typed, "name");
    const to = typedText(typed, "to").trim();
    const outcome = await attempt(() => deps.packages.update(c.get("actor"), name, { to: to || undefined }));
    if ("problems" in outcome) {
      return redirect(c, PATH, `${name} was not updated: ${Object.values(outcome.problems).join(" ")}`);
    }
    const { updated, problems, warnings } = outcome.done;
    if (problems.length > 0) return redirect(c, PATH, `${name} was not updated: ${problems.join(" ")}`);
    const changed = updated.map((one) => `${one.name}: ${one.from.join(", ")} → ${one.to.join(", ")}`);
    const told = updated.length > 0
      ? `Updated ${name} for ${plural(updated.length, "function")}. ${changed.join("; ")}.`
      : `${name} is up to date.`;
    return redirect(c, PATH, [told, ...warnings].join(" "));
  });
}

function showPackages(c: Context<WebEnv>, packages: readonly InstalledPackage[]) {
  return page(c, {
    title: "Packages",
    children: packages.length === 0
      ? (
        <Empty>
          <p>No function imports a package yet. Import one from npm or JSR in a function's code.</p>
        </Empty>
      )
      : (
        <>
          <p class="quiet">
            Versions stay as they are until they are updated. An update loads each function with the new version first,
            and changes all of them or none.
          </p>
          <div class="scroll" tabindex={0} role="region" aria-label="List of packages">
            <table class="stack">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Versions</th>
                  <th scope="col">Functions</th>
                  <th scope="col" class="figure">Size</th>
                  <th scope="col">Update</th>
                </tr>
              </thead>
              <tbody>
                {packages.map((one) => <Line installed={one} />)}
              </tbody>
            </table>
          </div>
        </>
      ),
  });
}

function Line({ installed: { name, registry, native, size, versions } }: { installed: InstalledPackage }) {
  const users = new Map(versions.flatMap(({ functions }) => functions).map((one) => [one.id, one]));
  const isImported = versions.some(({ functions }) => functions.some(({ specifiers }) => specifiers.length > 0));
  return (
    <tr>
      <th scope="row">
        {name} {registry === "jsr" && <Badge kind="plain">JSR</Badge>}
        {native && <Badge kind="warn">native code</Badge>}
      </th>
      <td data-label="Versions">{versions.map(({ version }) => version).join(", ")}</td>
      <td data-label="Functions">
        {[...users.values()].map(({ id, name }, index) => (
          <>
            {index > 0 && ", "}
            <a href={`/web/functions/${id}`}>{name}</a>
          </>
        ))}
      </td>
      <td class="figure" data-label="Size">{registry === "npm" ? sizeText(size) : "–"}</td>
      <td>
        {registry === "npm" && isImported
          ? (
            <form method="post" action={`${PATH}/update`} class="inline">
              <input type="hidden" name="name" value={name} />
              <input
                name="to"
                placeholder="newest allowed"
                aria-label={`Version of ${name}`}
                autocomplete="off"
                maxlength={100}
                size={14}
              />
              <button type="submit" class="secondary outline" aria-label={`Update ${name}`}>Update</button>
            </form>
          )
          : <span class="quiet">with what needs it</span>}
      </td>
    </tr>
  );
}
