// Implements the page of one package: its versions, the functions that use each, and the form that updates it.

import type { Context } from "hono";
import type { InstalledPackage, PackageUser, UpdateResult } from "../../../../code/packages.ts";
import { nativeSentence } from "../../../../code/packages/native_packages.ts";
import { notFound } from "../../../../errors.ts";
import { Button, Card, Fact, Facts, Notice, Pager } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { TextField } from "../../ui/fields.tsx";
import { sizeText } from "../../ui/code_form.tsx";
import { parsePositiveInt, plural } from "../../ui/format.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, readForm, redirect } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { isImported, licensesOf, packagePath, PACKAGES_PATH, usersOf } from "./parts.ts";

const PAGE_SIZE = 100;

export function addPackage(web: Web, deps: WebDeps): void {
  const { packages } = deps;
  const find = async (registry: string, name: string): Promise<InstalledPackage> => {
    const found = (await packages.list()).find((one) => one.registry === registry && one.name === name);
    if (!found) throw notFound("package", name);
    return found;
  };

  web.get(`${PACKAGES_PATH}/of`, async (c) => {
    const installed = await find(c.req.query("registry") ?? "", c.req.query("name") ?? "");
    return showPackage(c, installed);
  });

  formRoute(web, {
    path: `${PACKAGES_PATH}/update`,
    read: (typed) => ({ name: fieldText(typed, "name"), to: fieldText(typed, "to").trim() }),
    act: ({ actor, values: { name, to } }) => packages.update(actor, name, { to: to || undefined }),
    page: (c, { values: { name }, problems }) => redirect(c, pathOf(name), notUpdated(name, Object.values(problems!))),
    then: ({ updated, problems, warnings }, { values: { name } }) => {
      if (problems.length > 0) return { to: pathOf(name), notice: notUpdated(name, problems) };
      const changed = updated.map((one) => `${one.name}: ${one.from.join(", ")} → ${one.to.join(", ")}`);
      const outcome = updated.length > 0
        ? `Updated ${name} for ${plural(updated.length, "function")}. ${changed.join("; ")}.`
        : `${name} is up to date.`;
      return { to: pathOf(name), notice: [outcome, ...warnings].join(" ") };
    },
  });

  web.post(`${PACKAGES_PATH}/check`, async (c) => {
    const typed = await readForm(c);
    const [name, to] = [fieldText(typed, "name"), fieldText(typed, "to").trim()];
    const checked = await attempt(() => packages.update(c.get("actor"), name, { to: to || undefined, dryRun: true }));
    const result = "done" in checked
      ? checked.done
      : { updated: [], problems: Object.values(checked.problems), warnings: [] };
    return showPackage(c, await find("npm", name), { to, result });
  });
  // The addresses of results, which are not kept.
  for (const form of ["check", "update"]) {
    web.get(`${PACKAGES_PATH}/${form}`, (c) => c.redirect(PACKAGES_PATH, 302));
  }
}

function pathOf(name: string): string {
  return packagePath({ registry: "npm", name });
}

function notUpdated(name: string, reasons: readonly string[]): string {
  return `${name} was not updated: ${reasons.join(" ")}`;
}

/** What an update would do. */
interface Checked {
  readonly to: string;
  readonly result: UpdateResult;
}

function showPackage(c: Context<WebEnv>, installed: InstalledPackage, checked?: Checked) {
  const { name, registry, native, description } = installed;
  return page(c, {
    title: name,
    styles: ["packages.css"],
    actions: (
      <a href={registryAddress(installed)} class="button secondary" rel="noreferrer">
        {registry === "npm" ? "Page at npm" : "Page at JSR"}
      </a>
    ),
    children: (
      <>
        {description !== null && <p class="lead">{description}</p>}
        {native && (
          <Notice kind="bad">
            <p>{nativeSentence(name)}</p>
          </Notice>
        )}
        <Facts>
          <Fact term="Registry">{registry === "npm" ? "npm" : "JSR"}</Fact>
          <Fact term={installed.versions.length === 1 ? "Version" : "Versions"}>
            {installed.versions.map(({ version }) => version).join(", ")}
          </Fact>
          <Fact term="Used by">{plural(usersOf(installed).length, "function")}</Fact>
          <Fact term="License">{licensesOf(installed) ?? "unknown"}</Fact>
          <Fact term="Size">{registry === "npm" ? sizeText(installed.size) : "–"}</Fact>
        </Facts>
        <Update installed={installed} checked={checked} />
        <Uses installed={installed} from={parsePositiveInt(c.req.query("from"))} />
      </>
    ),
  });
}

function registryAddress({ registry, name }: InstalledPackage): string {
  return registry === "npm" ? `https://www.npmjs.com/package/${name}` : `https://jsr.io/${name}`;
}

/** The form that updates the package; none for one that only other packages import. */
function Update({ installed, checked }: { installed: InstalledPackage; checked: Checked | undefined }) {
  const { name, registry } = installed;
  if (registry !== "npm") return null;
  if (!isImported(installed)) {
    return <p class="quiet">It is updated with the packages that need it: no function imports it itself.</p>;
  }
  return (
    <Card title="Update" id="update">
      <form method="post" action={`${PACKAGES_PATH}/update`} class="package-update">
        <input type="hidden" name="name" value={name} />
        <TextField
          name="to"
          label="Version or range"
          value={checked?.to}
          placeholder="newest allowed"
          autocomplete="off"
          maxlength={100}
          isVerbatim
          hint="Empty: for each function the newest version that its imports allow. Each is loaded with it first; if one fails, nothing is changed."
        />
        <Button kind="secondary" formaction={`${PACKAGES_PATH}/check`}>Check</Button>
        <Button label={`Update ${name}`}>Update</Button>
      </form>
      {checked && <Result result={checked.result} />}
    </Card>
  );
}

function Result({ result: { updated, problems, warnings } }: { result: UpdateResult }) {
  if (problems.length > 0) {
    return (
      <Notice kind="bad" title="It cannot be updated">
        <ul>{problems.map((problem) => <li>{problem}</li>)}</ul>
      </Notice>
    );
  }
  const moves = [...new Set(updated.map(({ from, to }) => `${from.join(", ")} → ${to.join(", ")}`))];
  return (
    <Notice kind={warnings.length > 0 ? "warn" : "ok"}>
      <p>
        {updated.length === 0
          ? "Each function has the newest version that its imports allow."
          : `An update would change ${plural(updated.length, "function")}: ${moves.join("; ")}.`}
      </p>
      {warnings.length > 0 && <ul>{warnings.map((warning) => <li>{warning}</li>)}</ul>}
    </Notice>
  );
}

/** The functions that have the package, by version. */
function Uses({ installed, from }: { installed: InstalledPackage; from: number }) {
  const uses = installed.versions.flatMap(({ version, functions }) =>
    functions.map((user): PackageUser & { version: string } => ({ ...user, version }))
  );
  const next = from + PAGE_SIZE < uses.length ? `${packagePath(installed)}&from=${from + PAGE_SIZE}` : undefined;
  return (
    <>
      <h2>Functions</h2>
      <DataTable
        label="Functions that have this package"
        isStacked
        rows={uses.slice(from, from + PAGE_SIZE)}
        columns={[
          { label: "Function", isRowHeader: true, cell: ({ id, name }) => <a href={`/web/functions/${id}`}>{name}</a> },
          { label: "Version", cell: ({ version }) => version },
          {
            label: "Imported as",
            cell: ({ specifiers }) =>
              specifiers.length === 0
                ? <span class="quiet">only by other packages</span>
                : specifiers.map((one) => <code>{one}</code>),
          },
        ]}
      />
      <Pager next={next} what="functions" />
    </>
  );
}
