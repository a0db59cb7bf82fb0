// The fields of a secret's form that seal its value, and what pages show of a sealed one.

import { SEND_PLACES, type SendPlace } from "../../../../sealed.ts";
import type { Seal } from "../../../../store/secrets.ts";
import { Badge } from "../../ui/components.tsx";
import { CodeField, FieldSet } from "../../ui/fields.tsx";
import type { Problems } from "../../shell/forms.ts";

/** The texts of a form's fields. */
type Fields = Readonly<Record<string, string>>;

export const SEAL_LABELS = { sealed: "Sealed", hosts: "Hosts", in: "Places" };

/** The names of the form's fields: one for each place. */
const PLACE_FIELDS: Readonly<Record<SendPlace, string>> = {
  header: "inHeader",
  query: "inQuery",
  path: "inPath",
  body: "inBody",
};
export const SEAL_FIELDS = ["sealed", "hosts", ...Object.values(PLACE_FIELDS)];

const PLACE_LABELS: Readonly<Record<SendPlace, string>> = {
  header: "Headers",
  query: "The query of the URL",
  path: "The path of the URL",
  body: "Text, JSON and form bodies",
};

/** Returns the texts of the fields for a stored seal. */
export function sealTexts({ sealed, hosts, places }: Seal): Fields {
  return {
    sealed: sealed ? "yes" : "",
    hosts: hosts.join("\n"),
    ...Object.fromEntries(SEND_PLACES.map((place) => [PLACE_FIELDS[place], places.includes(place) ? "yes" : ""])),
  };
}

/** Returns the input of the API's schemas. */
export function sealInput(fields: Fields): Record<string, unknown> {
  const hosts = (fields.hosts ?? "").split("\n").map((line) => line.trim()).filter((line) => line !== "");
  if (fields.sealed !== "yes") return { sealed: false, ...(hosts.length > 0 && { hosts }) };
  return { sealed: true, hosts, in: SEND_PLACES.filter((place) => fields[PLACE_FIELDS[place]] === "yes") };
}

export function SealFields({ fields, problems, isStored }: {
  fields: Fields;
  problems: Problems | undefined;
  /** Whether a sealed value is stored already. */
  isStored: boolean;
}) {
  const box = (name: string, label: string) => (
    <label>
      <input type="checkbox" name={name} value="yes" checked={fields[name] === "yes"} /> {label}
    </label>
  );
  return (
    <>
      <FieldSet
        name="sealed"
        label={SEAL_LABELS.sealed}
        problems={problems}
        hint={isStored
          ? "To unseal it, to add hosts or places, or to rename it, enter the value again."
          : "Functions can send it to its hosts by fetch, and no one can read it: no function, no page, no export."}
      >
        {box("sealed", "Seal it")}
      </FieldSet>
      <div class="seal-more">
        <CodeField
          name="hosts"
          label={SEAL_LABELS.hosts}
          value={fields.hosts ?? ""}
          problems={hostsProblem(problems)}
          hint="Only for a sealed value, one per line: api.example.com, *.example.com, or http://127.0.0.1:8080."
          rows={3}
        />
        <FieldSet
          name="in"
          label={SEAL_LABELS.in}
          problems={problems}
          hint="Only for a sealed value: where in a request it may be."
        >
          {SEND_PLACES.map((place) => box(PLACE_FIELDS[place], PLACE_LABELS[place]))}
        </FieldSet>
      </div>
    </>
  );
}

/** A problem of one line is one of the field. */
function hostsProblem(problems: Problems | undefined): Problems | undefined {
  const [, problem] = Object.entries(problems ?? {}).find(([field]) => field.startsWith("hosts.")) ?? [];
  return problem === undefined ? problems : { ...problems, hosts: problem };
}

/** In place of a value that no one can read. */
export function SealedValue({ hosts, places }: Seal) {
  const where = places.map((place) => PLACE_LABELS[place].toLowerCase()).join(", ");
  return (
    <p>
      <Badge kind="plain">Sealed</Badge> Sent only to <code>{hosts.join(", ")}</code>, in {where}. No one can read it.
    </p>
  );
}
