import QRCode from "npm:qrcode@1.5.4";

export default async function (c) {
  const text = c.req.query("text") ?? "https://example.com";
  const png = await QRCode.toBuffer(text, { width: 200 });
  const svg = await QRCode.toString(text, { type: "svg" });
  return c.json({ png: png.subarray(1, 4).toString(), svg: svg.startsWith("<svg") });
}
