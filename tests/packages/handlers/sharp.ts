import sharp from "npm:sharp@0.35.5";

export default async function (c) {
  const png = await sharp({ create: { width: 20, height: 10, channels: 3, background: "red" } }).resize(10).png()
    .toBuffer();
  return c.body(png, 200, { "Content-Type": "image/png" });
}
