// Implements /web/packages: the list of packages that functions use, and the form that updates one.

import type { Context } from "hono";
import type { InstalledPackage } from "../../../../code/packages.ts";
import { Badge, Button, Empty } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { sizeText } from "../../ui/code_form.tsx";
import { fieldText, redirect } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { plural } from "../../ui/format.ts";

const PATH = "/web/packages";

export function addPackages(web: Web, deps: WebDeps): void {
  web.get(PATH, async (c) => showPackages(c, await deps.packages.list()));

  formRoute(web, {
    path: `${PATH}/update`,
    read: (typed) => ({ name: fieldText(typed, "name"), to: fieldText(typed, "to").trim() }),
    act: ({ actor, values: { name, to } }) => deps.packages.update(actor, name, { to: to || undefined }),
    page: (c, { values: { name }, problems }) => redirect(c, PATH, notUpdated(name, Object.values(problems!))),
    then: ({ updated, problems, warnings }, { values: { name } }) => {
      if (problems.length > 0) return { to: PATH, notice: notUpdated(name, problems) };
      const changed = updated.map((one) => `${one.name}: ${one.from.join(", ")} → ${one.to.join(", ")}`);
      const outcome = updated.length > 0
        ? `Updated ${name} for ${plural(updated.length, "function")}. ${changed.join("; ")}.`
        : `${name} is up to date.`;
      return { to: PATH, notice: [outcome, ...warnings].join(" ") };
    },
  });
}

function notUpdated(name: string, reasons: readonly string[]): string {
  return `${name} was not updated: ${reasons.join(" ")}`;
}

function showPackages(c: Context<WebEnv>, packages: readonly InstalledPackage[]) {
  return page(c, {
    title: "Packages",
    children: packages.length === 0
      ? (
        <Empty icon="package" title="No packages yet">
          <p>
            A function gets one by importing it from npm or JSR, such as <code>import {"{ z }"} from "npm:zod"</code>.
          </p>
        </Empty>
      )
      : (
        <>
          <p class="quiet">
            A version changes only when you update it. An update first loads each function with the new version, and
            changes all of them or none.
          </p>
          <DataTable
            label="List of packages"
            isStacked
            rows={packages}
            columns={[
              { label: "Name", isRowHeader: true, cell: (one) => <Name installed={one} /> },
              { label: "Versions", cell: ({ versions }) => versions.map(({ version }) => version).join(", ") },
              { label: "Functions", cell: (one) => <Users installed={one} /> },
              {
                label: "Size",
                isFigure: true,
                cell: ({ registry, size }) => registry === "npm" ? sizeText(size) : "–",
              },
              { label: "Update", narrowLabel: null, cell: (one) => <Update installed={one} /> },
            ]}
          />
        </>
      ),
  });
}

function Name({ installed: { name, registry, native } }: { installed: InstalledPackage }) {
  return (
    <>
      {name} {registry === "jsr" && <Badge kind="plain">JSR</Badge>}
      {native && <Badge kind="warn">native code</Badge>}
    </>
  );
}

/** Links to the functions that have the package, each once. */
function Users({ installed: { versions } }: { installed: InstalledPackage }) {
  const users = new Map(versions.flatMap(({ functions }) => functions).map((one) => [one.id, one]));
  return (
    <>
      {[...users.values()].map(({ id, name }, index) => (
        <>
          {index > 0 && ", "}
          <a href={`/web/functions/${id}`}>{name}</a>
        </>
      ))}
    </>
  );
}

/** The form that updates the package; none for one that only other packages import. */
function Update({ installed: { name, registry, versions } }: { installed: InstalledPackage }) {
  const isImported = versions.some(({ functions }) => functions.some(({ specifiers }) => specifiers.length > 0));
  if (registry !== "npm" || !isImported) return <span class="quiet">with its dependents</span>;
  return (
    <form method="post" action={`${PATH}/update`} class="line">
      <input type="hidden" name="name" value={name} />
      <input
        name="to"
        placeholder="newest allowed"
        aria-label={`Version of ${name}`}
        autocomplete="off"
        maxlength={100}
        size={14}
      />
      <Button kind="secondary" label={`Update ${name}`}>Update</Button>
    </form>
  );
}
