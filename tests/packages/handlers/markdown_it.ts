import MarkdownIt from "npm:markdown-it@15.0.3";

const markdown = new MarkdownIt({ linkify: true, typographer: true });

export default (c) => c.html(markdown.render('See https://example.com -- "now"\n\n| a |\n|---|\n| 1 |'));
