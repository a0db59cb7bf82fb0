import hljs from "npm:highlight.js@11.12.0";

export default (c) => c.html(hljs.highlight("const x = 1;", { language: "javascript" }).value);
