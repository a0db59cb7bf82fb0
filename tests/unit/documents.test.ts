// The documentation as the pages show it.

import assert from "node:assert/strict";
import { Documents } from "../../src/control/web/pages/docs/documents.ts";
import { documentOf } from "../../src/control/web/pages/docs/documents.ts";
import { DOCS_PATH, PICTURES_PATH, renderDocument } from "../../src/control/web/pages/docs/render.ts";
import { anchorsOf, pagePaths, readPage } from "../http/docs_pages.ts";

const rendered = (markdown: string, name = "page") => renderDocument(documentOf(name, markdown)).trim();

Deno.test("every page of docs/ is a document, and its links, anchors and pictures are there", async () => {
  const documents = new Documents();
  const all = await documents.all();
  const paths = pagePaths().filter((path) => path.startsWith("docs/"));
  assert.deepEqual([...all.keys()].sort(), paths.map((path) => path.slice("docs/".length, -".md".length)).sort());
  const pages = new Map([...all.values()].map((one) => [one.name, renderDocument(one)]));
  for (const [name, html] of pages) {
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
    assert.equal(new Set(ids).size, ids.length, name);
    assert.deepEqual(all.get(name)!.headings.map(({ id }) => id), ids, name);
    for (const anchor of anchorsOf(readPage(`docs/${name}.md`)).slice(1)) assert.ok(ids.includes(anchor), anchor);
    for (const [, href] of html.matchAll(/<a href="([^"]+)"/g)) {
      if (href!.startsWith("http")) continue;
      const [path, anchor] = href!.split("#") as [string, string | undefined];
      const target = path === "" ? name : path.slice(DOCS_PATH.length + 1);
      assert.ok(pages.has(target), `${name} links to ${href}`);
      if (anchor !== undefined) assert.ok(pages.get(target)!.includes(`id="${anchor}"`), `${name} links to ${href}`);
    }
    for (const [, src] of html.matchAll(/<img src="([^"]+)"/g)) {
      assert.ok(await documents.picture(src!.slice(PICTURES_PATH.length, -".png".length)), `${name} shows ${src}`);
    }
    assert.doesNotMatch(html, /<(?:script|style|iframe|img src="(?!\/web\/assets\/docs\/))/, name);
  }
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
});

Deno.test("front matter gives the title, and a notice becomes a quotation", () => {
  const { title, headings } = documentOf("x", "---\ntitle: T\n---\n\n## A `b` [c](d)\n\n```\n## no\n```\n\n## A b c\n");
  assert.equal(title, "T");
  assert.deepEqual(headings.map(({ id, text }) => [id, text]), [["a-b-cd", "A b c"], ["a-b-c", "A b c"]]);
  assert.match(rendered(":::caution[Important]\nText.\n:::"), /<blockquote>\s*<p><strong>Important<\/strong><\/p>/);
});
