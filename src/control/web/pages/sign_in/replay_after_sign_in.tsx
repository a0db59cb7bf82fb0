// Preserves a request whose session had ended: hidden fields carry it through the sign-in, never an address, and the
// user can send it again afterwards.

import type { Context } from "hono";
import type { WebEnv } from "../../shell/deps.ts";
import { FormActions } from "../../ui/components.tsx";
import { localPath, readForm, type Typed } from "../../shell/forms.ts";
import { barePage } from "../../shell/layout.tsx";

export interface Resume {
  /** A path under /web, with its query. */
  readonly to: string;
  /** The fields of a form that was posted there. */
  readonly form: readonly (readonly [name: string, value: string])[] | undefined;
}

const HOME: Resume = { to: "/web", form: undefined };
/** Prefix of the carried fields, so that they cannot collide with those of the sign-in form. */
const CARRIED = "~";

/** Returns the path and the form of a request. */
export async function resumeOf(c: Context<WebEnv>): Promise<Resume> {
  const { url } = c.req;
  const to = localPath(url.slice(url.indexOf("/", url.indexOf("://") + 3)));
  if (c.req.method === "GET" || c.req.method === "HEAD") return { to, form: undefined };
  const isForm = (c.req.header("content-type") ?? "").startsWith("application/x-www-form-urlencoded");
  if (c.req.method !== "POST" || !isForm) return HOME;
  const typed = await readForm(c);
  return { to, form: Object.entries(typed).flatMap(([name, values]) => values.map((value) => [name, value] as const)) };
}

/** Returns the request that a sign-in form carries. */
export function resumeIn(typed: Typed): Resume {
  const to = localPath(typed["to"]?.[0] ?? "");
  if (typed["resume"] === undefined) return { to, form: undefined };
  const form = Object.entries(typed).filter(([name]) => name.startsWith(CARRIED))
    .flatMap(([name, values]) => values.map((value) => [name.slice(CARRIED.length), value] as const));
  return { to, form };
}

/** The hidden fields of a sign-in form that carry the request. */
export function ResumeFields({ resume: { to, form } }: { resume: Resume }) {
  return (
    <>
      <input type="hidden" name="to" value={to} />
      {form && <input type="hidden" name="resume" value="1" />}
      {form?.map(([name, value]) => <input type="hidden" name={CARRIED + name} value={value} />)}
    </>
  );
}

/** Continues the request after the sign-in: redirects, or asks whether to send the form. */
export function continueRequest(c: Context<WebEnv>, { to, form }: Resume): Response | Promise<Response> {
  if (!form) return c.redirect(to, 303);
  return barePage(c, {
    title: "Signed in again",
    children: (
      <>
        <p>Your session had ended, so the form was not processed. Nothing that you typed is lost.</p>
        <form method="post" action={to}>
          {form.map(([name, value]) => <input type="hidden" name={name} value={value} />)}
          <FormActions submit="Continue" autofocus cancel="/web" cancelLabel="Discard it" />
        </form>
      </>
    ),
  });
}
