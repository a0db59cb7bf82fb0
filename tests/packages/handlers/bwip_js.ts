import bwipjs from "npm:bwip-js@4.11.4";

export default async function (c) {
  const png = await bwipjs.toBuffer({ bcid: "ean13", text: "9521234543213", includetext: true });
  return c.body(png, 200, { "Content-Type": "image/png" });
}
