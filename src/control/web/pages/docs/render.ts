// Renders documents as HTML. Their text is the program's own; raw HTML in it is shown as text all the same.

import { Marked, type Tokens } from "marked";
import { ASSETS_PATH } from "../../assets/addresses.ts";
import { addressOf, type Document, type Part } from "./documents.ts";

/** Pictures may only come from below the path of the assets; see the policy in shell/security.ts. */
export const PICTURES_PATH = `${ASSETS_PATH}docs/`;

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Returns the content of a part, without its title. Links to documents lead to the pages that have their targets. */
export function renderPart(part: Part, of: Document, documents: ReadonlyMap<string, Document>): string {
  const ids = part.headings.values();
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading({ tokens, depth }) {
        if (depth === 1) return "";
        const { id } = ids.next().value!;
        // The page of a section has its heading as a title.
        if (id === part.id) return "";
        const level = part.id === "" ? depth : depth - 1;
        return `<h${level} id="${escaped(id)}">${this.parser.parseInline(tokens)}</h${level}>\n`;
      },
      link({ href, tokens }) {
        const to = targetOf(href, of, documents);
        const content = this.parser.parseInline(tokens);
        return to === undefined ? content : `<a href="${escaped(to)}">${content}</a>`;
      },
      image({ href, text }) {
        const [, picture] = /^(?:\.\.\/)?images\/([\w-]+\.png)$/.exec(href) ?? [];
        if (picture === undefined) return escaped(text);
        return `<img src="${PICTURES_PATH}${picture}" alt="${escaped(text)}" loading="lazy">`;
      },
      code({ text }) {
        return `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`;
      },
      html({ text }) {
        return text.startsWith("<!--") ? "" : escaped(text);
      },
      table({ header, rows }) {
        // A cell of a header without a text names nothing.
        const cells = (row: readonly Tokens.TableCell[], kind: "th" | "td") =>
          row.map(({ text, tokens, align }) => {
            const tag = text === "" ? "td" : kind;
            return `<${tag}${align ? ` align="${align}"` : ""}>${this.parser.parseInline(tokens)}</${tag}>`;
          }).join("");
        const body = rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("\n");
        const head = header.some(({ text }) => text !== "") ? `<thead><tr>${cells(header, "th")}</tr></thead>` : "";
        return `<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>${head}<tbody>${body}</tbody></table></div>\n`;
      },
    },
  });
  return marked.parse(asMarkdown(part.markdown), { async: false });
}

/** Turns `:::caution[Title]` … `:::`, which only some renderers know, into a quotation. */
function asMarkdown(text: string): string {
  return text.replaceAll(/^:::\w+(?:\[(.*)\])?\n(.*?)\n:::$/gms, (_, title: string | undefined, content: string) => {
    const lines = [...(title === undefined ? [] : [`**${title}**`, ""]), ...content.split("\n")];
    return lines.map((line) => `> ${line}`).join("\n");
  });
}

/** Returns where a link of the document `from` leads here; undefined if to a file that is not served. */
function targetOf(href: string, from: Document, documents: ReadonlyMap<string, Document>): string | undefined {
  if (/^https?:/.test(href)) return href;
  const { pathname, hash } = new URL(href, `http://docs/docs/${from.name}.md`);
  const [, name = ""] = /^\/docs\/(.+)\.md$/.exec(pathname) ?? [];
  const document = name === from.name ? from : documents.get(name);
  return document && addressOf(document, decodeURIComponent(hash.slice(1)));
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => ESCAPES[character]!);
}
