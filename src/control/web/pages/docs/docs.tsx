// Shows the documentation of this version: the list of documents, what a search finds in them, and each document, a
// long one with a page for each section.

import { raw } from "hono/html";
import { AppError } from "../../../../errors.ts";
import type { Web } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Empty } from "../../ui/components.tsx";
import { Contents, Neighbors, Sections } from "./contents.tsx";
import { addressOf, DOCS_PATH, type Document, DOCUMENT_GROUPS, type Documents, type Part } from "./documents.ts";
import { findSections, type FoundSection, type Section, sectionsOf, wordsOf } from "./find.ts";
import { PICTURES_PATH, renderPart } from "./render.ts";

const SEARCH_MAX_LENGTH = 100;
const FOUND_MAX = 30;
const ASSETS = { styles: ["docs.css"], scripts: ["docs.js", "follow.js"] };

export function addDocuments(web: Web, documents: Documents): void {
  const rendered = new Map<string, string>();
  let sections: readonly Section[] | undefined;

  web.get(DOCS_PATH, async (c) => {
    const all = await documents.all();
    const typed = (c.req.query("q") ?? "").slice(0, SEARCH_MAX_LENGTH).trim();
    if (typed !== "") sections ??= sectionsOf(all.values());
    return page(c, {
      title: "Documentation",
      styles: ASSETS.styles,
      children: all.size === 0 ? <Empty>This installation has no documentation: the folder docs is missing.</Empty> : (
        <>
          <SearchForm typed={typed} />
          {typed === ""
            ? <Lists all={[...all.values()]} />
            : <Found found={findSections(sections!, wordsOf(typed), FOUND_MAX)} typed={typed} />}
        </>
      ),
    });
  });

  web.get(`${DOCS_PATH}/:name{.+}`, async (c) => {
    const all = await documents.all();
    const address = c.req.param("name");
    const { document, part } = shownAt(address, all);
    if (!rendered.has(address)) rendered.set(address, renderPart(part, document, all));
    const above: readonly [string, string] = [addressOf(document), document.title];
    return page(c, {
      title: part.title,
      ...ASSETS,
      trail: [[DOCS_PATH, "Documentation"], ...(part.id === "" ? [] : [above])],
      children: (
        <div class="document">
          <Contents of={document} shown={part} />
          <div>
            <article class="prose">
              {raw(rendered.get(address)!)}
              {document.parts.length > 1 && part.id === "" && <Sections of={document} />}
            </article>
            <Neighbors shown={part} all={all.values()} />
          </div>
        </div>
      ),
    });
  });

  web.get(`${PICTURES_PATH}:file`, async (c) => {
    const [, name = ""] = /^(.*)\.png$/.exec(c.req.param("file")) ?? [];
    const picture = await documents.picture(name);
    if (!picture) throw new AppError("NotFound", 404, "There is no such picture.");
    const headers = { "Cache-Control": "no-cache", ETag: picture.etag };
    if (c.req.header("if-none-match") === picture.etag) return c.body(null, 304, headers);
    return c.body(picture.bytes, 200, { ...headers, "Content-Type": "image/png" });
  });
}

/** Returns what an address below `DOCS_PATH` shows: a document, or a section of one. */
function shownAt(address: string, all: ReadonlyMap<string, Document>): { document: Document; part: Part } {
  const whole = all.get(address);
  if (whole) return { document: whole, part: whole.parts[0] };
  const [name = "", id = "", ...more] = address.split("/");
  const document = all.get(name);
  const part = id === "" || more.length > 0 ? undefined : document?.parts.find((one) => one.id === id);
  if (!document || !part) throw new AppError("NotFound", 404, "There is no such document.");
  return { document, part };
}

function SearchForm({ typed }: { typed: string }) {
  return (
    <search>
      <form method="get" action={DOCS_PATH} class="search docs-search">
        <label for="docs-search" class="visually-hidden">Search the documentation</label>
        <input
          type="search"
          id="docs-search"
          name="q"
          value={typed}
          maxlength={SEARCH_MAX_LENGTH}
          placeholder="Search the documentation"
          autocomplete="off"
        />
        <button type="submit" class="secondary">Search</button>
      </form>
    </search>
  );
}

function Found({ found, typed }: { found: readonly FoundSection[]; typed: string }) {
  if (found.length === 0) {
    return (
      <Empty>
        No section has “{typed}”. <a href={DOCS_PATH}>All documents</a>
      </Empty>
    );
  }
  return (
    <ol class="found" aria-label="Results">
      {found.map(({ section: { document, title, href }, excerpt }) => (
        <li>
          <a href={href}>{title}</a> {title !== document.title && <small class="quiet">{document.title}</small>}
          <p class="quiet">{excerpt}</p>
        </li>
      ))}
    </ol>
  );
}

function Lists({ all }: { all: readonly Document[] }) {
  const isDecision = ({ name }: Document) => name.startsWith("decisions/");
  const named = new Set(DOCUMENT_GROUPS.flatMap(([, names]) => names));
  return (
    <>
      {DOCUMENT_GROUPS.map(([title, names], at) => {
        const isLast = at === DOCUMENT_GROUPS.length - 1;
        const belongs = (one: Document) =>
          names.includes(one.name) || isLast && !named.has(one.name) && !isDecision(one);
        return (
          <section aria-labelledby={`group-${at}`}>
            <h2 id={`group-${at}`}>{title}</h2>
            <ul class="documents">
              {all.filter(belongs).map((one) => (
                <li>
                  <a href={addressOf(one)}>{one.title}</a>
                  <p class="hint">{one.summary}</p>
                </li>
              ))}
            </ul>
          </section>
        );
      })}
      <details class="decisions">
        <summary>Decisions ({all.filter(isDecision).length})</summary>
        <ul>
          {all.filter(isDecision).map((one) => (
            <li>
              <a href={addressOf(one)}>{one.title}</a>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}
