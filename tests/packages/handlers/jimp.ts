import { Jimp } from "npm:jimp@1.6.1";

export default async function (c) {
  const image = new Jimp({ width: 200, height: 100, color: 0xff0000ff });
  image.resize({ w: 50 }).greyscale();
  const png = await image.getBuffer("image/png");
  const again = await Jimp.read(png);
  return c.json({ width: again.width, height: again.height, pixel: again.getPixelColor(0, 0).toString(16) });
}
