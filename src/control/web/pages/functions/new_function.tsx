// Implements the form of a new function: a name is enough, and the rest follows from it.

import { FormActions } from "../../ui/components.tsx";
import { FieldSet } from "../../ui/fields.tsx";
import { Confinement } from "./confinement.tsx";
import {
  CallerGroups,
  Description,
  type FormProps,
  FormTop,
  Handler,
  Methods,
  NameField,
  RouteField,
} from "./form.tsx";
import { completed } from "./form_values.ts";
import { LIST_PATH } from "./list.tsx";
import { TEMPLATES } from "./template.ts";

export function NewFunction(props: FormProps & { origin: string }) {
  const { form, origin } = props;
  const { route } = completed(form);
  return (
    <form method="post" action={props.action} class="function-form" novalidate data-leave-warning data-new-function>
      <FormTop {...props} />
      <NameField {...props} />
      <FieldSet name="template" label="Template" hint="The code to begin with. You can change all of it afterwards.">
        <div class="templates">
          {Object.entries(TEMPLATES).map(([id, { title, meaning }]) => (
            <label>
              <input type="radio" name="template" value={id} checked={id === form.template} /> {title}
              <small class="quiet">{meaning}</small>
            </label>
          ))}
        </div>
      </FieldSet>
      <RouteField {...props} />
      {/* Shown by the script, which fills it while the name or the route is typed. */}
      <p class="new-url" data-origin={`${origin}/run`} hidden={route === ""}>
        <span class="quiet">Its URL will be</span> <code>{origin}/run{route === "/" ? "" : route}</code>
      </p>
      <Methods {...props} />
      <CallerGroups {...props} />
      <Handler {...props} />
      <Description {...props} />
      <Confinement {...props} />
      <FormActions submit="Create" cancel={LIST_PATH} />
    </form>
  );
}
