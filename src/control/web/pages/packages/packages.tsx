// Implements /web/packages: the list of packages that functions use. The page of one, with its updates, is in package.tsx.

import type { Context } from "hono";
import type { InstalledPackage } from "../../../../code/packages.ts";
import { Badge, ButtonLink, CopyLine, Empty } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { sizeText } from "../../ui/code_form.tsx";
import { page } from "../../shell/layout.tsx";
import { count, plural } from "../../ui/format.ts";
import { addPackage } from "./package.tsx";
import { isImported, licensesOf, packagePath, PACKAGES_PATH, usersOf } from "./parts.ts";

/** How many functions a row names. */
const USERS_SHOWN = 2;

export function addPackages(web: Web, deps: WebDeps): void {
  addPackage(web, deps);
  web.get(PACKAGES_PATH, async (c) => showPackages(c, await deps.packages.list()));
}

function showPackages(c: Context<WebEnv>, packages: readonly InstalledPackage[]) {
  const imported = packages.filter(isImported);
  const others = packages.filter((one) => !isImported(one));
  return page(c, {
    title: "Packages",
    styles: ["packages.css"],
    children: packages.length === 0 ? <None /> : (
      <>
        <p class="quiet">
          What functions import from npm and JSR. A version changes only when you update it, and an update changes all
          functions or none.
        </p>
        <List label="List of packages" packages={imported} />
        {others.length > 0 && (
          <details open={imported.length === 0}>
            <summary>
              {count(others.length)} {others.length === 1 ? "package" : "packages"} that only other packages need
            </summary>
            <List label="List of dependencies" packages={others} />
          </details>
        )}
      </>
    ),
  });
}

function List({ label, packages }: { label: string; packages: readonly InstalledPackage[] }) {
  return (
    <DataTable
      label={label}
      class="packages"
      isStacked
      isLong
      rows={packages}
      columns={[
        { label: "Package", isRowHeader: true, cell: (one) => <Name installed={one} /> },
        {
          label: "Version",
          cell: ({ versions }) => (
            <>
              {versions.map(({ version }) => version).join(", ")}
              {versions.length > 1 && (
                <>
                  {" "}
                  <Badge kind="warn">{versions.length} versions</Badge>
                </>
              )}
            </>
          ),
        },
        { label: "Used by", class: "words", cell: (one) => <Users installed={one} /> },
        { label: "License", cell: (one) => licensesOf(one) ?? <span class="quiet">unknown</span> },
        { label: "Size", isFigure: true, cell: ({ registry, size }) => registry === "npm" ? sizeText(size) : "–" },
        {
          label: "Actions",
          isActions: true,
          cell: (one) =>
            one.registry === "npm" && isImported(one) && (
              <ButtonLink href={`${packagePath(one)}#update`} kind="secondary" isSmall label={`Update … ${one.name}`}>
                Update …
              </ButtonLink>
            ),
        },
      ]}
    />
  );
}

function Name({ installed }: { installed: InstalledPackage }) {
  const { name, registry, native, description } = installed;
  return (
    <>
      <a href={packagePath(installed)}>{name}</a> {registry === "jsr" && <Badge kind="plain">JSR</Badge>}
      {native && <Badge kind="bad">native code</Badge>}
      {description !== null && <span class="package-description">{description}</span>}
    </>
  );
}

/** The first functions that have the package, and how many others. */
function Users({ installed }: { installed: InstalledPackage }) {
  const users = usersOf(installed);
  const shown = users.slice(0, USERS_SHOWN);
  return (
    <>
      {shown.map(({ id, name }, index) => (
        <>
          {index > 0 && ", "}
          <a href={`/web/functions/${id}`}>{name}</a>
        </>
      ))}
      {users.length > shown.length && (
        <>
          {" "}
          and <a href={packagePath(installed)}>{plural(users.length - shown.length, "other")}</a>
        </>
      )}
    </>
  );
}

function None() {
  return (
    <Empty
      icon="package"
      title="No packages yet"
      actions={<ButtonLink href="/web/docs/packages" kind="secondary">Packages that are tested</ButtonLink>}
    >
      <p>
        A function gets a package of npm or JSR by importing it; there is nothing to install. It is fetched once, when
        the code is saved, and keeps its version until you update it here.
      </p>
      <CopyLine id="example" text={`import { z } from "npm:zod@4";`} label="Copy the example of an import" />
      <p>Packages with native code do not run; this page names them.</p>
    </Empty>
  );
}
