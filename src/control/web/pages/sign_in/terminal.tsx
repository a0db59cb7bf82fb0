// Implements /web/terminal: a signed-in user lets a terminal, which runs `crude login`, have a session of its own.

import type { Context } from "hono";
import { z } from "zod";
import { shortCodeProof } from "../../../../core/admins/terminal_sign_in.ts";
import { AppError, invalid } from "../../../../errors.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute } from "../../shell/form_route.ts";
import { fieldText, type Problems, type Typed } from "../../shell/forms.ts";
import { page, type PageStatus } from "../../shell/layout.tsx";
import { visitorOf } from "../../shell/session.ts";
import { noLongerShown, ShownOnce } from "../../shell/shown_once.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { FormActions } from "../../ui/components.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";

const PATH = "/web/terminal";
const DONE_PATH = `${PATH}/done`;
/** A SHA-256 in base64url. */
const HASH = /^[\w-]{43}$/;

/** What the terminal opens the page with. */
const wanted = z.object({
  /** The SHA-256 of the terminal's verifier. */
  challenge: z.string().regex(HASH),
  /** Proves that the user has seen the terminal's short code. */
  proof: z.string().regex(HASH),
  /** Returned to the terminal, which knows its own request by it. */
  state: z.string().regex(/^[\w-]{16,100}$/),
  /** Where the terminal listens on its machine. */
  port: z.string().regex(/^[1-9][0-9]{0,4}$/).refine((port) => Number(port) <= 65_535),
  /** What the terminal calls its machine. */
  machine: z.string().max(100).default(""),
});
type Wanted = z.infer<typeof wanted>;

interface Values {
  readonly wanted: Wanted;
  readonly code: string;
  readonly password: string;
}

export function addTerminal(web: Web, deps: WebDeps): void {
  const { accounts, signIn, terminal } = deps.admins;
  const own = (c: Context<WebEnv>) => accounts.get(c.get("admin").id);
  const shown = new ShownOnce<string>({
    shared: deps.shared,
    kind: "terminal",
    write: (text) => text,
    read: (text) => text,
  });

  formRoute(web, {
    path: PATH,
    subject: own,
    initial: (_, c): Values => ({ wanted: wantedOf((name) => c.req.query(name)), code: "", password: "" }),
    read: (typed: Typed): Values => ({
      wanted: wantedOf((name) => typed[name]?.[0]),
      code: fieldText(typed, "code"),
      password: typed["password"]?.[0] ?? "",
    }),
    act: async ({ c, subject, values: { wanted: { challenge, proof }, code, password } }) => {
      // Before the password: a user who was sent a link, and has no such code, is not to type the password.
      if (shortCodeProof(challenge, plainCode(code)) !== proof) throw invalid("code", "is not the terminal's");
      await signIn.verifyPassword(visitorOf(c), subject, password, "password");
      return terminal.approve(subject, challenge);
    },
    page: (c, { values, problems, status }) => approvalPage(c, values, problems, status),
    then: async (code, { c, values: { wanted: { state, port } } }) => {
      const address = `http://127.0.0.1:${port}/?${new URLSearchParams({ code, state })}`;
      return { to: `${DONE_PATH}?${await shown.keep(c, address)}` };
    },
  });

  web.get(DONE_PATH, async (c) => {
    const address = await shown.find(c);
    if (address === undefined) {
      return noLongerShown(c, { title: "Sign in a terminal", advice: "Run crude login again.", back: "/web" });
    }
    // Not a redirect: the pages' policy allows forms to lead to this server only.
    c.header("Refresh", `0; url=${address}`);
    return page(c, {
      title: "Sign in a terminal",
      children: (
        <div class="narrow">
          <p>You can return to the terminal.</p>
          <p>
            If it still waits, <a href={address} rel="noreferrer">continue there</a>.
          </p>
        </div>
      ),
    });
  });
}

/** @throws AppError InvalidInput (400) for an address that `crude login` has not made */
function wantedOf(field: (name: string) => string | undefined): Wanted {
  const names = Object.keys(wanted.shape);
  const parsed = wanted.safeParse(Object.fromEntries(names.map((name) => [name, field(name)])));
  if (parsed.success) return parsed.data;
  throw new AppError("InvalidInput", 400, "This address is not complete. Run crude login again.");
}

/** As it is compared: users may type it in lower case, and without its hyphen. */
function plainCode(code: string): string {
  return code.toUpperCase().replace(/[^A-Z]/g, "");
}

function approvalPage(c: Context<WebEnv>, { wanted, code }: Values, problems?: Problems, status: PageStatus = 200) {
  const labels = { code: "Code", password: "Password" };
  return page(c, {
    title: "Sign in a terminal",
    children: (
      <div class="narrow">
        <p>
          A terminal{wanted.machine === "" ? "" : ` on ${wanted.machine}`} asks to manage this server as{" "}
          <strong>{c.get("admin").email}</strong>.
        </p>
        <p class="warning">
          Continue only if you have just typed <code>crude login</code>{" "}
          yourself. Type the code that the terminal shows, not one that someone sent you.
        </p>
        <ProblemSummary problems={problems} labels={labels} />
        <form method="post" action={PATH}>
          <FormToken />
          {Object.entries(wanted).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
          <TextField
            name="code"
            label={labels.code}
            hint="Eight letters, which the terminal shows."
            value={code}
            problems={problems}
            autocomplete="off"
            isVerbatim
            required
            autofocus
          />
          <TextField
            name="password"
            label={labels.password}
            type="password"
            problems={problems}
            autocomplete="current-password"
            required
          />
          <FormActions submit="Sign the terminal in" cancel="/web" />
        </form>
      </div>
    ),
  }, status);
}
