import { createElement as h } from "npm:react@19.3.1";
import { Document, Page, renderToBuffer, Text } from "npm:@react-pdf/renderer@4.9.0";

export default async (c) =>
  c.body(await renderToBuffer(h(Document, null, h(Page, { size: "A6" }, h(Text, null, "Invoice 7")))), 200, {
    "Content-Type": "application/pdf",
  });
