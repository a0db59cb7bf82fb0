// Implements the part of the page with the components of forms.

import { FormActions } from "../../ui/components.tsx";
import { CodeField, Field, FieldSet, ProblemSummary, SelectField, TextArea, TextField } from "../../ui/fields.tsx";

const PROBLEM = { wrong: "must begin with a letter" };

/** Every control, without and with a problem. */
export function Controls() {
  return (
    <form class="narrow" method="get">
      <ProblemSummary problems={{ ...PROBLEM, other: "is not a number" }} labels={{ wrong: "Wrong", other: "Other" }} />
      <TextField name="text" label="Text" value="orders" hint="A hint says what is expected." />
      <TextField name="wrong" label="Wrong" value="7up" problems={PROBLEM} />
      <TextField name="readonly" label="Read-only" value="cannot be changed" readonly />
      <TextField name="password" label="Password" type="password" value="password" autocomplete="off" />
      <TextField name="date" label="Date" type="date" value="2026-01-31" />
      <CodeField name="route" label="Route" value="/orders/:id" />
      <TextArea name="area" label="Several lines" rows={3} value="One\nTwo" placeholder="A placeholder" />
      <SelectField
        name="select"
        label="One of several"
        value="b"
        options={[{ value: "a", label: "First" }, { value: "b", label: "Second" }]}
      />
      <Field name="file" label="File">{(control) => <input type="file" {...control} />}</Field>
      <FieldSet name="checks" label="Boxes" hint="Any number of them.">
        <label>
          <input type="checkbox" name="checks" value="1" checked /> GET
        </label>
        <label>
          <input type="checkbox" name="checks" value="2" />{" "}
          POST, with a text so long that it needs more than one line where there is little room for it
        </label>
        <label>
          <input type="checkbox" name="checks" value="3" disabled /> PUT, not available
        </label>
      </FieldSet>
      <FieldSet name="radios" label="One of these">
        <label>
          <input type="radio" name="radios" value="1" checked /> Anywhere
        </label>
        <label>
          <input type="radio" name="radios" value="2" /> Nowhere
        </label>
      </FieldSet>
      <FieldSet name="switches" label="Switches">
        <label>
          <input type="checkbox" role="switch" name="switches" value="1" checked /> Enabled
        </label>
        <label>
          <input type="checkbox" role="switch" name="switches" value="2" /> Disabled
        </label>
      </FieldSet>
      <FormActions submit="Save" cancel="/web/_ui" />
    </form>
  );
}
