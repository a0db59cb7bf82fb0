// Implements the two fields of a new password.

import { TextField } from "./fields.tsx";
import type { Problems } from "../shell/forms.ts";
import { PASSWORD_MIN_LENGTH } from "../../inputs/sign_in_schemas.ts";

export function PasswordFields({ problems, label = "Password" }: { problems: Problems | undefined; label?: string }) {
  return (
    <>
      <TextField
        name="password"
        label={label}
        type="password"
        hint={`${PASSWORD_MIN_LENGTH} characters or more; a few words that only you would combine are fine.`}
        problems={problems}
        minlength={PASSWORD_MIN_LENGTH}
        autocomplete="new-password"
        required
      />
      <TextField
        name="again"
        label={`${label} again`}
        type="password"
        problems={problems}
        autocomplete="new-password"
        required
      />
    </>
  );
}
