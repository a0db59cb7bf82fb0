// Implements the page that lists what an API key, a function or an actor has read, and ticks off what was replaced since.

import type { Context } from "hono";
import type { ExposedValue } from "../../../../core/secrets/exposure.ts";
import { exposureFilter, exposureQuery } from "../../../inputs/exposure_schemas.ts";
import { Badge, Empty, Icon, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { fieldsOf, ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { type Problems, problemsOf } from "../../shell/forms.ts";
import { count, plural } from "../../ui/format.ts";
import { ScopedName } from "../../ui/owner_name.tsx";
import { SECRETS, urlWithQuery } from "../../ui/secret_labels.ts";
import { namePath } from "./browse.tsx";
import { viewPage } from "./views.tsx";

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
    if (Object.keys(given).length === 0) return exposurePage(c, deps, fields, undefined);
    try {
      const asked = exposureQuery.parse(inputOf(fields));
      return exposurePage(c, deps, fields, deps.exposure.values(exposureFilter(asked, deps)));
    } catch (error) {
      const problems = problemsOf(error);
      if (!problems) throw error;
      return exposurePage(c, deps, fields, undefined, problems);
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
  deps: WebDeps,
  fields: Fields,
  values: readonly ExposedValue[] | undefined,
  problems?: Problems,
) {
  const field = fieldsOf(LABELS, fields, problems);
  return viewPage(c, deps, {
    view: "exposure",
    title: "Exposure",
    children: (
      <>
        <p>
          After a leak: which values did an API key, a function or a user read, and which of them were not replaced
          since?
        </p>
        <form method="get" action={PATH} class="filters hinted exposure" novalidate>
          <ProblemSummary problems={problems} labels={LABELS} />
          <TextField
            {...field("keyId")}
            hint="GROUP/KEY, or its id."
            isVerbatim
          />
          <TextField
            {...field("functionId")}
            hint="Its name or id."
            isVerbatim
          />
          <TextField
            {...field("actor")}
            hint="An e-mail address: what was shown."
            isVerbatim
          />
          <TextField {...field("from")} type="date" />
          <TextField {...field("to")} type="date" />
          <button type="submit" class="secondary">Show</button>
        </form>
        {values ? <Values values={values} fields={fields} /> : !problems && <Unasked />}
      </>
    ),
  }, problems ? 400 : 200);
}

/** In place of an answer, before anything was asked. */
function Unasked() {
  return (
    <Empty icon="shield-check" title="Who could know which values?">
      <p>
        Name the key that leaked, the function whose log was seen, or the user who left, and the days that count. With
        days alone, the report has everything that was read. It ticks off what you replace.
      </p>
    </Empty>
  );
}

function Values({ values, fields }: { values: readonly ExposedValue[]; fields: Fields }) {
  if (values.length === 0) {
    return (
      <Empty icon="circle-check" title="Nothing was read">
        <p>No value was given to these callers or shown to this user in that time.</p>
      </Empty>
    );
  }
  const open = values.filter(({ rotatedSince, reads }) => !rotatedSince && reads > 0).length;
  return (
    <>
      <div class="summary">
        <p role="status">
          {plural(values.length, "value")}, of which {count(open)} {open === 1 ? "was" : "were"}{" "}
          read and not replaced since.
        </p>
        <a
          href={urlWithQuery("/api/secrets/exposure", inputOf(fields))}
          class="button secondary small"
          download="exposure.json"
        >
          <Icon name="download" /> Download this report
        </a>
      </div>
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
            cell: ({ scope, scopeName }) => scope !== null && <ScopedName scope={scope} name={scopeName} />,
          },
          { label: "State", cell: (value) => <State value={value} /> },
          { label: "First read", cell: ({ firstReadAt }) => <Time ms={firstReadAt} /> },
          { label: "Last read", cell: ({ lastReadAt }) => <Time ms={lastReadAt} /> },
          { label: "Reads", isFigure: true, cell: ({ reads }) => count(reads) },
          { label: "Sealed uses", isFigure: true, cell: ({ sealedUses }) => count(sealedUses) },
        ]}
      />
    </>
  );
}

function State({ value: { rotatedSince, deleted, reads } }: { value: ExposedValue }) {
  if (rotatedSince) return <Badge kind="ok">Replaced since</Badge>;
  if (deleted) return <Badge kind="warn">Deleted</Badge>;
  return reads === 0 ? <Badge kind="plain">Used sealed</Badge> : <Badge kind="bad">Not replaced</Badge>;
}
