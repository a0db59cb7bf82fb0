// Implements the field of a secret value: what is typed is hidden until its eye is pressed.

import { Icon } from "../../icons/icon.tsx";
import { Field, type FieldProps, verbatim } from "../../ui/fields.tsx";

interface SecretFieldProps extends FieldProps {
  value: string;
  rows: number;
  /** Id of the element that a script fills with the bytes that are left. */
  "data-bytes-left"?: string;
  /** Whether it gets the focus when it takes the place of something. */
  "data-first"?: boolean;
}

export function SecretField(
  { value, rows, "data-bytes-left": left, "data-first": isFirst, ...field }: SecretFieldProps,
) {
  return (
    <Field {...field}>
      {(control) => (
        <div class="secret-box">
          {/* HTML parsers drop the first line break of a textarea (HTML, 13.2.6.4.7), so it gets an extra one. */}
          <textarea
            {...control}
            rows={rows}
            class="secret-value"
            {...verbatim(true)}
            data-bytes-left={left}
            data-first={isFirst}
          >
            {"\n" + value}
          </textarea>
          {/* A box works without scripts, too. */}
          <label class="show-typed" title="Show what is typed">
            <input type="checkbox" autocomplete="off" />
            <Icon name="eye" />
            <Icon name="eye-off" />
            <span class="visually-hidden">Show what is typed</span>
          </label>
        </div>
      )}
    </Field>
  );
}
