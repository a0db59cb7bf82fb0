import type { PackageCase } from "../package_case.ts";

export const PARSING: readonly PackageCase[] = [
  {
    package: "cheerio",
    does: "changes HTML",
    answer: { items: ["First", "Two"], html: '<li class="a seen">First</li><li>Two</li>' },
  },
  { package: "jsdom", does: "changes HTML", answer: "<p>Hello <b>Bob</b></p>" },
  { package: "linkedom", does: "changes HTML", answer: '<p class="lead">Text</p>' },
  { package: "happy-dom", does: "reads HTML", answer: "link" },
  { package: "node-html-parser", does: "reads HTML", answer: ["/x", "/y"] },
  { package: "dompurify", does: "sanitises HTML, with `jsdom`", answer: '<img src="x"><b>ok</b>' },
  { package: "sanitize-html", does: "sanitises HTML", short: true, answer: "<p>Hi <b>there</b></p>" },
  { package: "turndown", does: "converts HTML into Markdown", answer: "# Title\n\nSome **bold** text" },
  {
    package: "fast-xml-parser",
    does: "parses and builds XML",

    short: true,
    answer: {
      parsed: { order: { item: ["lamp", "desk"], "@_id": "7" } },
      xml: '<order id="7"><item>lamp</item><item>desk</item></order>',
    },
  },
  { package: "xml2js", does: "parses XML", answer: { order: { $: { id: "7" }, item: ["lamp"] } } },
  {
    package: "yaml",
    does: "parses and writes YAML",
    answer: { parsed: { a: [1, 2], b: [1, 2] }, text: "on: true\nlist:\n  - x\n" },
  },
  {
    package: "js-yaml",
    does: "parses and writes YAML",
    answer: { loaded: { name: "Ada", langs: ["fr", "en"] }, dumped: "a:\n  - 1\n  - 2\n" },
  },
  { package: "smol-toml", does: "parses TOML", answer: { title: "x", server: { port: 80 } } },
  { package: "ini", does: "parses INI", answer: { database: { host: "localhost", port: "5432" } } },
  {
    package: "qs",
    does: "parses and writes queries",
    answer: { parsed: { a: { b: ["1", "2"] }, c: "d" }, text: "f[g][0]=1&f[g][1]=2" },
  },
  {
    package: "rss-parser",
    does: "reads a feed",
    services: ["api"],
    answer: { title: "News", items: ["First", "Second"] },
  },
  { package: "feed", does: "creates a feed", answer: /<rss version="2\.0">[^]*<item>[^]*First/ },
  { package: "iconv-lite", does: "converts encodings", answer: { text: "日本", bytes: [233] } },
  { package: "ua-parser-js", does: "parses a user agent", answer: { browser: "Firefox", os: "Linux" } },
  { package: "jsonata", does: "queries JSON", answer: 11 },
];
