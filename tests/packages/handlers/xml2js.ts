import { parseStringPromise } from "npm:xml2js@0.6.2";

export default async (c) => c.json(await parseStringPromise('<order id="7"><item>lamp</item></order>'));
