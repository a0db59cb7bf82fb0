// Implements the values of a name with their owners. Each is hidden until it is revealed. Revealing or copying a value
// is recorded.

import { DAY_MS } from "../../../../time.ts";
import type { Context } from "hono";
import { z } from "zod";
import { AppError } from "../../../../errors.ts";
import { SCOPES, type SecretName } from "../../../../ids.ts";
import type { ValueCursor } from "../../../../core/secrets/matrix.ts";
import { SEALED } from "../../../../core/secrets/opened.ts";
import { secretName } from "../../../inputs/fields.ts";
import { Empty, Pager } from "../../ui/components.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { ChangedChip, filterSchema, namePath, ownerOf, ownerParameters } from "./browse.tsx";
import { isPart, secretOf } from "./one_secret.ts";
import { Value, ValueBox } from "./value_card.tsx";
import { SECRETS, secretWords, urlWithQuery } from "../../ui/secret_labels.ts";

const PAGE_SIZE = 50;

export function addValues(web: Web, deps: WebDeps): void {
  const { secrets } = deps;

  web.get(`${SECRETS}/names/:name`, (c) => {
    const name = secretName().parse(c.req.param("name"));
    const list = <ValueList name={name} asked={readAsked(c)} deps={deps} part={isPart(c)} />;
    return isPart(c) ? c.html(list) : namePage(c, name, list);
  });

  web.post(`${SECRETS}/:id{[1-9][0-9]*}/reveal`, async (c) => {
    const row = secretOf(c, deps);
    if (row.sealed) throw new AppError("Sealed", 409, SEALED);
    const [opened] = await deps.commit(() => secrets.reveal(c.get("actor"), [row]));
    if (isPart(c)) return c.html(<ValueBox row={row} opened={opened} announcement={`Shown: ${secretWords(row)}.`} />);
    const list = (
      <ul class="values">
        <Value row={row} opened={opened} deps={deps} />
      </ul>
    );
    return namePage(c, row.name, list);
  });

  web.get(`${SECRETS}/:id{[1-9][0-9]*}/value`, (c) => {
    const row = secretOf(c, deps);
    if (!isPart(c)) return c.redirect(namePath(row.name), 303);
    return c.html(<ValueBox row={row} announcement={`Hidden: ${secretWords(row)}.`} />);
  });

  // What the form in place of a value gives way to when it is saved or cancelled.
  web.get(`${SECRETS}/:id{[1-9][0-9]*}/card`, (c) => {
    const row = secretOf(c, deps);
    if (!isPart(c)) return c.redirect(namePath(row.name), 303);
    const notice = c.get("notice");
    return c.html(
      <>
        <Value row={row} deps={deps} />
        <ChangedChip row={row} deps={deps} />
        {notice && (
          <hx-partial hx-target="#notices" hx-swap="innerHTML">
            <p class="notice">{notice}</p>
          </hx-partial>
        )}
      </>,
    );
  });

  // For the script that copies the value without showing it.
  web.post(`${SECRETS}/:id{[1-9][0-9]*}/copy`, async (c) => {
    const [opened] = await deps.commit(() => secrets.reveal(c.get("actor"), [secretOf(c, deps)]));
    if (!opened!.value) throw new AppError("DecryptionFailed", 409, opened!.decryptionError!);
    return c.text(opened!.value.reveal());
  });
}

function namePage(c: Context<WebEnv>, name: SecretName, list: unknown): Response | Promise<Response> {
  return page(c, {
    title: name,
    scripts: ["secrets.js"],
    styles: ["secrets.css"],
    actions: <a class="button" href={urlWithQuery(`${SECRETS}/new`, { name })}>Add another value</a>,
    children: (
      <>
        <p id="announcer" class="visually-hidden" role="status"></p>
        {list}
      </>
    ),
  });
}

const askedSchema = filterSchema.omit({ q: true, after: true }).extend({
  after: z.string().transform((text): ValueCursor | undefined => {
    const [, scope, id] = /^(\w+)-(\d{1,15})$/.exec(text) ?? [];
    const known = SCOPES.find((one) => one === scope);
    return known && { scope: known, ownerId: Number(id) };
  }).optional().catch(undefined),
});
type Asked = z.infer<typeof askedSchema>;

function readAsked(c: Context<WebEnv>): Asked {
  return askedSchema.parse(c.req.query());
}

function ValueList({ name, asked, deps, part }: { name: SecretName; asked: Asked; deps: WebDeps; part: boolean }) {
  const { scope, unused, after } = asked;
  const { matrix, reads, now } = deps;
  const filter = { scope, ownerId: ownerOf(asked) };
  const { values, next } = matrix.values(name, filter, after, PAGE_SIZE);
  const known = reads.of(values.map(({ id }) => id));
  const isUnused = unused ? reads.unusedSince(now() - Number(unused) * DAY_MS) : () => false;
  const rest = { ...ownerParameters(asked), unused };
  if (values.length === 0) {
    return (
      <Empty>
        <p>Nothing sets this name{scope ? " there" : ""}.</p>
        <p>
          {scope
            ? <a href={namePath(name)}>Show all of its values</a>
            : <a href={urlWithQuery(`${SECRETS}/new`, { name })}>Set it</a>}
        </p>
      </Empty>
    );
  }
  return (
    <>
      <ul class="values" aria-label={`Values of ${name}`}>
        {values.map((row) => <Value row={row} deps={deps} read={known.get(row.id) ?? null} unused={isUnused(row)} />)}
      </ul>
      <Pager
        next={next && namePath(name, { ...rest, after: `${next.scope}-${next.ownerId}` })}
        what="values"
      />
      {(part || scope) && (
        <p class="more-values">
          {scope && <a href={namePath(name)}>All values of {name}</a>}
          {part && <a href={urlWithQuery(`${SECRETS}/new`, { name })}>Add another value of {name}</a>}
        </p>
      )}
    </>
  );
}
