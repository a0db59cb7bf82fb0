import { XMLBuilder, XMLParser } from "npm:fast-xml-parser@5.12.1";

export default function (c) {
  const parsed = new XMLParser({ ignoreAttributes: false }).parse(
    '<order id="7"><item>lamp</item><item>desk</item></order>',
  );
  return c.json({ parsed, xml: new XMLBuilder({ ignoreAttributes: false }).build(parsed) });
}
