// Implements the ways through a document: its contents, its sections, and what comes before and after.

import type { Child } from "hono/jsx";
import { addressOf, type Document, type Heading, type Part } from "./documents.ts";

/** The sections of a long document, on its first page. Links to a heading of the document arrive here. */
export function Sections({ of: document }: { of: Document }) {
  const entry = ({ id, text }: Heading, below?: Child) => (
    <li id={id}>
      <a href={addressOf(document, id)}>{text}</a>
      {below}
    </li>
  );
  return (
    <>
      <h2>Sections</h2>
      <ul data-sections>
        {document.parts.slice(1).map(({ headings: [heading, ...inner] }) =>
          entry(heading!, inner.length > 0 && <ul>{inner.map((one) => entry(one))}</ul>)
        )}
      </ul>
    </>
  );
}

/** The sections of a document, with those of the shown part below it. */
export function Contents({ of: document, shown }: { of: Document; shown: Part }) {
  const isWhole = document.parts.length === 1;
  const top = isWhole ? shown.headings.filter(({ level }) => level === 2) : [];
  if (isWhole && top.length < 2) return <div></div>;
  const inner = shown.headings.filter(({ level }) => level === 3);
  return (
    <details class="contents" open data-wide-open>
      <summary>Contents</summary>
      <nav aria-label="Contents">
        <ul data-follow>
          {isWhole ? top.map(({ id, text }) => <Entry href={`#${id}`}>{text}</Entry>) : (
            <>
              <Entry href={addressOf(document)} isCurrent={shown.id === ""}>Introduction</Entry>
              {document.parts.slice(1).map((part) => (
                <Entry href={addressOf(document, part.id)} isCurrent={part === shown}>
                  {part.title}
                  {part === shown && inner.length > 0 && (
                    <ul>{inner.map(({ id, text }) => <Entry href={`#${id}`}>{text}</Entry>)}</ul>
                  )}
                </Entry>
              ))}
            </>
          )}
        </ul>
      </nav>
    </details>
  );
}

function Entry({ href, isCurrent = false, children }: { href: string; isCurrent?: boolean; children: Child }) {
  const [text, below] = Array.isArray(children) ? children : [children];
  return (
    <li>
      <a href={href} aria-current={isCurrent ? "page" : undefined}>{text}</a>
      {below}
    </li>
  );
}

/** Links to the pages before and after the shown one, in the order of all documents. */
export function Neighbors({ shown, all }: { shown: Part; all: Iterable<Document> }) {
  const pages = [...all].flatMap((document) => document.parts.map((part) => ({ document, part })));
  const at = pages.findIndex(({ part }) => part === shown);
  const link = (to: number, rel: string, label: string) => {
    const found = pages[to];
    return found && (
      <a href={addressOf(found.document, found.part.id)} rel={rel}>
        <small class="quiet">{label}</small>
        <span>{found.part.title}</span>
      </a>
    );
  };
  return (
    <nav class="neighbors" aria-label="Previous and next">
      {link(at - 1, "prev", "Previous")}
      {link(at + 1, "next", "Next")}
    </nav>
  );
}
