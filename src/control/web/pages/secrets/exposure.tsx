// Implements the page that lists what an API key, a function or an actor has read, and ticks off what was replaced since.

import type { Context } from "hono";
import type { ExposedValue } from "../../../../core/secrets/exposure.ts";
import { exposureFilter, exposureQuery } from "../../../inputs/exposure_schemas.ts";
import { Badge, Empty, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { type Problems, problemsOf } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { count, plural } from "../../ui/format.ts";
import { SCOPE_LABELS, SECRETS, urlWithQuery } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";

const PATH = `${SECRETS}/exposure`;
const FIELDS = ["keyId", "functionId", "actor", "from", "to"] as const;
const LABELS = {
  keyId: "API key",
  functionId: "Function",
  actor: "User or actor",
  from: "From",
  to: "To",
};

type Fields = Readonly<Partial<Record<(typeof FIELDS)[number], string>>>;

export function addExposure(web: Web, deps: WebDeps): void {
  web.get(PATH, (c) => {
    const given = c.req.query();
    const fields: Fields = Object.fromEntries(
      FIELDS.flatMap((name) => given[name] ? [[name, given[name].trim()]] : []),
    );
    if (Object.keys(given).length === 0) return exposurePage(c, fields, undefined);
    try {
      const asked = exposureQuery.parse(inputOf(fields));
      return exposurePage(c, fields, deps.exposure.values(exposureFilter(asked, deps)));
    } catch (error) {
      const problems = problemsOf(error);
      if (!problems) throw error;
      return exposurePage(c, fields, undefined, problems);
    }
  });
}

/** Returns the parameters of the API; the days of the form are whole ones, in UTC. */
function inputOf({ from, to, ...who }: Fields): Record<string, string> {
  const isDay = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text);
  return {
    ...who,
    ...(from && { from: isDay(from) ? `${from}T00:00:00Z` : from }),
    ...(to && { to: isDay(to) ? `${to}T23:59:59.999Z` : to }),
  };
}

function exposurePage(
  c: Context<WebEnv>,
  fields: Fields,
  values: readonly ExposedValue[] | undefined,
  problems?: Problems,
) {
  return page(c, {
    title: "Exposure",
    styles: ["secrets.css"],
    children: (
      <>
        <p>
          <a href={SECRETS}>All secrets</a>
        </p>
        <p>What did an API key, a function or a user read? After a leak, these values are to be replaced.</p>
        <form method="get" action={PATH} class="filters" novalidate>
          <ProblemSummary problems={problems} labels={LABELS} />
          <TextField
            name="keyId"
            label={LABELS.keyId}
            value={fields.keyId ?? ""}
            problems={problems}
            hint="GROUP/KEY, or the id of a revoked one."
            isVerbatim
          />
          <TextField
            name="functionId"
            label={LABELS.functionId}
            value={fields.functionId ?? ""}
            problems={problems}
            isVerbatim
          />
          <TextField
            name="actor"
            label={LABELS.actor}
            value={fields.actor ?? ""}
            problems={problems}
            hint="An e-mail address, for what was shown or exported."
            isVerbatim
          />
          <TextField name="from" type="date" label={LABELS.from} value={fields.from ?? ""} problems={problems} />
          <TextField name="to" type="date" label={LABELS.to} value={fields.to ?? ""} problems={problems} />
          <button type="submit" class="secondary">Show</button>
        </form>
        {values && <Values values={values} fields={fields} />}
      </>
    ),
  }, problems ? 400 : 200);
}

function Values({ values, fields }: { values: readonly ExposedValue[]; fields: Fields }) {
  if (values.length === 0) return <Empty>Nothing was read.</Empty>;
  const open = values.filter(({ rotatedSince, reads }) => !rotatedSince && reads > 0).length;
  return (
    <>
      <p role="status">
        {plural(values.length, "value")}, of which {count(open)} {open === 1 ? "was" : "were"}{" "}
        read and not replaced since.
      </p>
      <DataTable
        label="Values that were read"
        isStacked
        rows={values}
        columns={[
          {
            label: "Name",
            isRowHeader: true,
            cell: ({ name, deleted }) =>
              name === null
                ? "a deleted secret"
                : deleted
                ? <code>{name}</code>
                : <a href={namePath(name as never)}>{name}</a>,
          },
          {
            label: "Belongs to",
            class: "words",
            cell: ({ scope, scopeName }) => scope === null ? "" : `${SCOPE_LABELS[scope]} ${scopeName ?? ""}`,
          },
          { label: "First read", cell: ({ firstReadAt }) => <Time ms={firstReadAt} /> },
          { label: "Last read", cell: ({ lastReadAt }) => <Time ms={lastReadAt} /> },
          { label: "Reads", isFigure: true, cell: ({ reads }) => count(reads) },
          { label: "Sealed uses", isFigure: true, cell: ({ sealedUses }) => count(sealedUses) },
          { label: "State", cell: (value) => <State value={value} /> },
        ]}
      />
      <p>
        <a href={urlWithQuery("/api/secrets/exposure", inputOf(fields))} download="exposure.json">
          Download this report
        </a>, to keep it.
      </p>
    </>
  );
}

function State({ value: { rotatedSince, deleted, reads } }: { value: ExposedValue }) {
  if (rotatedSince) return <Badge kind="ok">Replaced since</Badge>;
  if (deleted) return <Badge kind="warn">Deleted</Badge>;
  return reads === 0 ? <Badge kind="plain">Used sealed</Badge> : <Badge kind="bad">Not replaced</Badge>;
}
