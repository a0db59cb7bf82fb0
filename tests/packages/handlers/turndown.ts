import TurndownService from "npm:turndown@7.2.5";

export default (c) =>
  c.text(new TurndownService({ headingStyle: "atx" }).turndown("<h1>Title</h1><p>Some <b>bold</b> text</p>"));
