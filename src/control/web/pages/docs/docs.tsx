// Shows the documentation of this version: the list of documents, and each with a table of its contents.

import { raw } from "hono/html";
import { AppError } from "../../../../errors.ts";
import type { Web } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { Empty } from "../../ui/components.tsx";
import type { Document, Documents } from "./documents.ts";
import { DOCS_PATH, PICTURES_PATH, renderDocument } from "./render.ts";

/** In documents with more sections than this, the contents list only those of the first level. */
const CONTENTS_MAX = 40;

export function addDocuments(web: Web, documents: Documents): void {
  const rendered = new Map<string, string>();

  web.get(DOCS_PATH, async (c) => {
    const all = [...(await documents.all()).values()];
    const isDecision = ({ name }: Document) => name.startsWith("decisions/");
    return page(c, {
      title: "Documentation",
      styles: ["docs.css"],
      children: all.length === 0
        ? <Empty>This installation has no documentation: the folder docs is missing.</Empty>
        : (
          <div class="prose">
            <List documents={all.filter((one) => !isDecision(one))} />
            <h2>Decisions</h2>
            <List documents={all.filter(isDecision)} />
          </div>
        ),
    });
  });

  web.get(`${DOCS_PATH}/:name{.+}`, async (c) => {
    const document = (await documents.all()).get(c.req.param("name"));
    if (!document) throw new AppError("NotFound", 404, "There is no such document.");
    if (!rendered.has(document.name)) rendered.set(document.name, renderDocument(document));
    return page(c, {
      title: document.title,
      styles: ["docs.css"],
      trail: [[DOCS_PATH, "Documentation"]],
      children: (
        <div class="document">
          <Contents of={document} />
          <div class="prose">{raw(rendered.get(document.name)!)}</div>
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

function List({ documents }: { documents: readonly Document[] }) {
  return (
    <ul class="documents">
      {documents.map(({ name, title }) => (
        <li>
          <a href={`${DOCS_PATH}/${name}`}>{title}</a>
        </li>
      ))}
    </ul>
  );
}

function Contents({ of: { headings } }: { of: Document }) {
  const most = headings.length > CONTENTS_MAX ? 2 : 3;
  const shown = headings.filter(({ level }) => level <= most);
  if (shown.length < 2) return null;
  return (
    <details class="contents" open data-wide-open>
      <summary>On this page</summary>
      <nav aria-label="On this page">
        <ul>
          {shown.map(({ id, text, level }) => (
            <li class={level > 2 ? "below" : undefined}>
              <a href={`#${id}`}>{text}</a>
            </li>
          ))}
        </ul>
      </nav>
    </details>
  );
}
