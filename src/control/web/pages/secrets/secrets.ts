// Adds the pages of secrets.

import type { Web, WebDeps } from "../../shell/deps.ts";
import { addBin } from "./bin.tsx";
import { addBrowse } from "./browse.tsx";
import { addDue } from "./due.tsx";
import { addExposure } from "./exposure.tsx";
import { addForms } from "./form.tsx";
import { addSecretHistory } from "./history.tsx";
import { addOwners } from "../../ui/owner_name.tsx";
import { addPaste } from "./paste.tsx";
import { addQuickEdit } from "./quick_edit.tsx";
import { addRemove } from "./delete.tsx";
import { addResolvePage } from "./resolve.tsx";
import { addSelection } from "./selection.tsx";
import { addValues } from "./values.tsx";

export function addSecrets(web: Web, deps: WebDeps): void {
  addBin(web, deps);
  addBrowse(web, deps);
  addDue(web, deps);
  addExposure(web, deps);
  addForms(web, deps);
  addSecretHistory(web, deps);
  addOwners(web, deps);
  addPaste(web, deps);
  addQuickEdit(web, deps);
  addRemove(web, deps);
  addResolvePage(web, deps);
  addSelection(web, deps);
  addValues(web, deps);
}
