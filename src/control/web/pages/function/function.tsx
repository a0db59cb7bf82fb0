// Adds the pages of one function: its code with "Try it", its secrets, its settings, and what switches or deletes it.

import type { Web, WebDeps } from "../../shell/deps.ts";
import { addCode } from "./code.tsx";
import { addDelete } from "./delete.tsx";
import { addFunctionSecrets } from "./function_secrets.tsx";
import { addSettings } from "./settings.tsx";
import { addSuggestions } from "./suggestions.tsx";
import { addSwitches } from "./switches.tsx";
import { addTrial } from "./try_it.tsx";

export function addFunction(web: Web, deps: WebDeps): void {
  addSettings(web, deps);
  addSuggestions(web, deps);
  addSwitches(web, deps);
  addDelete(web, deps);
  addTrial(web, deps);
  addFunctionSecrets(web, deps);
  addCode(web, deps);
}
