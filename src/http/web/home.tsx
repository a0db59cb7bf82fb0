// /web: the first page.

import type { Web, WebDeps } from "./deps.ts";
import { page } from "./layout.tsx";

export function addHome(web: Web, _deps: WebDeps): void {
  web.get("/web", (c) => page(c, { title: "Overview", children: <p>Choose a section.</p> }));
}
