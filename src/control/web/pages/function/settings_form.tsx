// Implements the form of a function's settings: parts with anchors, next to the links that lead to them.

import type { Child } from "hono/jsx";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import { ButtonLink, Card, FormActions } from "../../ui/components.tsx";
import {
  CrossOrigin,
  Isolation,
  Limits,
  Net,
  ReadableFiles,
  ResponseGuard,
  SecretNames,
} from "../functions/confinement.tsx";
import {
  CallerGroups,
  Description,
  type FormProps,
  FormTop,
  Handler,
  Methods,
  NameField,
  RouteField,
} from "../functions/form.tsx";
import { pathOf } from "../functions/list.tsx";

/** In the order of the page; the last one is not a part of the form. */
const PARTS = {
  general: "General",
  address: "Address and callers",
  code: "Code and files",
  secrets: "Secrets",
  network: "Network",
  cors: "Other sites",
  limits: "Limits",
  delete: "Delete",
} as const;

export function SettingsForm(props: FormProps & { entry: RegisteredFunction }) {
  const { entry, action } = props;
  const path = pathOf(entry.id);
  return (
    <div class="with-nav function-settings">
      <nav aria-label="Parts of the settings" class="settings-nav">
        <ul>
          {Object.entries(PARTS).map(([id, title]) => (
            <li>
              <a href={`#${id}-part`}>{title}</a>
            </li>
          ))}
        </ul>
      </nav>
      <div>
        <form method="post" action={action} class="function-form" novalidate data-leave-warning>
          <FormTop {...props} />
          <Part id="general">
            <NameField {...props} />
            <Description {...props} />
          </Part>
          <Part id="address">
            <RouteField {...props} />
            <Methods {...props} />
            <CallerGroups {...props} />
          </Part>
          <Part id="code">
            <Handler {...props} />
            <ReadableFiles {...props} />
          </Part>
          <Part id="secrets">
            <p class="needs">
              <a href={`${path}/suggestions`}>What it needs of this, from what its calls used</a>
              <small class="quiet">Proposes narrower secrets, hosts and limits.</small>
            </p>
            <SecretNames {...props} />
            <ResponseGuard {...props} />
          </Part>
          <Part id="network">
            <Net {...props} />
          </Part>
          <Part id="cors">
            <CrossOrigin {...props} />
          </Part>
          <Part id="limits">
            <Limits {...props} />
            <Isolation {...props} />
          </Part>
          <div class="save-row">
            <FormActions submit="Save" cancel={path} />
          </div>
        </form>
        <div id="delete-part">
          <Card
            title="Delete this function"
            id="delete-heading"
            kind="danger"
            actions={<ButtonLink href={`${path}/delete`} kind="danger">Delete …</ButtonLink>}
          >
            <p>Calls will get 404, and its secrets will be deleted. Its files are kept. You are asked first.</p>
          </Card>
        </div>
      </div>
    </div>
  );
}

function Part({ id, children }: { id: keyof typeof PARTS; children: Child }) {
  return (
    <section class="settings-group" id={`${id}-part`} aria-labelledby={`${id}-heading`}>
      <h2 id={`${id}-heading`}>{PARTS[id]}</h2>
      {children}
    </section>
  );
}
