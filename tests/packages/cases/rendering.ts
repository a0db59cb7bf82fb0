import type { PackageCase } from "../package_case.ts";

export const RENDERING: readonly PackageCase[] = [
  {
    package: "react-dom",
    does: "renders a component",
    short: true,
    answer: '<button class="counter">Count: 7 &lt;3</button>',
  },
  {
    package: "preact-render-to-string",
    does: "renders a component",
    answer: "<ul><li>a</li><li>b &amp; c</li></ul>",
  },
  { package: "vue", does: "renders a component", answer: "<p>Hello Ada, 3 messages</p>" },
  { package: "solid-js", does: "renders a component", answer: "<p>7</p>" },
  { package: "svelte", does: "compiles a component", answer: { isModule: true, warnings: 0, root: "Root" } },
  {
    package: "pug",
    does: "renders a template",
    answer: '<ul><li class="name">Ada</li><li class="name">&lt;Bob&gt;</li></ul>',
  },
  {
    package: "ejs",
    does: "renders a template",
    answer: "<li>Ada</li><li>&lt;Bob&gt;</li>",
  },
  {
    package: "handlebars",
    does: "renders a template with a helper",
    answer: "<li>ADA</li><li>&lt;BOB&gt;</li>",
  },
  {
    package: "mustache",
    does: "renders a template",
    answer: "<li>Ada</li><li>&lt;Bob&gt;</li>",
  },
  {
    package: "nunjucks",
    does: "renders a template",
    answer: "<li>ADA</li><li>&lt;BOB&gt;</li>",
  },
  {
    package: "eta",
    does: "renders a template",
    answer: "<li>&lt;Bob&gt;</li>",
  },
  {
    package: "liquidjs",
    does: "renders a template",
    answer: "LAMP: 10;DESK: 80;",
  },
  {
    package: "marked",
    does: "renders Markdown",
    answer: "<h1>Title</h1>\n<ul>\n<li><em>one</em></li>\n<li><code>two</code></li>\n</ul>\n",
  },
  {
    package: "markdown-it",
    does: "renders Markdown",
    answer: /<a href="https:\/\/example\.com">[^]*“now”[^]*<td>1<\/td>/,
  },
  { package: "unified", does: "renders Markdown with `remark` and `rehype`", answer: "<h2>Hello, <em>world</em></h2>" },
  { package: "highlight.js", does: "highlights code", answer: /<span class="hljs-keyword">const<\/span> x/ },
  {
    package: "shiki",
    does: "highlights code",
    answer: /<pre class="shiki github-light"[^]*>const<\/span>/,
    note:
      "pass `tokenizeTimeLimit: 0`: within the default of 500 ms, a first call on a busy machine colours only a part",
  },
];
