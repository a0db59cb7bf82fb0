// /web/*: the admin pages. Who gets in, what they have in common, and which page is where.

import { type Context, Hono } from "hono";
import { AppError } from "../../errors.ts";
import { credentials } from "../credentials.ts";
import { errorResponse } from "../errors.ts";
import { addAssets } from "./assets.ts";
import type { Web, WebDeps, WebEnv } from "./deps.ts";
import { takeNotice } from "./forms.ts";
import { addHome } from "./home.tsx";
import { barePage } from "./layout.tsx";
import { addSettings } from "./settings/settings.tsx";
import { pageHeaders, sameOriginOnly } from "./security.ts";

/** An app that answers everything under /web. */
export function createWeb(deps: WebDeps): Web {
  const web: Web = new Hono<WebEnv>();
  web.onError((error, c) => failure(error, c, deps));
  web.notFound((c) => failure(new AppError("NotFound", 404, "There is no such page."), c, deps));
  web.use("*", async (c, next) => {
    c.set("requestId", deps.newRequestId());
    await next();
    c.header("X-Request-Id", c.get("requestId"));
  });
  web.use("*", pageHeaders, sameOriginOnly);
  addAssets(web);

  web.use("*", async (c, next) => {
    const [credential] = credentials(c.req.raw.headers, c.req.raw.url);
    const holder = credential && deps.access.find(credential.value);
    if (!holder || !deps.settings.get("api.access-groups").includes(holder.groupName)) {
      throw new AppError("Unauthorized", 401, "Sign in first.");
    }
    c.set("admin", { id: String(holder.keyId), name: holder.keyName, email: holder.keyName });
    const { keyId: id, keyName: name, groupName: group } = holder;
    c.set("actor", { kind: "key", id, name, group, address: c.env.address, requestId: c.get("requestId") });
    c.set("notice", takeNotice(c));
    await next();
  });
  addHome(web, deps);
  addSettings(web, deps);
  return web;
}

/** What went wrong, as a page; the same rules as for the API: nothing of the inside reaches the browser. */
async function failure(error: unknown, c: Context<WebEnv>, { log }: WebDeps): Promise<Response> {
  const answer = errorResponse(error, c.get("requestId"), log);
  const { error: message } = await answer.json() as { error: string };
  const status = answer.status as 400 | 401 | 403 | 404 | 429 | 500;
  return barePage(c, {
    title: status === 404 ? "Not found" : status === 500 ? "That failed" : "That was not possible",
    children: (
      <>
        <p>{message}</p>
        <p>
          <a href="/web">Back to the start</a>
        </p>
      </>
    ),
  }, status);
}
