// Shows one entry of the audit: a sentence, followed by all of the entry's fields.

import { auditEntry } from "../../../../core/audit/export.ts";
import type { AuditRow } from "../../../../store/audit.ts";
import { Fact, Facts, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { phraseOf, WHO } from "./phrases.ts";

export function Entry({ row }: { row: AuditRow }) {
  const { did, name } = phraseOf(row);
  const { actor, subject, before, after } = auditEntry(row);
  const about = subject.id === null ? subject.name : `${subject.kind}:${subject.id}`;
  return (
    <li id={`entry-${row.id}`}>
      <div class="when">
        <Time ms={row.at} />
      </div>
      <div class="what">
        <p class="sentence">
          {WHO[actor.kind] ?? (
            <>
              {actor.kind === "key" ? "API key " : ""}
              <a href={filtered("actor", `${actor.kind}:${actor.id}`)}>{actor.name}</a>
            </>
          )} {did} {name && <a href={filtered("subject", about)}>{name}</a>}
        </p>
        <details>
          <summary>
            Details <span class="visually-hidden">of entry {row.id}</span>
          </summary>
          <div class="details">
            <Changes id={row.id} before={before} after={after} />
            <Facts isLines>
              <Fact term="Who">
                {WHO[actor.kind] ?? `${actor.name} (${actor.kind}:${actor.id})`}
                {actor.group !== null && `, key group ${actor.group}`}
              </Fact>
              {row.address !== null && <Fact term="From">{row.address}</Fact>}
              <Fact term="Action">
                <code>{row.action}</code>
              </Fact>
              {subject.name !== "" && (
                <Fact term="About">
                  {subject.name} <span class="quiet">{about === subject.name ? subject.kind : about}</span>
                </Fact>
              )}
              {row.requestId !== null && (
                <Fact term="Request">
                  <code>{row.requestId}</code>
                </Fact>
              )}
              <Fact term="Entry">{row.id}</Fact>
            </Facts>
          </div>
        </details>
      </div>
    </li>
  );
}

function filtered(field: "actor" | "subject", value: string): string {
  return `/web/audit?${new URLSearchParams({ [field]: value })}`;
}

type Values = Readonly<Record<string, unknown>> | null;

function Changes({ id, before, after }: { id: number; before: Values; after: Values }) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  if (names.length === 0) return null;
  return (
    <DataTable
      label={`What changed in entry ${id}`}
      class="changes"
      rows={names}
      columns={[
        { label: "What", isRowHeader: true, cell: (name) => name },
        before !== null &&
        { label: "Before", cell: (name) => <Value of={before[name]} other={after?.[name]} is="del" /> },
        after !== null &&
        { label: "After", cell: (name) => <Value of={after[name]} other={before?.[name]} is="ins" /> },
      ]}
    />
  );
}

/** A value, marked if the change removed or added it. */
function Value({ of, other, is }: { of: unknown; other: unknown; is: "del" | "ins" }) {
  const text = formatValue(of);
  if (text === "" || other === undefined || text === formatValue(other)) return <>{text}</>;
  return is === "del" ? <del>{text}</del> : <ins>{text}</ins>;
}

function formatValue(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value === "" ? "(empty)" : value;
  if (Array.isArray(value) && value.every((one) => typeof one !== "object")) return value.join(", ") || "(none)";
  if (isFlat(value)) return Object.entries(value).map(([name, one]) => `${name} ${one}`).join(", ") || "(none)";
  return JSON.stringify(value);
}

function isFlat(value: unknown): value is Readonly<Record<string, string | number | boolean>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((one) => ["string", "number", "boolean"].includes(typeof one));
}
