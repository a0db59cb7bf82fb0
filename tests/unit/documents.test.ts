// The documentation as the pages show it.

import assert from "node:assert/strict";
import {
  addressOf,
  DOCS_PATH,
  type Document,
  documentOf,
  Documents,
} from "../../src/control/web/pages/docs/documents.ts";
import { findSections, sectionsOf, wordsOf } from "../../src/control/web/pages/docs/find.ts";
import { PICTURES_PATH, renderPart } from "../../src/control/web/pages/docs/render.ts";
import { anchorsOf, pagePaths, readPage } from "../http/docs_pages.ts";

const ENCRYPTION = documentOf("encryption", "# Encryption\n\n## Rotation\n");

function rendered(markdown: string, name = "page"): string {
  const document = documentOf(name, markdown);
  return renderPart(document.parts[0], document, new Map([["encryption", ENCRYPTION]])).trim();
}

/** The addresses of every page of the documents, with what it shows. */
function pagesOf(all: ReadonlyMap<string, Document>): Map<string, string> {
  return new Map(
    [...all.values()].flatMap((document) =>
      document.parts.map((part) => [addressOf(document, part.id), renderPart(part, document, all)] as const)
    ),
  );
}

const idsOf = (html: string) => [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);

Deno.test("every page of docs/ is a document, and its links, anchors and pictures are there", async () => {
  const documents = new Documents();
  const all = await documents.all();
  const paths = pagePaths().filter((path) => path.startsWith("docs/"));
  assert.deepEqual([...all.keys()].sort(), paths.map((path) => path.slice("docs/".length, -".md".length)).sort());
  const pages = pagesOf(all);
  for (const document of all.values()) {
    const { name, headings, parts } = document;
    // A section's heading is the title of its page.
    const ids = parts.flatMap((part) => [
      ...(part.id === "" ? [] : [part.id]),
      ...idsOf(pages.get(addressOf(document, part.id))!),
    ]);
    assert.equal(new Set(ids).size, ids.length, name);
    assert.deepEqual(headings.map(({ id }) => id), ids, name);
    for (const anchor of anchorsOf(readPage(`docs/${name}.md`)).slice(1)) assert.ok(ids.includes(anchor), anchor);
    assert.match(document.summary, /\.$/, name);
  }
  for (const [address, html] of pages) {
    for (const [, href] of html.matchAll(/<a href="([^"]+)"/g)) {
      if (href!.startsWith("http")) continue;
      const [path, anchor] = href!.split("#") as [string, string | undefined];
      assert.ok(pages.has(path), `${address} links to ${href}`);
      if (anchor !== undefined) assert.ok(idsOf(pages.get(path)!).includes(anchor), `${address} links to ${href}`);
    }
    for (const [, src] of html.matchAll(/<img src="([^"]+)"/g)) {
      assert.ok(await documents.picture(src!.slice(PICTURES_PATH.length, -".png".length)), `${address} shows ${src}`);
    }
    assert.doesNotMatch(html, /<(?:script|style|iframe|img src="(?!\/web\/assets\/docs\/))/, address);
  }
});

Deno.test("a long document has a page for each section, and a short one is whole", () => {
  const long = documentOf(
    "long",
    `# Long\n\nIt begins.\n\n## One\n\n### In one\n\n${"word ".repeat(3_000)}\n\n## Two\n`,
  );
  assert.deepEqual(long.parts.map(({ id, title }) => [id, title]), [["", "Long"], ["one", "One"], ["two", "Two"]]);
  assert.equal(addressOf(long), `${DOCS_PATH}/long`);
  assert.equal(addressOf(long, "two"), `${DOCS_PATH}/long/two`);
  assert.equal(addressOf(long, "in-one"), `${DOCS_PATH}/long/one#in-one`);
  assert.equal(long.summary, "It begins.");
  assert.equal(addressOf(ENCRYPTION, "rotation"), `${DOCS_PATH}/encryption#rotation`);
  assert.equal(ENCRYPTION.parts.length, 1);
});

Deno.test("sections are found by words of their text, those whose heading has them first", () => {
  const document = documentOf(
    "x",
    "# X\n\nAbout keys.\n\n## Other\n\nA [lock](y.md) has two keys.\n\n## Keys\n\nText.\n",
  );
  const sections = sectionsOf([document]);
  const found = (search: string) => findSections(sections, wordsOf(search), 10).map(({ section }) => section.href);
  assert.deepEqual(found("keys"), [`${DOCS_PATH}/x#keys`, `${DOCS_PATH}/x`, `${DOCS_PATH}/x#other`]);
  assert.deepEqual(found("two LOCK"), [`${DOCS_PATH}/x#other`]);
  assert.deepEqual(found("two doors"), []);
  assert.deepEqual(found(" "), []);
  assert.equal(findSections(sections, ["lock"], 10)[0]!.excerpt, "A lock has two keys.");
});

Deno.test("raw HTML and addresses that run code stay text", () => {
  assert.equal(rendered("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
  assert.doesNotMatch(rendered("a <b onclick=x>b</b> <img src=x onerror=y>"), /<b|<img/);
  assert.doesNotMatch(rendered("[a](javascript:alert(1)) [b](data:text/html,x) [c](vbscript:x)"), /<a/);
  assert.equal(rendered("![a](https://example.com/x.png)"), "<p>a</p>");
  assert.match(rendered('```html\n<b>"&\n```'), /&lt;b&gt;&quot;&amp;/);
  assert.doesNotMatch(rendered("| a | b |\n|---|---|\n| <i>x</i> | y |"), /<i>/);
  assert.doesNotMatch(rendered("# T\n## <b>x</b>"), /<b>/);
});

Deno.test("links lead to documents here, and links to other files are text", () => {
  assert.equal(rendered("[a](encryption.md#rotation)"), '<p><a href="/web/docs/encryption#rotation">a</a></p>');
  assert.equal(rendered("[a](../encryption.md)", "decisions/x"), '<p><a href="/web/docs/encryption">a</a></p>');
  assert.equal(rendered("[a](../deploy/nginx.conf)"), "<p>a</p>");
  assert.equal(rendered("[a](../README.md)"), "<p>a</p>");
  assert.equal(rendered("[a](#b)\n\n## B"), '<p><a href="/web/docs/page#b">a</a></p>\n<h2 id="b">B</h2>');
});

Deno.test("front matter gives the title, and a notice becomes a quotation", () => {
  const { title, headings } = documentOf("x", "---\ntitle: T\n---\n\n## A `b` [c](d)\n\n```\n## no\n```\n\n## A b c\n");
  assert.equal(title, "T");
  assert.deepEqual(headings.map(({ id, text }) => [id, text]), [["a-b-cd", "A b c"], ["a-b-c", "A b c"]]);
  assert.match(rendered(":::caution[Important]\nText.\n:::"), /<blockquote>\s*<p><strong>Important<\/strong><\/p>/);
});
