import { parse } from "npm:node-html-parser@9.0.7";

export default (c) =>
  c.json(parse('<a href="/x">one</a><a href="/y">two</a>').querySelectorAll("a").map((a) => a.getAttribute("href")));
