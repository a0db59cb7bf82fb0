// Implements the first steps: a list on the overview, from an empty server to the first answer, with links back to it on
// all other pages.

import type { Context, MiddlewareHandler } from "hono";
import type { Child } from "hono/jsx";
import { AppError } from "../../../../errors.ts";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { SecretName } from "../../../../ids.ts";
import { SECRET_NAME_MAX_LENGTH } from "../../../../core/secrets/names.ts";
import { readCookie } from "../../../../http/cookies.ts";
import { Icon } from "../../icons/icon.tsx";
import { ButtonLink } from "../../ui/button.tsx";
import { CopyLine } from "../../ui/components.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { curlOf, functionsOriginOf } from "../../ui/curl_example.ts";
import { redirect, setCookie } from "../../shell/forms.ts";

const HIDE = "/web/first-steps/hide";
const YEAR_SECONDS = 365 * 86_400;
/** How much of a handler's code is searched for names of secrets. */
const CODE_MAX_CHARACTERS = 100_000;

interface Steps {
  readonly function: boolean;
  readonly secret: boolean;
  readonly key: boolean;
  readonly answer: boolean;
}

/** Sets `firstSteps` of each request. Once all steps are done, they are no longer checked. */
export function firstSteps(deps: WebDeps): MiddlewareHandler<WebEnv> {
  let finished = false;
  return async (c, next) => {
    // Evaluated when the page is rendered: the request itself may complete a step.
    c.set("firstSteps", () => {
      if (finished || isHidden(c)) return undefined;
      const done = Object.values(stepsOf(deps)).filter(Boolean).length;
      finished = done === 4;
      return finished ? undefined : { done, of: 4 };
    });
    await next();
  };
}

export function addFirstSteps(web: Web): void {
  web.post(HIDE, (c) => {
    setCookie(c, "first_steps", "hidden", YEAR_SECONDS);
    return redirect(c, "/web", "The first steps are hidden in this browser.");
  });
}

function isHidden(c: Context<WebEnv>): boolean {
  return readCookie(c.req.raw.headers, "first_steps", c.env) === "hidden";
}

function stepsOf({ access, registry, secrets, settings, metrics }: WebDeps): Steps {
  const key = access.keyCounts().total > access.countIn(settings.get("api.access-groups"));
  const made = { function: registry.counts().total > 0, secret: secrets.total() > 0, key };
  // Without metrics, the first answer cannot be detected.
  const uncounted = settings.get("metrics.retention-days") === 0;
  if (!made.function || uncounted) return { ...made, answer: made.function && uncounted };
  const { calls, errors } = metrics.summary(undefined, 0);
  return { ...made, answer: calls > errors };
}

/** The four steps, the next one with the page's only primary button, for a request with steps left to do. */
export async function FirstSteps({ c, deps }: { c: Context<WebEnv>; deps: WebDeps }) {
  const steps = stepsOf(deps);
  const made = deps.registry.oldest();
  const asked = made && await unsetSecret(made, deps);
  const next = (["function", "secret", "key", "answer"] as const).find((step) => !steps[step]);
  const secret = new URLSearchParams({
    ...(asked && { name: asked }),
    ...(made ? { scope: "function", functionId: String(made.id) } : { scope: "global" }),
  });
  return (
    <section aria-labelledby="first-steps" class="first-steps">
      <h2 id="first-steps">First steps</h2>
      <p>Get the first answer from a function in two minutes.</p>
      <ol>
        <Step done={steps.function} next={next === "function"} href="/web/functions/new" title="Create a function">
          {made
            ? (
              <>
                <a href={`/web/functions/${made.id}`}>{made.name}</a> answers at <code>/run{made.route}</code>.
              </>
            )
            : "A few lines of TypeScript that answer requests. A new function starts with a working example."}
        </Step>
        <Step done={steps.secret} next={next === "secret"} href={`/web/secrets/new?${secret}`} title="Add a secret">
          {asked && !steps.secret
            ? (
              <>
                {made.name} asks for <code>{asked}</code>. Set a value, and its answer changes.
              </>
            )
            : "A value that functions can read, stored encrypted in the database instead of in their code."}
        </Step>
        <Step
          done={steps.key}
          next={next === "key"}
          href={`/web/keys/new${made ? `?functionId=${made.id}` : ""}`}
          title="Create an API key"
        >
          A key identifies the caller, who can then have separate secrets. Its value is shown once, with a command that
          calls the function.
        </Step>
        <Step
          done={steps.answer}
          next={next === "answer"}
          href={made ? `/web/functions/${made.id}` : undefined}
          title="See the first answer"
        >
          {made
            ? <Call c={c} settings={deps.settings} made={made} />
            : "Once a function exists, its address and a command that calls it are shown here."}
        </Step>
      </ol>
      <form method="post" action={HIDE}>
        <button type="submit" class="link">Hide these steps</button>
      </form>
    </section>
  );
}

function Step({ done, next, href, title, children }: {
  done: boolean;
  next: boolean;
  /** Undefined while the step is not possible. */
  href: string | undefined;
  title: string;
  children: Child;
}) {
  return (
    <li aria-current={next ? "step" : undefined} class={done ? "step done" : "step"}>
      <Icon name={done ? "circle-check" : "circle"} />
      <div>
        <h3>
          {title} <span class="visually-hidden">{done ? "done" : next ? "next" : "to do"}</span>
        </h3>
        {!done && <div>{children}</div>}
        {next && href !== undefined && (
          <p>
            <ButtonLink href={href}>{title}</ButtonLink>
          </p>
        )}
      </div>
    </li>
  );
}

function Call({ c, settings, made }: {
  c: Context<WebEnv>;
  settings: WebDeps["settings"];
  made: RegisteredFunction;
}) {
  const line = curlOf(functionsOriginOf(c, settings), made, made.keys.length > 0 ? "YOUR-KEY" : undefined);
  return (
    <>
      <p>
        {made.keys.length > 0
          ? "Run this in a terminal with the value of your key, or use Try it on the function's page:"
          : "Run this in a terminal, or use Try it on the function's page:"}
      </p>
      <CopyLine id="first-call" text={line} label="Copy the command" />
    </>
  );
}

/** Returns a name that the handler passes to `getSecret` and that no secret has yet. */
async function unsetSecret({ handler }: RegisteredFunction, { files, secrets }: WebDeps): Promise<string | undefined> {
  let code: string;
  try {
    code = new TextDecoder().decode((await files.read(handler)).content).slice(0, CODE_MAX_CHARACTERS);
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
  const names = [...code.matchAll(/getSecret\(\s*["'`]([a-zA-Z0-9_-]+)["'`]/g)].map(([, name]) => name!);
  return names.filter((name) => name.length <= SECRET_NAME_MAX_LENGTH).find((name) => !secrets.has(name as SecretName));
}
