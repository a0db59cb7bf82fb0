// Implements the page of one function: its code in the editor, the secrets that the code asks for, and "Try it".

import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { SecretReference } from "../../../../core/secrets/references.ts";
import { asText } from "../../../inputs/body.ts";
import { sha256Of } from "../../../../sha256.ts";
import { AppError } from "../../../../errors.ts";
import { Badge, PostButton } from "../../ui/components.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { redirect } from "../../shell/forms.ts";
import { CODE_MAX_BYTES, CodeForm, eolOf } from "../../ui/code_form.tsx";
import { page } from "../../shell/layout.tsx";
import { functionFrame, functionOf } from "./tabs.tsx";
import { LIST_PATH, pathOf } from "../functions/list.tsx";
import { ImportedPackages } from "../packages/imported.tsx";
import { templateFor } from "../functions/template.ts";
import { blankTrial, TrialForm } from "./try_it.tsx";

const NAMES_MAX = 50;

export function addCode(web: Web, deps: WebDeps): void {
  const { files, references, preflight } = deps;

  web.get(`${LIST_PATH}/:id{[^/]+}`, async (c) => {
    const entry = functionOf(c, deps);
    const [code] = await Promise.all([codeOf(entry, deps), deps.conditions.look([entry])]);
    const frame = functionFrame(c, entry, "code", deps);
    return page(c, {
      ...frame,
      scripts: ["editor.js", "try_it.js"],
      children: (
        <>
          {frame.children}
          <div class="workbench">
            <div>
              <Code entry={entry} code={code} />
              {"text" in code && <AskedSecrets entry={entry} asked={references.inCode(entry, code.text)} />}
              <ImportedPackages handler={entry.handler} deps={deps} />
            </div>
            <TrialForm entry={entry} trial={blankTrial(entry)} deps={deps} />
          </div>
        </>
      ),
    });
  });

  web.get(`${LIST_PATH}/:id{[^/]+}/secret-names`, (c) => {
    const names = references.names(functionOf(c, deps), (c.req.query("search") ?? "").slice(0, 255), NAMES_MAX);
    return c.json({ names });
  });

  web.get(`${LIST_PATH}/:id{[^/]+}/asked`, async (c) => {
    const entry = functionOf(c, deps);
    const code = await codeOf(entry, deps);
    return c.html(<AskedSecrets entry={entry} asked={"text" in code ? references.inCode(entry, code.text) : []} />);
  });

  web.post(`${LIST_PATH}/:id{[^/]+}/template`, async (c) => {
    const entry = functionOf(c, deps);
    const content = new TextEncoder().encode(templateFor(entry.route));
    await files.write(c.get("actor"), entry.handler, content, true);
    await preflight.handler(entry);
    return redirect(c, pathOf(entry.id), `Created ${entry.handler}.`);
  });
}

export type CodeFile = { text: string; hash: string } | { missing: true } | { unreadable: string };

/** Returns the text of the handler's file, or why there is none. */
export async function codeOf({ handler }: RegisteredFunction, { files }: WebDeps): Promise<CodeFile> {
  try {
    const { content } = await files.read(handler);
    const text = content.length > CODE_MAX_BYTES ? undefined : asText(content);
    if (text === undefined) return { unreadable: `The file ${handler} is too large for the editor, or is not text.` };
    return { text, hash: sha256Of(content) };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.status === 404 ? { missing: true } : { unreadable: `${handler}: ${error.message}.` };
  }
}

function Code({ entry, code }: { entry: RegisteredFunction; code: CodeFile }) {
  const heading = <h2 id="code-heading" class="visually-hidden">Code</h2>;
  if ("missing" in code) {
    return (
      <section aria-labelledby="code-heading">
        {heading}
        <p class="warning">
          The file <code>{entry.handler}</code> does not exist: calls get 500.
        </p>
        <PostButton action={`${pathOf(entry.id)}/template`} label="Create it" describe={entry.handler} />
      </section>
    );
  }
  if ("unreadable" in code) {
    return (
      <section aria-labelledby="code-heading">
        {heading}
        <p class="warning">{code.unreadable}</p>
      </section>
    );
  }
  return (
    <section aria-labelledby="code-heading">
      {heading}
      <CodeForm
        path={entry.handler}
        content={code.text}
        hash={code.hash}
        eol={eolOf(code.text)}
        functionId={entry.id}
        parameters={[...entry.route.matchAll(/:(\w+)/g)].map(([, name]) => name!)}
      />
    </section>
  );
}

function AskedSecrets({ entry, asked }: { entry: RegisteredFunction; asked: readonly SecretReference[] }) {
  const add = (name: string) =>
    `/web/secrets/new?${new URLSearchParams({ name, scope: "function", functionId: String(entry.id) })}`;
  return (
    <aside
      id="code-secrets"
      aria-labelledby="secrets-heading"
      hx-get={`${pathOf(entry.id)}/asked`}
      hx-trigger="code-saved from:body"
      hx-swap="outerHTML"
    >
      <h2 id="secrets-heading">Secrets in this code</h2>
      {asked.length === 0
        ? (
          <p>
            None yet. Read a secret with <code>await ctx.getSecret("NAME")</code> instead of writing it into the code.
          </p>
        )
        : (
          <ul class="asked">
            {asked.map(({ name, scopes, allowed }) => (
              <li>
                <code>{name}</code> {!allowed
                  ? <Badge kind="warn">not allowed by the settings</Badge>
                  : scopes.length > 0
                  ? <span class="quiet">set: {scopes.join(", ")}</span>
                  : <Badge kind="plain">not set</Badge>}{" "}
                {allowed && <a href={add(name)} aria-label={`Add secret ${name} for ${entry.name}`}>Add</a>}
              </li>
            ))}
          </ul>
        )}
      {asked.length > 0 && (
        <p class="hint">
          A name counts as set if a value exists for any caller. <a href={`${pathOf(entry.id)}/secrets`}>By caller</a>
        </p>
      )}
    </aside>
  );
}
